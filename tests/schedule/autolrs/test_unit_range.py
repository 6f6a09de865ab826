"""Numbers that are moved to [0, 1], and back."""

import numpy as np
import pytest

from trimtab.schedule.autolrs.unit_range import UnitRange


def test_the_lowest_is_zero_and_the_highest_one():
    moved = UnitRange.of([3.0, 1.0, 5.0])
    assert moved.values.tolist() == [0.5, 0.0, 1.0]
    assert [moved.back(place) for place in (0.5, 0.0, 1.0, 2.0, -1.0)] == [3.0, 1.0, 5.0, 9.0, -3.0]


@pytest.mark.parametrize("numbers", [[0.1, 0.7, 0.3], [-1.1, 2.3], [1e-9, 5.0]])
def test_powers_of_two_leave_no_trace(numbers):
    moved = UnitRange.of(numbers)
    for exponent in (1, 60, -60, 1000, -1000):
        other = UnitRange.of(np.ldexp(numbers, exponent))
        assert other.values.tolist() == moved.values.tolist()
        assert other.back(0.3) == np.ldexp(moved.back(0.3), exponent)


@pytest.mark.parametrize("numbers", [[0.1, 0.1, 0.1], [0.0, 0.0], [-2.0], [1.0, 1.0 + 1e-15]])
def test_what_is_equal_but_for_rounding_is_zero(numbers):
    moved = UnitRange.of(numbers)
    assert (moved.values.tolist(), moved.span) == ([0.0] * len(numbers), 0.0)
    assert moved.back(0.0) == pytest.approx(numbers[0], rel=1e-12)


def test_the_widest_range_of_doubles_does_not_overflow():
    most = np.finfo(np.float64).max
    moved = UnitRange.of([-most, 0.0, most])
    assert moved.values.tolist() == [0.0, 0.5, 1.0]
    assert moved.back(1.0) == most
