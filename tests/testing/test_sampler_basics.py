"""Samplers that are sound but for one fault in what they suggest, copy or recommend."""

import contextlib
import random

import numpy as np
import pytest
import torch
from optuna.trial import TrialState

from tests.testing.sampler_faults import Sound, checks, failures, without_cases
from trimtab.testing.sampler_basics import BasicChecks


class NoSeed(Sound):
    def __init__(self):
        super().__init__(0)


class NoSampler:
    def __init__(self, seed):
        self.seed = seed


class IgnoresTheSeed(Sound):
    def __init__(self, seed):
        super().__init__(0)


class DrawsAnew(Sound):
    def draw(self, study, trial, name):
        return np.random.default_rng().random()


class ReadsGlobally(Sound):
    def draw(self, study, trial, name):
        with restored_numpy():
            return float(np.random.random())  # noqa: NPY002


class WritesGlobally(Sound):
    def draw(self, study, trial, name):
        random.random()
        return super().draw(study, trial, name)


class WritesTorch(Sound):
    def draw(self, study, trial, name):
        torch.rand(1)
        return super().draw(study, trial, name)


class BeyondTheRange(Sound):
    def sample_independent(self, study, trial, param_name, param_distribution):
        found = super().sample_independent(study, trial, param_name, param_distribution)
        return found + 1e3 if isinstance(found, float) else found


class BetweenSteps(Sound):
    def sample_independent(self, study, trial, param_name, param_distribution):
        if getattr(param_distribution, "step", None) == 0.25:
            return 0.1
        return super().sample_independent(study, trial, param_name, param_distribution)


class FloatsForInts(Sound):
    def sample_independent(self, study, trial, param_name, param_distribution):
        found = super().sample_independent(study, trial, param_name, param_distribution)
        return float(found) if isinstance(found, int) and not isinstance(found, bool) else found


class NeedsValues(Sound):
    def draw(self, study, trial, name):
        assert all(trial.values for trial in study.trials[:-1]), "a trial has no value"
        return super().draw(study, trial, name)


class OneAtATime(Sound):
    def draw(self, study, trial, name):
        assert sum(trial.state == TrialState.RUNNING for trial in study.trials) == 1
        return super().draw(study, trial, name)


class AlwaysMinimises(Sound):
    def sign(self, study):
        return 1


class ForgetsWhenPickled(Sound):
    def __getstate__(self):
        return {"seed": 99}


class CannotBeCopied(Sound):
    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")


class RecommendsAnything(Sound):
    def recommend(self, study):
        return {**study.best_params, "float": 99.0}


class RecommendsTooLittle(Sound):
    def recommend(self, study):
        return {"float": study.best_params["float"]}


class RecommendsAtRandom(Sound):
    calls = 0

    def recommend(self, study):
        RecommendsAtRandom.calls += 1  # never the one of the call before, so that the fault shows every time
        return study.trials[RecommendsAtRandom.calls % len(study.trials)].params


class RecommendsAndReseeds(Sound):
    def recommend(self, study):
        self.seed += 1
        return study.best_params


class RecommendsAndWrites(Sound):
    def recommend(self, study):
        study.add_trial(study.trials[0])
        return study.best_params


@contextlib.contextmanager
def restored_numpy():
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


FAULTS = {
    NoSeed: "built_with_seed same_seed other_seed global_random_state within_range trouble several_at_once maximize "
    "copied recommend",
    NoSampler: "built_with_seed same_seed other_seed global_random_state within_range trouble several_at_once maximize "
    "copied recommend",
    IgnoresTheSeed: "other_seed",
    DrawsAnew: "same_seed global_random_state maximize copied recommend",
    ReadsGlobally: "other_seed global_random_state",
    WritesGlobally: "global_random_state",
    WritesTorch: "global_random_state",
    BeyondTheRange: "within_range trouble several_at_once recommend",
    BetweenSteps: "within_range",
    FloatsForInts: "within_range trouble several_at_once",
    NeedsValues: "trouble several_at_once",
    OneAtATime: "several_at_once",
    AlwaysMinimises: "maximize",
    ForgetsWhenPickled: "copied",
    CannotBeCopied: "copied",
    RecommendsAnything: "recommend",
    RecommendsTooLittle: "recommend",
    RecommendsAtRandom: "recommend",
    RecommendsAndReseeds: "recommend",
    RecommendsAndWrites: "recommend",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_where_it_is(fault):
    found = failures(fault, BasicChecks, 8)
    assert without_cases(found) == set(FAULTS[fault].split()), found


def test_every_check_has_a_fault_that_it_finds():
    assert {name for names in FAULTS.values() for name in names.split()} == without_cases(checks(BasicChecks))
