"""How long a sampler takes itself."""

import optuna
import pytest
from optuna.samplers import RandomSampler

from trimtab.lab.blackbox.kept import KeptEvaluations
from trimtab.lab.blackbox.observation import Observation
from trimtab.lab.blackbox.sampler_clock import SamplerClock


@pytest.fixture
def now(monkeypatch):
    """What the clock shows, in a list."""
    shown = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: shown[0])
    return shown


class Slow(RandomSampler):
    """Takes 3 seconds for each setting, and 2 where it asks itself; its settings are chosen when they are suggested."""

    now: list

    def sample_independent(self, study, trial, name, distribution):
        self.now[0] += 3
        return super().sample_independent(study, trial, name, distribution)

    def sample_relative(self, study, trial, space):
        self.now[0] += 2
        distribution = optuna.distributions.FloatDistribution(0, 1)
        return {"y": self.sample_independent(study, trial, "y", distribution)}

    def infer_relative_search_space(self, study, trial):
        return {"y": optuna.distributions.FloatDistribution(0, 1)}


@pytest.fixture
def sampler(now):
    found = Slow(seed=0)
    found.now = now
    return found


def evaluate(trial, now):
    now[0] += 100
    return trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)


def test_what_is_suggested_in_the_middle_of_an_evaluation_is_the_samplers_time(sampler, now):
    clock = SamplerClock(sampler, first=1)
    study = optuna.create_study(sampler=sampler)
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, evaluate(trial, now))
    assert clock.seconds == 3 * (3 + 2 + 3)  # of calls within a call each second counts once
    assert clock.chosen == 2 * (3 + 2 + 3)


def test_time_counts_although_a_method_raises(now):
    class Raises(RandomSampler):
        def before_trial(self, study, trial):
            now[0] += 7
            raise RuntimeError("no")

    sampler = Raises()
    clock = SamplerClock(sampler, first=0)
    with pytest.raises(RuntimeError, match="no"):
        optuna.create_study(sampler=sampler).ask()
    assert clock.chosen == 7


def test_an_evaluation_is_not_dear_because_its_sampler_is_slow(sampler, now, tmp_path):
    clock = SamplerClock(sampler, first=0)
    study, kept = optuna.create_study(sampler=sampler), KeptEvaluations(tmp_path / "kept.jsonl")

    def observed(trial, own):
        def make():
            now[0] += own
            return Observation(trial.suggest_float("x", 0, 1))

        return kept.get(trial.number, trial, make, lambda: clock.seconds)

    observed(study.ask(), 0.0)
    assert not (tmp_path / "kept.jsonl").exists()
    observed(study.ask(), 1.0)
    assert (tmp_path / "kept.jsonl").exists()


def test_the_sampler_suggests_as_it_would_have():
    def searched(timed):
        sampler = RandomSampler(seed=3)
        if timed:
            SamplerClock(sampler, first=0)
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
        return [trial.params for trial in study.trials]

    assert searched(True) == searched(False)
