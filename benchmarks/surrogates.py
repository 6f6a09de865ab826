"""What surrogates of Bayesian optimisation cost beside BoTorch's SingleTaskGP: ratios in one run.

For 20 and for 100 points of the six-dimensional Hartmann function each surrogate is fitted with its defaults, and
qLogEI of 512 candidates is evaluated with as many samples, without gradients. A repeat takes a minute or two.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/surrogates.py [--repeats 3] [--only gp,laplace] [--threads N] [--clock wall|cpu]
"""

import statistics
import warnings
from functools import partial

import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.sampling.get_sampler import get_sampler
from botorch.test_functions import Hartmann
from side_by_side import Parser, in_turn, setting

from trimtab.search import make_surrogate
from trimtab.search.bnn_surrogates.make import NAMES

POINTS = (20, 100)
DIMENSIONS, CANDIDATE_POINTS, SAMPLES = 6, 512, 512
BASELINE = "gp"


def data(points):
    """Returns points in the unit cube and their values, the larger the better."""
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(points, DIMENSIONS, generator=generator, dtype=torch.float64)
    return X, Hartmann(dim=DIMENSIONS, negate=True)(X).unsqueeze(1)


def fit(models, name, X, Y):
    """Fits a surrogate, and keeps it."""
    models[name] = make_surrogate(name, X, Y, seed=0)


def evaluation(model, best):
    """Returns a function that evaluates the acquisition of all candidates."""
    generator = torch.Generator().manual_seed(1)
    X = torch.rand(CANDIDATE_POINTS, 1, DIMENSIONS, generator=generator, dtype=torch.float64)
    sampler = get_sampler(model.posterior(X[:1]), torch.Size([SAMPLES]), seed=0)
    acquisition = qLogExpectedImprovement(model, best_f=best, sampler=sampler)
    return torch.no_grad()(lambda: acquisition(X))


def main():
    parser = Parser(__doc__, repeats=3)
    parser.add_argument("--only", default=",".join(NAMES), help="names of surrogates")
    options = parser.options()
    names = dict.fromkeys([BASELINE, *options.only.split(",")])
    warnings.simplefilter("ignore", UserWarning)  # a chain of one leapfrog step is as long as any
    print(setting(options))
    print("\n| points | surrogate | fit, s | times gp | qLogEI, ms | times gp |")
    print("|---:|---|---:|---:|---:|---:|")
    for points in POINTS:
        X, Y = data(points)
        models = {}
        fits = in_turn({name: partial(fit, models, name, X, Y) for name in names}, options)
        values = in_turn({name: evaluation(model, Y.max()) for name, model in models.items()}, options, warm_up=1)
        fitting, values = ({name: statistics.median(each) for name, each in times.items()} for times in (fits, values))
        for name in names:
            taken, each = fitting[name], values[name]
            ratios = taken / fitting[BASELINE], each / values[BASELINE]
            row = f"| {points} | {name} | {taken / 1e3:.2f} | {ratios[0]:.1f} | {each:.1f} | {ratios[1]:.1f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
