"""Observations: what a problem may return, and what it may not."""

import numpy as np
import pytest

from trimtab.lab.blackbox.observation import Observation, observation


def test_a_number_is_an_observation_without_constraints():
    assert observation(np.float32(1.5), 0) == Observation(1.5)
    assert observation(Observation(2, (np.int64(-1), 0.5), 0), 2) == Observation(2.0, (-1.0, 0.5), 0.0)


def test_constraints_are_met_at_zero_and_missed_above():
    assert Observation(1.0, (-1.0, 0.0)).violation == 0
    assert Observation(1.0, (-1.0, 0.5, 0.25)).violation == 0.75


@pytest.mark.parametrize(
    ("found", "error", "message"),
    [
        ((1.0, 2.0), TypeError, r"\(1.0, 2.0\) was returned: one objective is searched"),
        ([1.0], TypeError, "one objective is searched"),
        (None, TypeError, "value None was returned"),
        (True, TypeError, "value True"),
        ("1", TypeError, "value '1'"),
        (float("nan"), ValueError, "nan was returned; a finite number"),
        (1e200, ValueError, "a finite number"),
        (1.0, ValueError, "0 constraints were returned, and the problem says that it has 1"),
        (Observation(1.0, ("low",)), TypeError, "constraint 'low' was returned"),
        (Observation(1.0, (float("nan"),)), ValueError, "constraints="),
        (Observation(1.0, (0.0,), -1.0), ValueError, r"variance=-1.0: a finite number >= 0"),
        (Observation(1.0, (0.0,), float("nan")), ValueError, "variance=nan"),
    ],
)
def test_what_is_none_is_refused(found, error, message):
    with pytest.raises(error, match=message):
        observation(found, 1)
