import pytest

from trimtab.study.suggestions import nearest, slips

MANY = [f"name{i}" for i in range(13)]


@pytest.mark.parametrize(
    ("name", "names", "words"),
    [
        ("loin", ["lion", "adamw"], "did you mean lion?"),
        ("LION", ["lion", "adamw"], "did you mean lion?"),
        ("mytask", ["MyTask", "Other"], "did you mean MyTask?"),
        ("adamv", ["adam", "adamw", "nadam", "radam", "adamax"], "did you mean adamw or adam?"),
        ("wieght_decay", ["lr", "betas", "weight_decay"], "did you mean weight_decay?"),
        ("learning_rate", ["betas", "lr", "rounding_seed"], "did you mean lr?"),
        ("wd", ["lr", "weight_decay", "wc"], "did you mean weight_decay?"),
        ("schedule", ["schedulefree", "sgd"], "did you mean schedulefree?"),
        ("zzz", ["b", "a"], "known are a, b"),
        ("zzz", MANY[:12], f"known are {', '.join(sorted(MANY[:12]))}"),
        ("zzz", MANY, "look there"),
        ("name", MANY[:2], "did you mean name0 or name1?"),
    ],
)
def test_names_that_are_near_or_else_where_they_are(name, names, words):
    assert nearest(name, names, "look there") == words


def test_all_names_are_listed_unless_something_else_is_said():
    assert nearest("zzz", MANY) == f"known are {', '.join(sorted(MANY))}"


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("loin", "lion", 1), ("adamv", "adamw", 1),
        ("adamv", "radam", 2), ("lin", "lion", 1), ("lioon", "lion", 1), ("ab", "ba", 1), ("ca", "abc", 3),
        ("kitten", "sitting", 3),
    ],
)  # fmt: skip
def test_slips_are_letters_put_in_left_out_changed_or_swapped(first, second, count):
    assert slips(first, second) == slips(second, first) == count
