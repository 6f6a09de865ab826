import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.study.statistics import decades_within, first_reaching

INF, NAN = math.inf, math.nan

# decades_within


def test_the_width_worked_by_hand():
    # the best is 1.0, so up to 1.1 is within: half way to the 1.2 on the left, a quarter of the way to the 1.4
    assert decades_within([0.001, 0.01, 0.1, 1.0], [1.2, 1.0, 1.0, 1.4], 0.1) == pytest.approx(0.5 + 1 + 0.25)
    assert decades_within([1.0, 0.01, 0.001, 0.1], [1.4, 1.0, 1.2, 1.0], 0.1) == pytest.approx(0.5 + 1 + 0.25)


def test_the_range_ends_where_the_rates_do():
    assert decades_within([0.001, 0.01, 0.1], [1.0, 1.0, 1.0]) == pytest.approx(2.0)
    assert decades_within([0.001], [3.0]) == 0.0


def test_the_range_is_contiguous_around_the_best():
    # 1.0 is within the tolerance again, behind a rate that is not
    rates, losses = [1e-4, 1e-3, 1e-2, 1e-1], [1.0, 1.05, 3.0, 1.01]
    assert decades_within(rates, losses, 0.1) == pytest.approx(1 + 0.05 / 1.95)


@pytest.mark.parametrize("diverged", [NAN, INF])
def test_the_range_ends_at_the_last_rate_before_a_divergence(diverged):
    assert decades_within([1e-3, 1e-2, 1e-1, 1], [1.0, 1.0, diverged, 1.0]) == pytest.approx(1.0)
    assert decades_within([1e-3, 1e-2, 1e-1], [diverged, 1.0, diverged]) == 0.0
    # which is what a very large loss gives, too
    assert decades_within([1e-3, 1e-2, 1e-1], [1.0, 1.0, 1e300]) == pytest.approx(1.0)


def test_a_loss_of_minus_infinity_is_a_divergence_too():
    assert decades_within([1e-3, 1e-2, 1e-1], [1.0, 1.0, -INF]) == pytest.approx(1.0)


def test_negative_losses_are_relative_to_the_size_of_the_best():
    # within 10 % of -10 is up to -9: half way to -8
    assert decades_within([0.01, 0.1], [-10.0, -8.0], 0.1) == pytest.approx(0.5)


def test_a_best_loss_of_zero_leaves_no_room():
    assert decades_within([0.01, 0.1, 1.0], [0.0, 0.0, 1e-9], 0.5) == pytest.approx(1.0)


def test_of_runs_at_one_rate_the_best_counts_and_of_equal_ranges_the_widest():
    assert decades_within([0.01, 0.1, 0.1], [1.0, NAN, 1.0]) == pytest.approx(1.0)
    assert decades_within([1e-4, 1e-3, 1e-2, 1e-1], [1.0, INF, 1.0, 1.0]) == pytest.approx(1.0)
    assert decades_within([1e-4, 1e-3, 1e-2, 1e-1], [1.0, 1.0, INF, 1.0]) == pytest.approx(1.0)


@given(
    st.lists(st.tuples(st.integers(-6, 3), st.one_of(st.floats(0.01, 10), st.just(NAN))), min_size=1, max_size=8),
    st.floats(0, 1),
    st.randoms(),
)
def test_the_width_is_within_the_sweep_grows_with_tolerance_and_ignores_units_and_order(sweep, tolerance, random):
    if all(math.isnan(loss) for _, loss in sweep):
        return
    width = decades_within([10.0**e for e, _ in sweep], [loss for _, loss in sweep], tolerance)
    exponents = [e for e, _ in sweep]
    assert 0 <= width <= max(exponents) - min(exponents) + 1e-9
    assert decades_within([10.0**e for e, _ in sweep], [loss for _, loss in sweep], tolerance + 0.1) >= width - 1e-9
    random.shuffle(sweep)
    turned = decades_within([10.0 ** -(e + 2) for e, _ in sweep], [8 * loss for _, loss in sweep], tolerance)
    assert turned == pytest.approx(width, abs=1e-9)


@pytest.mark.parametrize(
    ("rates", "losses", "tolerance", "message"),
    [
        ([], [], 0.01, "rates has 0 values"),
        ([0.1], [1.0, 2.0], 0.01, "rates has 1 values and losses has 2"),
        ([0.1, 0.0], [1.0, 2.0], 0.01, "must be finite and > 0"),
        ([0.1, -0.1], [1.0, 2.0], 0.01, "must be finite and > 0"),
        ([0.1, NAN], [1.0, 2.0], 0.01, "must be finite and > 0"),
        ([0.1, 0.2], [NAN, INF], 0.01, "losses has no finite value"),
        ([0.1], [1.0], -0.01, "tolerance="),
        ([0.1], [1.0], INF, "tolerance="),
    ],
)
def test_a_sweep_that_has_no_width_is_refused(rates, losses, tolerance, message):
    with pytest.raises(ValueError, match=message):
        decades_within(rates, losses, tolerance)


# first_reaching


def test_the_first_cost_at_which_the_target_is_reached():
    costs, losses = [0, 10, 20, 30], [3.0, 2.0, 2.5, 1.0]
    assert first_reaching(costs, losses, 2.0, "min") == 10.0
    assert first_reaching(costs, losses, 1.9, "min") == 30.0
    assert first_reaching(costs, losses, 0.5, "min") is None
    assert first_reaching(costs, losses, 2.5, "max") == 0.0
    assert first_reaching(costs, losses, 3.5, "max") is None
    assert isinstance(first_reaching(costs, losses, 2.0, "min"), float)


def test_what_is_not_finite_reaches_nothing():
    assert first_reaching([0, 1, 2], [NAN, -INF, 1.0], 1.0, "min") == 2.0
    assert first_reaching([0, 1], [NAN, INF], 1.0, "max") is None


def test_an_empty_curve_reaches_nothing_and_the_order_of_a_curve_does_not_matter():
    assert first_reaching([], [], 1.0, "min") is None
    assert first_reaching([30, 10, 20], [0.0, 1.0, 0.0], 0.5, "min") == 20.0


@pytest.mark.parametrize(
    ("costs", "target", "direction", "message"),
    [
        ([0.0], 1.0, "min", "costs has 1 values and values has 2"),
        ([0.0, 1.0], NAN, "min", "target="),
        ([0.0, 1.0], -INF, "min", "target="),
        ([0.0, 1.0], 1.0, "down", "direction="),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(costs, target, direction, message):
    with pytest.raises(ValueError, match=message):
        first_reaching(costs, [2.0, 1.0], target, direction)


def test_statistics_do_not_wait_for_torch():
    code = "import sys, trimtab.study.statistics; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
