"""What exact noisy expected improvement costs beside BoTorch's LogExpectedImprovement: values and their gradients.

Both are asked for a batch of points on the same Gaussian process, forward and backward, in turn. The bound is twice the
time of LogExpectedImprovement with 200 evaluated points in 6 dimensions, a batch of 512 and one thread.

    python benchmarks/noisy_ei.py --threads 1 [--repeats 30] [--clock wall|cpu] [--evaluated 200] [--batch 512]
"""

import statistics

import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from side_by_side import Parser, in_turn, setting

from trimtab.search.bo_tutorial.posterior_mean_improvement import PosteriorMeanImprovement

BOUND = 2.0
WARM_UP = 3
DIMENSIONS = 6
NOISE = 0.3


def fitted(evaluated):
    """Returns a model of a noisy function, fitted, with its points and values, always the same."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(evaluated, DIMENSIONS, generator=generator, dtype=torch.float64)
    noise = NOISE * torch.randn(evaluated, 1, generator=generator, dtype=torch.float64)
    values = (5 * points).sin().sum(-1, keepdim=True) + noise
    model = SingleTaskGP(points, values)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model, points, values


def asked(acquisition, batch):
    """Returns a function that computes the values of a batch and their gradients."""

    def ask():
        (gradient,) = torch.autograd.grad(acquisition(batch).sum(), batch)
        return gradient

    return ask


def main():
    parser = Parser(__doc__, repeats=30)
    parser.add_argument("--evaluated", type=int, default=200)
    parser.add_argument("--batch", type=int, default=512)
    options = parser.options()
    model, points, values = fitted(options.evaluated)
    generator = torch.Generator().manual_seed(1)
    batch = torch.rand(options.batch, 1, DIMENSIONS, generator=generator, dtype=torch.float64, requires_grad=True)
    base = "LogExpectedImprovement"
    functions = {
        base: asked(LogExpectedImprovement(model, best_f=values.max()), batch),
        "PosteriorMeanImprovement": asked(PosteriorMeanImprovement(model, points), batch),
        "PosteriorMeanImprovement, log=False": asked(PosteriorMeanImprovement(model, points, log=False), batch),
    }
    times = in_turn(functions, options, warm_up=WARM_UP)
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(
        f"{setting(options)}; {options.evaluated} evaluated points, {DIMENSIONS} dimensions, batch of {options.batch}"
    )
    print("| acquisition | ms with gradient, median | times LogExpectedImprovement |\n|---|---:|---:|")
    for name, each in medians.items():
        print(f"| {name} | {each:.2f} | {each / medians[base]:.2f} |")
    ratio = medians["PosteriorMeanImprovement"] / medians[base]
    print(f"\nBound: {BOUND:g} times. {'Met' if ratio <= BOUND else 'MISSED'}: {ratio:.2f}")


if __name__ == "__main__":
    main()
