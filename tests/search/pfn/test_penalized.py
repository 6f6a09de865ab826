"""The penalised objective: its values by hand, and when the penalty grows."""

import math

import numpy as np
import pytest

from trimtab.search.pfn.penalized import PenalizedObjective
from trimtab.study.errors import InputError


def feasible(n):
    return np.zeros((n, 1))


def test_the_penalty_by_hand():
    objective, constraints = np.array([1.0, 2.0, 3.0]), np.array([[-1.0, -2.0], [0.5, -1.0], [1.0, 2.0]])
    assert PenalizedObjective()(objective, constraints).tolist() == [1.0, 1.75, -2.0]
    assert PenalizedObjective(rho=2.0)(objective, constraints).tolist() == [1.0, 1.5, -7.0]


@pytest.mark.parametrize(
    ("objective", "initial", "rho"),
    [
        ([0, 1, 2, 3, 4, 5, 6], 1, 1.0),  # each improves
        ([5, 4, 3, 2, 1], 1, 1.0),  # four do not
        ([5, 4, 3, 2, 1, 0], 1, 1.5),
        ([5, 4, 3, 6, 2, 1, 0], 1, 1.5),  # one that improves in between does not begin the count anew
        ([5] * 11, 1, 2.25),
        ([5] * 10, 1, 1.5),
        ([5] * 11, 6, 1.5),  # the first six are not counted
    ],
)
def test_the_penalty_grows_by_what_did_not_improve(objective, initial, rho):
    settings = PenalizedObjective()
    assert settings.rho_after(np.array(objective, dtype=float), feasible(len(objective)), initial=initial) == rho


def test_improvement_is_asked_on_the_scale_of_the_time():
    """With rho 1 the second is better than the first; after it has grown to 8, it is not, and the third is."""
    objective, constraints = np.array([0.0, 2.0, 0.5, 0.6]), np.array([[0.0], [1.0], [0.0], [0.0]])
    settings = PenalizedObjective(growth=8.0, patience=1)
    assert settings.rho_after(objective[:2], constraints[:2]) == 1  # 2 - 1 > 0
    assert settings.rho_after(objective[:3], constraints[:3]) == 8  # .5 < 2 - 1
    assert settings.rho_after(objective, constraints) == 8  # .6 > max(0, 2 - 8, .5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"rho": 0.0}, "rho"), ({"rho": math.nan}, "rho"), ({"growth": 0.9}, "growth"), ({"patience": 0}, "patience")],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        PenalizedObjective(**settings)


@pytest.mark.parametrize("objective", [np.array([1.0, math.nan]), np.zeros(3), np.zeros((2, 1))])
def test_observations_that_cannot_be_are_refused(objective):
    with pytest.raises(InputError, match="objective and constraints"):
        PenalizedObjective()(objective, feasible(2))
