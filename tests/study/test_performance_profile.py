import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.study.performance_profile import PerformanceProfile, performance_profiles

COSTS = {"fast": [10.0, 30.0, math.inf], "slow": [20.0, 10.0, math.inf], "never": [math.inf, 41.0, math.inf]}
"""Three problems, the last of which nobody solves."""


def test_ratios_are_to_the_fastest_of_each_problem():
    profiles = performance_profiles(COSTS)
    assert profiles["fast"].ratios == (1.0, 3.0, math.inf)
    assert profiles["slow"].ratios == (2.0, 1.0, math.inf)
    assert profiles["never"].ratios == (math.inf, 4.1, math.inf)


def test_shares_count_the_problems_within_a_factor():
    fast = performance_profiles(COSTS)["fast"]
    assert [fast.share(tau) for tau in (1.0, 2.99, 3.0, 4.0)] == [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    assert fast.steps() == ((1.0, 3.0, 4.0), (1 / 3, 2 / 3, 2 / 3))
    assert performance_profiles(COSTS)["never"].steps() == ((1.0, 4.0), (0.0, 0.0))


def test_scores_are_the_area_below_the_steps():
    """Of a height of 1/3 each: `fast` has 3 wide and 1 wide of 3, `slow` 2 and 3, `never` is four times too slow."""
    profiles = performance_profiles(COSTS)
    assert profiles["fast"].score == pytest.approx((3 + 1) / 9)
    assert profiles["slow"].score == pytest.approx((2 + 3) / 9)
    assert profiles["never"].score == 0


def test_a_problem_that_nobody_solves_lowers_all_scores():
    without = performance_profiles({solver: values[:2] for solver, values in COSTS.items()})
    for solver, profile in performance_profiles(COSTS).items():
        assert profile.score == pytest.approx(without[solver].score * 2 / 3)


def test_the_fastest_everywhere_has_one_and_another_end_of_the_integral_another_score():
    costs = {"a": [1.0, 5.0], "b": [2.0, 5.0]}
    assert {s: p.score for s, p in performance_profiles(costs).items()} == {"a": 1.0, "b": pytest.approx(5 / 6)}
    assert performance_profiles(costs, tau_max=2.0)["b"].score == 0.5


def test_one_more_solver_changes_the_others():
    before = performance_profiles({"a": [10.0], "b": [20.0]})["a"].score
    after = performance_profiles({"a": [10.0], "b": [20.0], "c": [5.0]})["a"].score
    assert (before, after) == (1.0, pytest.approx(2 / 3))


def on_a_grid(costs, tau_max, points):
    """The way of AlgoPerf's code: shares on a grid, of which trapezia are summed. inf / inf is nan, below no tau."""
    table = np.array(list(costs.values()))
    with np.errstate(invalid="ignore"):
        ratios = table / table.min(axis=0)
    taus = np.linspace(1, tau_max, points)
    shares = np.stack([(ratios <= tau).sum(axis=1) / table.shape[1] for tau in taus], axis=1)
    return np.trapezoid(shares, taus) / (tau_max - 1)


COST = st.one_of(st.floats(1.0, 100.0), st.just(math.inf))


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(COST, min_size=n, max_size=n), min_size=1, max_size=4)))
def test_scores_agree_with_a_sum_over_a_grid(rows):
    costs = {str(place): row for place, row in enumerate(rows)}
    scores = [profile.score for profile in performance_profiles(costs).values()]
    np.testing.assert_allclose(scores, on_a_grid(costs, 4.0, 3001), atol=1.1e-3)  # a cell's width, as shares are


@given(st.lists(COST, min_size=1, max_size=6))
def test_the_steps_have_the_area_of_the_score(ratios):
    profile = PerformanceProfile(tuple(ratios))
    taus, shares = profile.steps()
    area = sum(share * (end - start) for share, start, end in zip(shares, taus, taus[1:], strict=False))
    assert area / 3 == pytest.approx(profile.score, abs=1e-12)


@pytest.mark.parametrize(
    ("costs", "tau_max", "message"),
    [
        ({}, 4.0, "costs is empty"),
        ({"a": []}, 4.0, "numbers of problems"),
        ({"a": [1.0], "b": [1.0, 2.0]}, 4.0, "numbers of problems"),
        ({"a": [0.0]}, 4.0, "costs of a hold 0.0"),
        ({"a": [math.nan]}, 4.0, "costs of a hold nan"),
        ({"a": [1.0]}, 1.0, "tau_max=1.0"),
        ({"a": [1.0]}, math.inf, "tau_max=inf"),
    ],
)
def test_bad_input_is_named(costs, tau_max, message):
    with pytest.raises(ValueError, match=message):
        performance_profiles(costs, tau_max)


def test_a_grid_sums_trapezia():
    """Of a profile that rises from a half to one at 2: on 1, 2, 3, 4 half a trapezium lies below the rise."""
    profile = performance_profiles({"a": [1.0, 2.0], "b": [1.0, 1.0]}, grid=4)["a"]
    assert profile.score == pytest.approx((0.75 + 1 + 1) / 3)
    assert performance_profiles({"a": [1.0, 2.0], "b": [1.0, 1.0]})["a"].score == pytest.approx((0.5 + 1 + 1) / 3)


@given(st.lists(st.floats(1, 6), min_size=1, max_size=8), st.integers(2, 300))
def test_a_fine_grid_is_near_the_integral(ratios, grid):
    profile = PerformanceProfile(tuple(ratios), grid=grid)
    assert profile.score == pytest.approx(PerformanceProfile(tuple(ratios)).score, abs=1.01 / (grid - 1))
    shares = [profile.share(tau) for tau in np.linspace(1, 4, grid)]
    assert profile.score == pytest.approx(np.trapezoid(shares, np.linspace(1, 4, grid)) / 3, abs=0.5 / (grid - 1))


@pytest.mark.parametrize("grid", [1, 0, -3, 2.5, True, "100"])
def test_a_grid_has_two_points_or_more(grid):
    with pytest.raises(ValueError, match="grid="):
        performance_profiles({"a": [1.0]}, grid=grid)
