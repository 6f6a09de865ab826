"""Finished studies of Optuna's, as tests write them."""

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

SPACE = {"x": FloatDistribution(0, 1), "rate": FloatDistribution(1e-4, 1.0, log=True), "n": IntDistribution(1, 8)}
KERNEL, GAMMA = CategoricalDistribution(["linear", "rbf", "poly"]), FloatDistribution(0, 1)
DEGREE = IntDistribution(2, 5)


def journal(path):
    return JournalStorage(JournalFileBackend(str(path)))


def drawn(space, generator):
    def one(each):
        if isinstance(each, CategoricalDistribution):
            return each.choices[generator.integers(len(each.choices))]
        if isinstance(each, IntDistribution):
            return int(generator.integers(each.low, each.high + 1))
        unit = generator.random()
        return float(
            each.low * (each.high / each.low) ** unit if each.log else each.low + unit * (each.high - each.low)
        )

    return {name: one(each) for name, each in space.items()}


def plain(params):
    """A function of a study without conditional parameters."""
    return 10 * params["x"] + np.log10(params["rate"]) ** 2 / 4 + abs(params["n"] - 5)


def plain_trials(count=80, value=plain, seed=0, **more):
    """Trials with the values of a function; ``more`` are functions of settings, too."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        params = drawn(SPACE, generator)
        given = {name: each(params) for name, each in more.items()}
        trial = optuna.trial.create_trial(params=params, distributions=SPACE, value=float(value(params)), **given)
        found.append(trial)
    return found


def conditional_trials(count=90):
    """Trials in which ``gamma`` is there with two kernels, and ``degree`` with one of them and a large ``gamma``."""
    generator = np.random.default_rng(1)
    found = []
    for _ in range(count):
        space = {"x": SPACE["x"], "kernel": KERNEL}
        params = drawn(space, generator)
        value = 4 * params["x"]
        if params["kernel"] != "linear":
            space, params = {**space, "gamma": GAMMA}, {**params, "gamma": float(generator.random())}
            value += 3 + 8 * params["gamma"]
        if params["kernel"] == "poly" and params["gamma"] > 0.5:
            space, params = {**space, "degree": DEGREE}, {**params, "degree": int(generator.integers(2, 6))}
            value += params["degree"]
        found.append(optuna.trial.create_trial(params=params, distributions=space, value=value))
    return found


def written(storage, trials, name="old", **more):
    study = optuna.create_study(storage=storage, study_name=name, **more)
    study.add_trials(trials)
    return study
