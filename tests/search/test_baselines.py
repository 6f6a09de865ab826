"""Other people's samplers, as a comparison uses them."""

import warnings

import numpy as np
import optuna

from trimtab.search.baselines import BoTorchLogEI

SPACE = {"x": optuna.distributions.FloatDistribution(0, 1), "y": optuna.distributions.FloatDistribution(0, 1)}


def made(**settings):
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        return BoTorchLogEI(n_startup_trials=4, **settings)


def searched(count, *, seed=0, constrained=False):
    study = optuna.create_study(sampler=made(seed=seed))
    for _ in range(count):
        trial = study.ask(dict(SPACE))
        x, y = trial.params["x"], trial.params["y"]
        if constrained:
            trial.set_constraint("sum", 1 - x - y)
        study.tell(trial, (x - 0.3) ** 2 + (y - 0.3) ** 2)
    return study


def test_it_finds_what_is_smooth_and_its_seed_decides():
    study = searched(8, seed=3)
    assert study.best_value < 0.02
    assert [each.params for each in searched(5, seed=3).trials] == [each.params for each in study.trials[:5]]
    assert searched(5, seed=4).trials[4].params != study.trials[4].params


def test_constraints_that_are_told_are_kept():
    study = searched(9, constrained=True)
    assert 0.08 <= study.best_value < 0.15  # least at (0.5, 0.5)
    assert np.mean([each.constraints["sum"] <= 0 for each in study.trials[4:]]) > 0.3


def test_trials_that_run_are_seen():
    study = searched(4)
    first, second = study.ask(dict(SPACE)), study.ask(dict(SPACE))
    gap = max(abs(first.params[name] - second.params[name]) for name in SPACE)
    assert gap > 1e-3
