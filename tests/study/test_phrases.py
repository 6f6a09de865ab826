import pytest

from trimtab.study.phrases import count, distinct, either, listed, rounded


@pytest.mark.parametrize(
    ("words", "all_of_them", "one_of_them"),
    [
        (["a"], "a", "a"),
        (["a", "b"], "a and b", "a or b"),
        (["a", "b", "c"], "a, b and c", "a, b or c"),
        (["a", "b", "c", "d"], "a, b, c and d", "a, b or one of 2 others"),
    ],
)
def test_words_stand_in_a_sentence(words, all_of_them, one_of_them):
    assert (listed(words), either(words)) == (all_of_them, one_of_them)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0312, "0.031"), (0.05, "0.05"), (1234.5, "1200"), (172.9, "170"), (0.0, "0"), (8.44e-14, "8.4e-14"),
     (3.21e12, "3.2e+12"), (-0.0209, "-0.021")],
)  # fmt: skip
def test_numbers_have_two_digits_and_no_power_of_ten_where_they_need_none(value, text):
    assert rounded(value) == text


def test_more_digits_may_be_asked_for():
    assert rounded(1234.5, 3) == "1230"


def test_numbers_that_differ_have_as_many_digits_as_tell_them_apart():
    assert distinct(0.0312, 0.0118, 0.0506) == ("0.031", "0.012", "0.051")
    assert distinct(0.00996, 0.0098, 0.0102) == ("0.00996", "0.0098", "0.0102")
    assert distinct(0.5, 0.5, 0.5) == ("0.5", "0.5", "0.5")
    assert distinct(1.0, 1.0 + 1e-12) == ("1", "1")


def test_a_number_stands_with_its_noun():
    assert [count(number, "seed") for number in (1, 2, 1000)] == ["1 seed", "2 seeds", "1,000 seeds"]
