"""The suite for samplers, on Optuna's own, and on samplers that are sound but for one fault."""

import contextlib
import inspect
import random
import subprocess
import sys
from typing import ClassVar

import numpy as np
import optuna
import pytest
import torch
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from trimtab.testing import SamplerConformance
from trimtab.testing.samplers import SamplerChecks

optuna.logging.set_verbosity(optuna.logging.WARNING)


class TestRandom(SamplerConformance):
    sampler = optuna.samplers.RandomSampler


class TestTPE(SamplerConformance):
    sampler = optuna.samplers.TPESampler
    settings: ClassVar = {"n_startup_trials": 1}
    evaluations = 6


class TestGP(SamplerChecks):  # Optuna's own suite, which Optuna runs on it, would take minutes here
    sampler = optuna.samplers.GPSampler
    settings: ClassVar = {"n_startup_trials": 1, "deterministic_objective": True}
    evaluations = 3


class TestCMAES(SamplerConformance):
    sampler = optuna.samplers.CmaEsSampler
    settings: ClassVar = {"warn_independent_sampling": False}


class Sound(BaseSampler):
    """Steps from the best so far, and nothing wrong with it; faults replace one of its methods."""

    def __init__(self, seed=None):
        self.generator = np.random.default_rng(seed)

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def draw(self, study):
        return self.generator.random()

    def best(self, study, name):
        finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        found = [each for each in finished if name in each.params]
        chosen = min(found, key=lambda t: t.value * self.sign(study), default=None)
        return None if chosen is None else chosen.params[name]

    def sign(self, study):
        return 1 if study.direction == StudyDirection.MINIMIZE else -1

    def sample_independent(self, study, trial, param_name, param_distribution):
        at = self.draw(study)
        drawn = RandomSampler(int(at * 2**32)).sample_independent(study, trial, param_name, param_distribution)
        best = self.best(study, param_name)
        known = best is not None and param_distribution._contains(param_distribution.to_internal_repr(best))
        return best if known and at < 0.3 else drawn

    def recommend(self, study):
        return study.best_params


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
    def __init__(self, seed):
        super().__init__(None)


class ReadsGlobally(Sound):
    def draw(self, study):
        with restored_numpy():
            return float(np.random.random())  # noqa: NPY002


class WritesGlobally(Sound):
    def draw(self, study):
        random.random()
        return super().draw(study)


class WritesTorch(Sound):
    def draw(self, study):
        torch.rand(1)
        return super().draw(study)


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
    def draw(self, study):
        assert all(trial.values for trial in study.trials[:-1]), "a trial has no value"
        return super().draw(study)


class OneAtATime(Sound):
    def draw(self, study):
        assert sum(trial.state == TrialState.RUNNING for trial in study.trials) == 1
        return super().draw(study)


class AlwaysMinimises(Sound):
    def sign(self, study):
        return 1


class ForgetsWhenPickled(Sound):
    def __getstate__(self):
        return {"generator": np.random.default_rng(0)}


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


class RecommendsAndDraws(Sound):
    def recommend(self, study):
        self.generator.random()
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


OPTUNAS = {
    name.removeprefix("test_") for kind in (BasicSamplerTestCase, RelativeSamplerTestCase) for name in vars(kind)
}
FAULTS = {
    NoSeed: "built_with_seed same_seed other_seed global_random_state within_range trouble several_at_once maximize "
    "copied recommend",
    NoSampler: "built_with_seed same_seed other_seed global_random_state within_range trouble several_at_once maximize "
    "copied recommend",
    IgnoresTheSeed: "other_seed",
    DrawsAnew: "same_seed global_random_state maximize recommend",
    ReadsGlobally: "other_seed global_random_state",
    WritesGlobally: "global_random_state",
    WritesTorch: "global_random_state",
    BeyondTheRange: "within_range trouble several_at_once copied recommend",
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
    RecommendsAndDraws: "recommend",
    RecommendsAndWrites: "recommend",
}


class TestSound(SamplerConformance):
    sampler = Sound


def failures(sampler):
    """Returns the names of our own checks that a sampler fails, and how."""
    suite = type("Suite", (SamplerChecks,), {"sampler": sampler, "evaluations": 12})()
    found = {}
    for name, check in inspect.getmembers(suite, inspect.ismethod):
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
        for case in marks[0].args[1] if marks else [None]:
            try:
                check(*([] if case is None else [case]))
            except Exception as error:
                found.setdefault(name.removeprefix("test_"), error)
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_where_it_is(fault):
    found = failures(fault)
    assert set(found) == set(FAULTS[fault].split()), found


def test_every_check_of_ours_has_a_fault_that_it_finds():
    checks = {name.removeprefix("test_") for name in vars(SamplerChecks) if name.startswith("test_")}
    assert {name for names in FAULTS.values() for name in names.split()} == checks


def test_an_older_optuna_is_told_which_is_needed():
    older = "import sys; sys.modules['optuna.testing.pytest_samplers'] = None"
    code = f"{older}; from trimtab.testing import SamplerConformance"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "ImportError: SamplerConformance needs Optuna 4.8 or newer, whose own suite is part of it" in ended.stderr
