import math

import pytest

from trimtab.study.statistics import far_out, risen_again

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "spread", "expected"),
    [
        ([0.30, 0.31, 8.1, 0.29, 0.305], 0.02, [2]),
        ([0.30, 0.31, 0.42, 0.29, 0.305], 0.0, [2]),  # four of five lie within 0.02, it is 0.11 away
        ([0.30, 0.31, 0.40, 0.29, 0.305], 0.02, []),
        ([0.30, 0.31, 8.1, 0.29, 0.305], 2.0, []),
        ([0.30, 0.3001, 0.35], 0.001, [2]),
        ([0.30, 0.3001, 0.35], 0.02, []),
        ([5.0, 0.30, 0.31, 0.29, 0.3, 0.305, 7.0], 0.02, [0, 6]),
        ([-8.0, 0.30, 0.31, 0.29, 0.305], 0.02, [0]),
        ([0.3, 0.9], 0.0, []),
        ([0.3], 0.0, []),
    ],
)
def test_what_is_far_from_most(values, spread, expected):
    assert far_out(values, spread) == expected
    assert far_out([1e-12 * value for value in values], 1e-12 * spread) == expected
    assert far_out([-value for value in values], spread) == expected


@pytest.mark.parametrize(
    ("values", "spread", "message"), [([], 1.0, "values"), ([NAN], 1.0, "nan"), ([1], -1, "spread")]
)
def test_far_from_nothing_is_refused(values, spread, message):
    with pytest.raises(ValueError, match=message):
        far_out(values, spread)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([2.0, 1.0, 0.5], False),
        ([2.0, 0.5, 1.2], False),  # 0.7 of 1.5
        ([2.0, 0.5, 1.3], True),  # 0.8 of 1.5
        ([2.0, 0.5, 8.1], True),
        ([0.5, 0.6], True),
        ([0.5, 0.5], False),
        ([0.5], False),
        ([], False),
        ([-1.0, -3.0, -1.5], True),
        ([2.0, NAN, 0.5], False),
    ],
)
def test_a_run_that_rises_again(curve, expected):
    assert risen_again(curve) == expected
    assert risen_again([1e9 * loss for loss in curve]) == expected
