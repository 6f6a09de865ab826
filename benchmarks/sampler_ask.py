"""What it costs to be told the next setting: BOSampler beside plain BoTorch and Optuna's GPSampler.

A row is a number of trials so far, of Hartmann's function in six dimensions with a little noise. Repeats are
interleaved: in each, every candidate fits its model to its trials, searches its acquisition function and is told one
more value, in an order that is drawn anew. Plain BoTorch is SingleTaskGP, fit_gpytorch_mll and optimize_acqf with 10
restarts and 512 raw samples. Memory is by how much the peak of one suggestion is above what a process of its own holds
before, which has made one suggestion of few trials.

Goals: at most 0.5 times BoTorch (with LogExpectedImprovement) and at most 1.5 times GPSampler.

    python benchmarks/sampler_ask.py [--repeats 10] [--threads 1] [--clock cpu]
"""

import gc
import multiprocessing
import statistics
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.test_functions import Hartmann
from gpytorch.mlls import ExactMarginalLogLikelihood
from optuna.distributions import FloatDistribution
from side_by_side import Parser, in_turn, setting

from trimtab.search import BOSampler

DIMENSION, NOISE = 6, 0.1
SIZES, LARGE = (30, 100, 300), 1000
SPACE = {f"x{column}": FloatDistribution(0.0, 1.0) for column in range(DIMENSION)}
GOALS = {"BoTorch, LogEI": 0.5, "GPSampler": 1.5}
WARM_UP = 1


class Values:
    """The function with its noise."""

    def __init__(self):
        self._function, self._generator = Hartmann(dim=DIMENSION), np.random.default_rng(0)

    def __call__(self, points):
        return self._function(torch.as_tensor(points)).numpy() + NOISE * self._generator.standard_normal(len(points))


def optunas(make, size):
    """Returns a function that asks an Optuna sampler and tells it a value."""
    values = Values()
    points = np.random.default_rng(1).random((size, DIMENSION))
    study = optuna.create_study(sampler=make())
    study.add_trials(
        optuna.create_trial(params=dict(zip(SPACE, point, strict=True)), distributions=SPACE, value=value)
        for point, value in zip(points.tolist(), values(points).tolist(), strict=True)
    )

    def ask():
        trial = study.ask(SPACE)
        study.tell(trial, float(values([list(trial.params.values())])[0]))

    return ask


def botorchs(acquisition, size):
    """Returns a function that does the same with BoTorch alone."""
    values = Values()
    points = torch.from_numpy(np.random.default_rng(1).random((size, DIMENSION)))
    worths = -torch.from_numpy(values(points))[:, None]
    bounds = torch.stack([torch.zeros(DIMENSION), torch.ones(DIMENSION)]).double()

    def ask():
        nonlocal points, worths
        model = SingleTaskGP(points, worths)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        found, _ = optimize_acqf(acquisition(model), bounds, q=1, num_restarts=10, raw_samples=512)
        points = torch.cat([points, found])
        worths = torch.cat([worths, -torch.from_numpy(values(found))[:, None]])

    return ask


def improvement(model):
    """Returns expected improvement over the best value."""
    transform = model.outcome_transform
    best = model.train_targets.max() * transform.stdvs.squeeze() + transform.means.squeeze()
    return LogExpectedImprovement(model, best_f=best)


def noisy(model):
    """Returns what BoTorch calls noisy."""
    return qLogNoisyExpectedImprovement(model, model.train_inputs[0])


def candidates():
    """Returns the columns: a name and how to make its step for a number of trials."""
    return {
        "BOSampler": partial(optunas, partial(BOSampler, seed=0)),
        'BOSampler, "ei"': partial(optunas, partial(BOSampler, seed=0, acquisition="ei")),
        "GPSampler": partial(optunas, partial(optuna.samplers.GPSampler, seed=0)),
        "BoTorch, LogEI": partial(botorchs, improvement),
        "BoTorch, qLogNoisyEI": partial(botorchs, noisy),
    }


def memory(name, size):
    """Returns by how many MB the peak of a suggestion is above what the process holds before; Linux only."""
    quiet()
    candidates()[name](SIZES[0])()
    ask = candidates()[name](size)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = status("VmRSS")
    ask()
    return (status("VmHWM") - before) / 1024


def status(name):
    """Returns an entry of the process's status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def quiet():
    """Leaves out what the libraries say of scaling and of experiments."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


def main():
    options = Parser(__doc__, repeats=10).options()
    quiet()
    names = list(candidates())
    print(setting(options))
    print("| trials | " + " | ".join(f"{name}, ms" for name in names) + " | times BoTorch | times GPSampler | goals |")
    print("|---|" + "---:|" * (len(names) + 2) + "---|")
    for size in SIZES:
        times = in_turn({name: make(size) for name, make in candidates().items()}, options, warm_up=WARM_UP)
        medians = {name: statistics.median(each) for name, each in times.items()}
        ratios = {other: medians["BOSampler"] / medians[other] for other in GOALS}
        missed = [f"missed: {other} <= {goal}" for other, goal in GOALS.items() if ratios[other] > goal]
        cells = " | ".join(f"{medians[name]:.0f}" for name in names)
        print(f"| {size} | {cells} | {' | '.join(f'{each:.2f}' for each in ratios.values())} | ", end="")
        print(f"{', '.join(missed) or 'met'} |", flush=True)
    print(f"\nMemory of a suggestion after {LARGE} trials, MB")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name in names:
            print(f"{name}: {pool.apply(memory, (name, LARGE)):.0f}", flush=True)


if __name__ == "__main__":
    main()
