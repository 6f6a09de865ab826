"""Numbers as a reader wants them."""

import pytest

from trimtab.compare.result import Interval
from trimtab.report import numbers


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 4, "–"),
        (0, 4, "0"),
        (0.0123456, 3, "0.0123"),
        (0.98, 3, "0.980"),
        (12345.6, 3, "12346"),
        (1.5e-7, 2, "1.5e-07"),
        (-3.14159, 3, "-3.14"),
        (float("inf"), 3, "inf"),
    ],
)
def test_significant(value, digits, text):
    assert numbers.significant(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (2_141_704, "2.14 MB")]
)
def test_bytes(value, text):
    assert numbers.bytes_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59, "59 s"), (60, "1 min"), (192, "3 min 12 s"), (3660, "1 h 1 min"), (3600 * 49, "2 d 1 h")],
)
def test_duration(seconds, text):
    assert numbers.duration(seconds) == text


def test_a_column_gets_two_digits_of_its_middle_interval():
    intervals = [
        Interval(1.0, 0.99, 1.01),
        Interval(2.0, 1.5, 2.5),
        Interval(3.0, 2.98, 3.02),
        Interval(4.0, None, None),
    ]

    assert numbers.decimals([*intervals, None]) == 3  # the middle half-width is 0.02
    assert numbers.decimals([Interval(1.0, None, None), None]) is None


def test_fixed_falls_back_on_significant_digits():
    assert numbers.fixed(0.123456, 2) == "0.12"
    assert numbers.fixed(0.123456, None) == "0.1235"
    assert numbers.fixed(None, 2) == "–"


@pytest.mark.parametrize(("value", "text"), [(0.0175, "+0.018"), (-0.0175, "−0.018"), (0.0001, "0.000")])
def test_signed(value, text):
    assert numbers.signed(value, 3) == text


def test_settings_and_counts():
    assert numbers.settings_text({"lr": 0.00123456, "betas": (0.9, 0.99), "nesterov": True}) == (
        "lr = 0.00123, betas = (0.9, 0.99), nesterov = True"
    )
    assert [numbers.count(number, "seed") for number in (1, 2, 1000)] == ["1 seed", "2 seeds", "1,000 seeds"]
    assert numbers.milliseconds(0.00124) == "1.24"
    assert numbers.whole(10240.0) == "10,240"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (181, 299, "3 to 5 min"),
        (47, 130, "45 s to 2 min"),
        (5000, 10900, "1 h 23 min to 3 h"),
        (1, 4, "1 to 4 s"),
        (61, 62, "about 1 min"),
    ],
)
def test_ranges_have_their_unit_once(low, high, text):
    assert numbers.between(low, high) == text
