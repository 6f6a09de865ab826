"""Samplers that are sound but for one fault in what they make of settings that come and go, and of ranges that move."""

import pytest
from optuna.trial import TrialState

from tests.testing.sampler_faults import Sound, checks, failures
from trimtab.testing.sampler_spaces import SpaceChecks


class KnowsTheFirstSpaceAlone(Sound):
    def draw(self, study, trial, name):
        assert trial.number == 0 or name in study.trials[0].params, "the model has no such setting"
        return super().draw(study, trial, name)


class NeedsAllOfTheFirst(Sound):
    def draw(self, study, trial, name):
        first = study.trials[0].params
        for each in study.get_trials(states=[TrialState.COMPLETE]):
            assert each.params.keys() >= first.keys(), "a trial lacks a setting"
        return super().draw(study, trial, name)


class KeepsTheFirstRange(Sound):
    def sample_independent(self, study, trial, param_name, param_distribution):
        known = study.trials[0].distributions.get(param_name, param_distribution)
        return super().sample_independent(study, trial, param_name, known)


class TakesTheBestAsItIs(Sound):
    def fits(self, setting, distribution):
        return setting is not None


class GoesByTheLastTrial(Sound):
    """What the trial before had not, it draws from a list that it made then."""

    def draw(self, study, trial, name):
        finished = study.get_trials(states=[TrialState.COMPLETE])
        assert not finished or name in finished[-1].params, "the last trial had no such setting"
        return super().draw(study, trial, name)


class Counts(Sound):
    """Takes it that every trial has as many settings as the one before."""

    def draw(self, study, trial, name):
        finished = study.get_trials(states=[TrialState.COMPLETE])
        assert len({len(each.params) for each in finished}) < 2, "rows of one length make an array"
        return super().draw(study, trial, name)


FAULTS = {
    KnowsTheFirstSpaceAlone: "branches late",
    NeedsAllOfTheFirst: "branches gone",
    KeepsTheFirstRange: "ranges",
    TakesTheBestAsItIs: "ranges",
    GoesByTheLastTrial: "branches late",
    Counts: "branches late gone",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_where_it_is(fault):
    found = failures(fault, SpaceChecks)
    assert set(found) == {f"define_by_run[{case}]" for case in FAULTS[fault].split()}, found


def test_every_case_has_a_fault_that_it_finds():
    assert {f"define_by_run[{case}]" for cases in FAULTS.values() for case in cases.split()} == checks(SpaceChecks)
