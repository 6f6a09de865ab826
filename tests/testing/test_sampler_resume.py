"""Samplers that are sound but for one fault in how they go on; each suggests the same as long as nothing is cut off."""

import math

import numpy as np
import pytest
from optuna.trial import TrialState

from tests.testing.sampler_faults import Sound, checks, failures
from trimtab.testing.sampler_basics import BasicChecks
from trimtab.testing.sampler_resume import ResumeChecks

CASES = "startup modelled mixed conditional failed running every_trial"


class DrawsFromAStream(Sound):
    """The usual one: the generator of a new instance begins anew."""

    def __init__(self, seed=None):
        super().__init__(seed)
        self.generator = np.random.default_rng(seed)

    def draw(self, study, trial, name):
        return self.generator.random()


class CountsForItself(Sound):
    """Draws by how often it was asked, and not by the trial's number."""

    asked = 0

    def before_trial(self, study, trial):
        self.asked += 1

    def draw(self, study, trial, name):
        return np.random.default_rng([self.seed, self.asked, *name.encode()]).random()


class StartsFromItsLastFit(Sound):
    """Where an iteration ends depends, in the last digits, on the ones before."""

    fits_before = 0

    def sample_independent(self, study, trial, param_name, param_distribution):
        found = super().sample_independent(study, trial, param_name, param_distribution)
        self.fits_before += 1
        if isinstance(found, float):
            return found + 1e-12 * self.fits_before * (param_distribution.high - found)
        return found


class RemembersTheBest(Sound):
    """Keeps the best in itself, from what it was told."""

    def __init__(self, seed=None):
        super().__init__(seed)
        self.told = {}

    def after_trial(self, study, trial, state, values):
        if state == TrialState.COMPLETE:
            self.told[trial.number] = {
                name: (self.sign(study) * values[0], setting) for name, setting in trial.params.items()
            }

    def best(self, study, name):
        found = [each[name] for each in self.told.values() if name in each]
        return min(found, default=(0.0, None))[1]


class RemembersFailures(Sound):
    failed = 0

    def after_trial(self, study, trial, state, values):
        self.failed += state == TrialState.FAIL

    def draw(self, study, trial, name):
        return math.fmod(super().draw(study, trial, name) + 0.125 * self.failed, 1.0)


class RemembersWhatRuns(Sound):
    """Keeps away from running trials that it has asked for itself."""

    def __init__(self, seed=None):
        super().__init__(seed)
        self.running = set()

    def before_trial(self, study, trial):
        self.running.add(trial.number)

    def after_trial(self, study, trial, state, values):
        self.running.remove(trial.number)

    def draw(self, study, trial, name):
        return math.fmod(super().draw(study, trial, name) + 0.125 * (len(self.running) - 1), 1.0)


class TakesTheSpaceOfTheLast(Sound):
    """Keeps the settings of the trial that had ended last when it began."""

    space: tuple = ()

    def before_trial(self, study, trial):
        ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        self.space = self.space or (tuple(ended[-1].params) if ended else ())

    def draw(self, study, trial, name):
        place = self.space.index(name) if name in self.space else 9
        return math.fmod(super().draw(study, trial, "") + 0.0625 * place, 1.0)


class KeepsNumbersAsKeys(Sound):
    """In the study, where a file makes texts of the keys."""

    def before_trial(self, study, trial):
        kept = dict(study.user_attrs.get("kept", {}))
        study.set_user_attr("kept", {**kept, trial.number: 0.125})

    def draw(self, study, trial, name):
        shift = sum(each for number, each in study.user_attrs["kept"].items() if isinstance(number, int))
        return math.fmod(super().draw(study, trial, name) + shift, 1.0)


class RecommendsTheLastItWasTold(Sound):
    told = None

    def after_trial(self, study, trial, state, values):
        self.told = trial.params

    def recommend(self, study):
        return self.told or study.best_params


FAULTS = {
    DrawsFromAStream: CASES,
    CountsForItself: CASES,
    StartsFromItsLastFit: CASES,
    RemembersTheBest: CASES,
    RemembersFailures: "failed",
    RemembersWhatRuns: "running",
    TakesTheSpaceOfTheLast: "conditional",
    KeepsNumbersAsKeys: "mixed",
    RecommendsTheLastItWasTold: "",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_where_it_is(fault):
    found = failures(fault, ResumeChecks)
    recommended = {"resume_recommend"} if fault is RecommendsTheLastItWasTold else set()
    assert set(found) == {f"resume[{case}]" for case in FAULTS[fault].split()} | recommended, found


def test_every_case_has_a_fault_that_it_finds():
    assert {f"resume[{case}]" for case in CASES.split()} | {"resume_recommend"} == checks(ResumeChecks)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_shows_only_where_a_search_goes_on(fault):
    suite = type("Suite", (BasicChecks,), {"sampler": fault})()
    suite.test_same_seed()
    suite.test_global_random_state()
