"""The schedule that minimises the bound numerically."""

import math

import numpy as np
import pytest
import scipy.optimize

from trimtab.schedule import numerical_schedule, refine_schedule
from trimtab.schedule.refined.numerical import last_iterate_bound


def stated_bound(steps, squared):
    """The bound as it is stated, with all of its sums written out."""
    a, g = steps[::-1], squared[::-1]
    total = (1 + (squared * steps**2).sum()) / (2 * steps.sum())
    for k in range(1, len(a)):
        sums = a[: k + 1].sum()
        total += 0.5 * a[k] * (g[: k + 1] * a[: k + 1] ** 2).sum() / (sums * (sums - a[k]))
    return total


@pytest.fixture
def problem():
    generator = np.random.default_rng(0)
    return generator.uniform(0.1, 1, 30), generator.uniform(0.5, 2, 30)


def test_the_bound_is_the_stated_one(problem):
    assert last_iterate_bound(*problem)[0] == pytest.approx(stated_bound(*problem), rel=1e-12)


def test_the_gradient_is_that_of_the_bound(problem):
    steps, squared = problem
    error = scipy.optimize.check_grad(
        lambda x: last_iterate_bound(x, squared)[0], lambda x: last_iterate_bound(x, squared)[1], steps
    )
    assert error < 1e-5


def best(multipliers, squared):
    """The least bound over all scales of a schedule."""
    found = scipy.optimize.minimize_scalar(
        lambda scale: last_iterate_bound(scale * multipliers, squared)[0], bounds=(1e-3, 10), method="bounded"
    )
    return found.fun


@pytest.mark.parametrize(
    "norms",
    [np.ones(100), np.linspace(1, 2, 100), np.concatenate([np.full(20, 3.0), np.ones(80)])],
    ids=["constant", "growing", "large at first"],
)
def test_it_is_better_than_the_closed_form_by_a_little(norms):
    """With a step more, so that the closed form's last step is not zero, where this bound is infinite."""
    squared = norms**2 / np.mean(norms**2)
    closed = best(refine_schedule([*norms, norms[-1]], smoothing=0.0)[:-1], squared)
    found = best(numerical_schedule(norms, smoothing=0.0), squared)
    assert 0.95 * closed < found < closed


def test_for_constant_norms_it_is_close_to_linear_decay():
    found = numerical_schedule(np.full(200, 7.0))
    np.testing.assert_allclose(found[:-10], 1 - np.arange(190) / 200, atol=0.03)


def test_only_ratios_of_norms_count():
    norms = np.linspace(2, 1, 50)
    np.testing.assert_allclose(numerical_schedule(norms), numerical_schedule(1e6 * norms), atol=1e-4)


@pytest.mark.parametrize(
    ("norms", "message"),
    [
        ([1.0, 1.0], "from 3 to 2000"),
        (np.ones(2001), "norms has 2001 values"),
        ([1.0, math.inf, 1.0], "norms are infinite in places"),
        ([1.0, -1.0, 1.0], r"norms\[1\]"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 norms are infinite")
def test_bad_input_is_named(norms, message):
    with pytest.raises(ValueError, match=message):
        numerical_schedule(norms)
    with pytest.raises(ValueError, match="smoothing=1"):
        numerical_schedule([1.0, 1.0, 1.0], smoothing=1)
