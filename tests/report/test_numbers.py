"""Numbers as a reader wants them."""

import pytest

from trimtab.compare.result import Interval
from trimtab.report import numbers
from trimtab.report.numbers import Digits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1 kB"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (2_141_704, "2.14 MB"),
        (1e9 - 1, "1 GB"),
        (2e15, "2,000 TB"),
    ],
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

    assert numbers.digits_of([*intervals, None]) == Digits(3)  # the middle half-width is 0.02
    assert numbers.digits_of([Interval(1.0, None, None), Interval(1.0, 1.0, 1.0), None]) is None


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.0858, 0.0021, "0.0858 ±0.0021"),
        (12345.6, 321.0, "12346 ±321"),
        (3.21e-12, 4.5e-14, "(3.210 ±0.045)e-12"),
        (4.0123e10, 1.2e9, "(4.01 ±0.12)e+10"),
        (4.3e29, 1e30, "(0.4 ±1.0)e+30"),
        (-2.5e-7, 1e-9, "(-2.500 ±0.010)e-07"),
        (0.97, 1e-15, "0.97000000 ±1e-15"),
        (4.07e10, 9.5e4, "4.0700e+10 ±1e+05"),
        (0.0, 1e-12, "(0.0 ±1.0)e-12"),
        (1.6e308, 1e307, "(1.60 ±0.10)e+308"),
        (1.7e308, 1e308, "1.700e+308"),
        (5e-324, 0.0, "4.941e-324"),
    ],
)
def test_a_number_has_the_digits_that_its_interval_leaves_it(mean, half, text):
    interval = Interval(mean, mean - half, mean + half)
    assert numbers.plus_minus(interval, numbers.digits_of([interval])) == text


def test_digits_are_the_same_in_every_unit():
    column = [Interval(m, m - h, m + h) for m, h in ((0.0858, 0.0021), (0.0861, 0.0019), (0.0975, 0.0044))]
    shown = {}
    for exponent in (-12, 6, 12):
        unit = 10.0**exponent
        scaled = [Interval(unit * i.mean, unit * i.low, unit * i.high) for i in column]
        digits = numbers.digits_of(scaled)
        shown[exponent] = [numbers.plus_minus(each, digits) for each in scaled]
    assert shown[-12] == ["(8.58 ±0.21)e-14", "(8.61 ±0.19)e-14", "(9.75 ±0.44)e-14"]
    assert shown[12] == ["(8.58 ±0.21)e+10", "(8.61 ±0.19)e+10", "(9.75 ±0.44)e+10"]
    assert shown[6] == ["85800 ±2100", "86100 ±1900", "97500 ±4400"]


def test_a_row_that_is_out_of_scale_has_a_form_of_its_own():
    column = [Interval(0.5, 0.49, 0.51), Interval(0.6, 0.58, 0.62), Interval(1e30, -1e30, 3e30)]
    column += [Interval(3e-9, 2e-9, 4e-9), Interval(1e-4, -0.02, 0.0202)]
    digits = numbers.digits_of(column)
    assert [numbers.plus_minus(each, digits) for each in column] == [
        *("0.500 ±0.010", "0.600 ±0.020", "(1.0 ±2.0)e+30", "(3.0 ±1.0)e-09", "0.000 ±0.020"),
    ]
    assert numbers.fixed(-1e30, digits) == "-1.00e+30"
    assert numbers.fixed(-1e-5, digits) == "0.000"
    assert numbers.fixed(float("inf"), digits) == "inf"


def test_fixed_falls_back_on_significant_digits():
    assert numbers.fixed(0.123456, Digits(2)) == "0.12"
    assert numbers.fixed(0.123456, None) == "0.1235"
    assert numbers.fixed(None, Digits(2)) == "–"
    assert numbers.plus_minus(None, Digits(2)) == "–"
    assert numbers.plus_minus(Interval(0.123456, None, None), Digits(2)) == "0.12"
    assert numbers.suited(None, Interval(1.0, 0.0, 2.0)) is None


@pytest.mark.parametrize(("value", "text"), [(0.0175, "+0.018"), (-0.0175, "−0.018"), (0.0001, "0.000")])
def test_signed(value, text):
    assert numbers.signed(value, Digits(3)) == text


def test_times_costs_and_troubles():
    assert numbers.milliseconds(0.00124) == "1.24"
    assert [numbers.cost_to_target(cost) for cost in (10240.0, 0.0, None)] == ["10,240", "met at the start", "–"]
    # what was measured and not counted, as hours are
    assert [numbers.cost_to_target(cost) for cost in (2.5, 0.0123, 2.0, 1024.5)] == ["2.50", "0.0123", "2", "1,024"]
    assert [numbers.troubles(*counts) for counts in ((2, 1), (0, 1), (1000, 0), (0, 0))] == [
        "2 diverged, 1 failed", "1 failed", "1,000 diverged", "",
    ]  # fmt: skip


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


def test_a_small_mean_beside_giants_is_not_zero():
    digits = numbers.Digits(1, 7)
    assert digits.written(333_334.0) == "333334"
    assert numbers.plus_minus(Interval(333_334.0, 1_100.0, 2.5e7), digits) == "333334 1.1e+03–2.5e+07"
    assert digits.written(0.0) == "0.0e+07"


def test_a_row_that_is_known_better_than_its_column_shows_as_much():
    column = [Interval(m, m - h, m + h) for m, h in ((9.45464, 0.00068), (60.0, 8.0), (75.0, 8.0))]
    digits = numbers.digits_of(column)
    assert [numbers.plus_minus(each, digits) for each in column] == ["9.45464 ±0.00068", "60.0 ±8.0", "75.0 ±8.0"]
    own = numbers.suited(digits, column[0])  # which pages write the ends with
    assert [numbers.fixed(end, own) for end in (column[0].low, column[0].high)] == ["9.45396", "9.45532"]
    assert numbers.plus_minus(Interval(5_046_766.0, 5_017_281.0, 5_076_251.0), Digits(2, 7)) == "5046766 ±29485"
    assert numbers.plus_minus(Interval(0.0017968, 0.0017838, 0.0018098), Digits(3)) == "0.001797 ±0.000013"
