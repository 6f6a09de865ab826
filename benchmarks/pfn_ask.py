"""What it costs to ask for a point: a prior-data fitted network beside Gaussian processes, with 1 and 11 constraints.

An ask is everything from observations to the next point. The network's: the transforms of outputs, one pass over 1000
candidates, and the best of them (as in the paper) or five of them refined (the default). That of Gaussian processes:
one fitted to each output, by the largest posterior with BoTorch's priors, and the logarithm of constrained expected
improvement maximised from 5 of 128 raw points. BOSampler has a Gaussian process for each output, too, with a fit and a
search of its own. The observations are a beam's of 10 settings and 11 constraints, of
which two settings are free and all others stand still. Repeats are interleaved.

    python benchmarks/pfn_ask.py [--repeats 5] [--threads 1] [--clock wall|cpu]
"""

import itertools
import statistics
import warnings
from functools import partial

import numpy as np
import optuna
import torch
from botorch.acquisition.analytic import LogConstrainedExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.utils.sampling import manual_seed
from gpytorch.mlls import SumMarginalLogLikelihood
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from side_by_side import Parser, in_turn, setting

from trimtab.lab.blackbox.engineering import engineering_design
from trimtab.search import BOSampler
from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.proposal import Observations, Proposal

COUNTS, CONSTRAINTS, REFINED = (30, 100), (1, 11), (0, 5)
GOAL, FLAT = 10.0, 1.5


def observations(n, constraints):
    """Returns n observations of the first constraints of a cantilever beam."""
    design = engineering_design("cantilever_beam")
    x = np.random.default_rng(0).random((n, 2))
    settings = np.tile(design.optimal_point, (n, 1))
    settings[:, [0, 5]] = design.bounds[0, [0, 5]] + x * (design.bounds[1] - design.bounds[0])[[0, 5]]
    generator = np.random.default_rng(1)
    values = design.constraints(settings) / 1000 + 0.01 * generator.normal(size=(n, 11))  # no constraint stands still
    return Observations(x, -design.objective(settings) / 1000, values[:, :constraints])


def by_network(seen, network, refined):
    """Asks the network."""
    Proposal(refined=refined).next_point(seen, network, torch.Generator().manual_seed(0), initial=len(seen.x))


def by_processes(seen):
    """Asks Gaussian processes."""
    x = torch.from_numpy(seen.x)
    outputs = torch.from_numpy(np.column_stack([seen.objective, -seen.constraints]))
    models = [SingleTaskGP(x, y[:, None], outcome_transform=Standardize(1)) for y in outputs.T]
    model = ModelListGP(*models)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    feasible = (outputs[:, 1:] >= 0).all(1)
    best = outputs[feasible, 0].max() if feasible.any() else outputs[:, 0].min()
    limits = dict.fromkeys(range(1, outputs.shape[1]), (0.0, None))
    function = LogConstrainedExpectedImprovement(model, best, 0, limits)
    cube = torch.tensor([[0.0] * x.shape[1], [1.0] * x.shape[1]], dtype=torch.float64)
    with manual_seed(0):
        optimize_acqf(function, cube, q=1, num_restarts=5, raw_samples=128)


def by_sampler(seen):
    """Asks our own Gaussian processes."""
    space = {name: FloatDistribution(0.0, 1.0) for name in ("x", "y")}
    study = optuna.create_study(direction="maximize", sampler=BOSampler(seed=0))
    study.add_trials(
        create_trial(
            params=dict(zip(space, point, strict=True)),
            distributions=space,
            value=value,
            constraints={str(number): each for number, each in enumerate(constraints)},
        )
        for point, value, constraints in zip(
            seen.x.tolist(), seen.objective.tolist(), seen.constraints.tolist(), strict=True
        )
    )

    def ask():
        study.tell(study.ask(space), state=TrialState.FAIL)

    return ask


def verdict(met, goal):
    """Returns whether a goal is met, in words."""
    return f"{goal}: {'met' if met else 'MISSED'}"


def main():
    options = Parser(__doc__, repeats=5).options()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")  # of more observations than the network was trained on, and of fits that end early
    network = PFN.load()
    cases = {(n, c): observations(n, c) for n in COUNTS for c in CONSTRAINTS}
    asks = {(r, *case): partial(by_network, seen, network, r) for case, seen in cases.items() for r in REFINED}
    asks |= {("processes", *case): partial(by_processes, seen) for case, seen in cases.items()}
    asks |= {("sampler", *case): by_sampler(seen) for case, seen in cases.items()}
    medians = {key: statistics.median(each) / 1e3 for key, each in in_turn(asks, options, warm_up=1).items()}
    print(setting(options))
    print("| observations | constraints | refined | network, s | Gaussian processes, s | ratio | goal | BOSampler, s |")
    print("|---:|---:|---:|---:|---:|---:|---|---:|")
    for (n, c), r in itertools.product(cases, REFINED):
        ours, theirs = medians[r, n, c], medians["processes", n, c]
        goal = verdict(theirs / ours >= GOAL, f">= {GOAL:g}")
        print(f"| {n} | {c} | {r} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.1f} | {goal} | ", end="")
        print(f"{medians['sampler', n, c]:.3f} |")
    for n, r in itertools.product(COUNTS, REFINED):
        few, many = (medians[r, n, c] for c in CONSTRAINTS)
        grown = verdict(many / few <= FLAT, f"<= {FLAT:g}")
        print(f"{n} observations, {r} refined: 11 constraints cost {many / few:.1f} times what one does ({grown})")


if __name__ == "__main__":
    main()
