import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.study.errors import InputError
from trimtab.study.tunable import (
    Choice,
    LogOneMinus,
    LogUniform,
    Uniform,
    Whole,
    as_code,
    as_given,
    quasi_random_settings,
    rounded,
)

SPACE = {
    "lr": LogUniform(1e-4, 1e-1),
    "momentum": Uniform(0.5, 1.0),
    "beta": LogOneMinus(0.9, 0.9999),
    "kind": Choice(("a", "b", "c")),
}


def test_values_at_the_ends_and_in_the_middle():
    assert Uniform(2, 6).at(0) == 2
    assert Uniform(2, 6).at(0.25) == 3
    assert LogUniform(1e-4, 1e-2).at(0) == pytest.approx(1e-4, rel=1e-12)
    assert LogUniform(1e-4, 1e-2).at(0.5) == pytest.approx(1e-3, rel=1e-12)
    assert [Choice(("a", "b", "c")).at(u) for u in (0, 0.33, 0.34, 0.66, 0.67, 0.999999)] == list("aabbcc")


def test_what_lacks_to_one_may_be_logarithmic():
    beta = LogOneMinus(0.9, 0.999)
    assert [round(beta.at(unit), 6) for unit in (0, 0.5)] == [0.9, 0.99]
    assert str(beta) == "0.9 to 0.999, logarithmic in what lacks to 1"
    with pytest.raises(InputError, match=r"LogOneMinus\(0.9, 1\): high must lie below 1"):
        LogOneMinus(0.9, 1)


def test_values_are_written_as_code_with_what_tuning_resolves():
    assert [as_code(v) for v in (0.0123456, 0.99953124, 0.9, 0.5, 3, "a", (0.9, 0.999206), (0.5,))] == [
        "0.0123", "0.999531", "0.9", "0.5", "3", "'a'", "(0.9, 0.999206)", "(0.5,)",
    ]  # fmt: skip


def test_values_that_were_given_are_written_with_all_their_digits():
    assert [as_given(v) for v in (0.0123456, 0.99953124, 1234.5, 1e-7, 1.0, 0.1 + 0.2, 3, True, "a", (0.9, 0.5))] == [
        "0.0123456", "0.99953124", "1234.5", "1e-07", "1", "0.3", "3", "True", "'a'", "(0.9, 0.5)",
    ]  # fmt: skip
    assert [rounded(v) for v in (1234.5, 0.0123456, 0.99953124, 3, "a", (0.9, 0.99953124))] == [
        1230.0, 0.0123, 0.999531, 3, "a", (0.9, 0.999531),
    ]  # fmt: skip


@given(st.floats(0, 1, exclude_max=True))
def test_every_value_lies_in_its_range(unit):
    for name, tunable in SPACE.items():
        tunable.check(name, tunable.at(unit))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1, 1), "low < high"),
        (lambda: Uniform(0, math.nan), "finite"),
        (lambda: Uniform(-math.inf, 0), "finite"),
        (lambda: LogUniform(0, 1), "low must be positive"),
        (lambda: Choice(()), "at least one value"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("tunable", "value"),
    [(Uniform(0, 1), 1.1), (Uniform(0, 1), "a"), (Uniform(0, 1), True), (Uniform(0, 1), math.nan), (Choice((1, 2)), 3)],
)
def test_values_outside_are_named(tunable, value):
    with pytest.raises(InputError, match="setting="):
        tunable.check("setting", value)


def test_a_longer_search_extends_a_shorter_one():
    assert quasi_random_settings(SPACE, 20, seed=0)[:7] == quasi_random_settings(SPACE, 7, seed=0)
    assert quasi_random_settings(SPACE, 7, seed=0) != quasi_random_settings(SPACE, 7, seed=1)


def test_methods_with_equally_many_tunables_get_the_same_points_of_the_cube():
    first = quasi_random_settings({"lr": Uniform(0, 1), "decay": Uniform(0, 1)}, 5, seed=3)
    second = quasi_random_settings({"rate": Uniform(0, 2), "size": Uniform(0, 4)}, 5, seed=3)
    assert [(2 * p["lr"], 4 * p["decay"]) for p in first] == [(p["rate"], p["size"]) for p in second]


def test_points_are_spread_evenly():
    rates = sorted(math.log10(p["lr"]) for p in quasi_random_settings({"lr": LogUniform(1e-4, 1e-1)}, 30, seed=0))
    assert [sum(-4 + i <= rate < -3 + i for rate in rates) for i in range(3)] == [10, 10, 10]


def test_nothing_to_tune_is_one_point():
    assert quasi_random_settings({}, 12, seed=0) == [{}]


def test_at_least_one_point():
    with pytest.raises(InputError, match="count=0"):
        quasi_random_settings(SPACE, 0, seed=0)


def test_whole_numbers_have_equal_shares_and_include_both_ends():
    whole = Whole(2, 5)
    assert [whole.at(unit) for unit in (0, 0.2499, 0.25, 0.5, 0.75, 0.999999)] == [2, 2, 3, 4, 5, 5]
    logarithmic = Whole(1, 64, log=True)
    assert (logarithmic.at(0), logarithmic.at(1 - 1e-12)) == (1, 64)
    counts = [logarithmic.at(place / 1000) for place in range(1000)]
    assert counts == sorted(counts)
    assert 0.4 < sum(count <= 5 for count in counts) / 1000 < 0.6  # half of them below the geometric middle
    assert (str(whole), str(logarithmic)) == ("2 to 5, whole", "1 to 64, whole, logarithmic")


def test_whole_numbers_are_checked_and_scaled():
    Whole(2, 5).check("n", 5)
    for value in (1, 6, 3.0, True, "3", None):
        with pytest.raises(InputError, match=r"n=.* is no whole number from 2 to 5"):
            Whole(2, 5).check("n", value)
    assert Whole(2, 5).scaled(2) == Whole(4, 10)
    assert Whole(1, 5, log=True).scaled(0.1) == Whole(1, 2, log=True)


@pytest.mark.parametrize("arguments", [(2, 2), (3, 1), (0.5, 2), (1, "9"), (True, 3), (0, 4, True)])
def test_whole_numbers_that_cannot_be_are_refused(arguments):
    with pytest.raises(InputError, match="Whole"):
        Whole(*arguments)
