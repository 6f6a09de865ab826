"""What a study is read as: repeats merged, bad values tamed, constraints by name."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.study_data import StudyData, complete_trials, tamed

optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_of(rows, direction="minimize"):
    study = optuna.create_study(direction=direction)
    for x, value, constraints in rows:
        study.add_trial(
            create_trial(
                params={"x": x}, distributions={"x": FloatDistribution(0, 1)}, value=value, constraints=constraints
            )
        )
    return study


def seen(study):
    trials = complete_trials(study)
    return StudyData.of_study(study, UnitCube.of_trials(trials), trials)


def test_repeats_are_merged_in_the_order_of_their_first_trials():
    found = seen(study_of([(0.7, 1.0, {}), (0.2, 3.0, {}), (0.7, 2.0, {}), (0.2, 7.0, {}), (0.7, 3.0, {})]))
    assert found.points.tolist() == [[0.7], [0.2]]
    assert found.group.tolist() == [0, 1, 0, 1, 0]
    assert found.first.tolist() == [0, 1]
    assert found.data.means.tolist() == [-2.0, -5.0]  # larger is better
    assert found.data.counts.tolist() == [3.0, 2.0]
    assert found.data.scatter == pytest.approx(2.0 + 8.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, math.inf, 3.0], [1.0, 3.0, 3.0]),
        ([1.0, -math.inf, 3.0], [1.0, 1.0, 3.0]),
        ([math.inf, -math.inf], [0.0, 0.0]),
        ([0.0, 1.0, 2.0, 3.0, -1e300], [0.0, 1.0, 2.0, 3.0, -20.0]),  # quartiles 0 and 2
        ([0.0, 1.0, 2.0, 3.0, 1e30], [0.0, 1.0, 2.0, 3.0, 1e30]),
        ([1.0, 1.0, 1.0, 1.0, 0.5, -1e9], [1.0, 1.0, 1.0, 1.0, 0.5, -3.125]),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
        ([1e300, -1e300], [1e140, -1e140]),
    ],
)
def test_tamed(values, expected):
    np.testing.assert_allclose(tamed(np.array(values)), expected)


def test_constraints_are_kept_on_average_and_by_those_that_have_none():
    found = seen(
        study_of(
            [
                (0.1, 1.0, {"a": -1.0, "b": -2.0}),
                (0.2, 1.0, {"a": -1.0, "b": 0.5}),
                (0.3, 1.0, {}),
                (0.4, 1.0, {"a": 1.0}),
                (0.4, 1.0, {"a": -3.0}),
                (0.5, 1.0, {"a": math.inf}),
                (0.6, 1.0, {"a": 0.0}),
            ]
        )
    )
    assert found.feasible.tolist() == [True, False, True, True, False, True]
    margins = found.margins()
    assert [len(each.points) for each in margins] == [5, 2]
    assert [np.sign(each.means).tolist() for each in margins] == [[1, 1, 1, -1, 0], [1, -1]]
    # the median of the absolute values of a is 1
    assert margins[0].means[2] == pytest.approx((math.log(4) - math.log(2)) / 2)
