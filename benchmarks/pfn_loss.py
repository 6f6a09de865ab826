"""How well the networks that ship predict functions of their prior, beside Gaussian processes.

The number is the mean negative log density of 10 observations of each function, given 5, 10, 20 or 50 others of it. One
process is fitted to those others (BoTorch's SingleTaskGP with its priors, by the largest posterior), the other knows
the length scales and the noise that the function was drawn with, and is as good as can be.

    python benchmarks/pfn_loss.py [--functions 100] [--inputs 2 6]
"""

import argparse
import statistics
import warnings

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch.distributions import Normal

from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.prior import GaussianProcessPrior

COUNTS, HELD_OUT = (5, 10, 20, 50), 10
ACCEPTED, AT = 0.25, 20


def by_network(network, x, y, n):
    """Returns the loss of each function under the network."""
    with torch.no_grad():
        logits = network(x[:, :n], y[:, :n], x[:, -HELD_OUT:]).double()
    return -network.distribution().log_prob(logits, y[:, -HELD_OUT:]).mean(1)


def fitted(x, y, n):
    """Returns the loss of one function under a process that is fitted to it."""
    model = SingleTaskGP(x[:n], y[:n, None])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        found = model.posterior(x[-HELD_OUT:], observation_noise=True)
    return -Normal(found.mean[:, 0], found.variance[:, 0].sqrt()).log_prob(y[-HELD_OUT:]).mean()


def known(prior, x, y, scales, n):
    """Returns the loss of one function under the process that it was drawn from."""
    covariance = prior.covariance(torch.cat([x[:n], x[-HELD_OUT:]])[None], scales[None])[0]
    solved = torch.linalg.solve(covariance[:n, :n], covariance[:n, n:])
    mean, variance = solved.mT @ y[:n], (covariance[n:, n:] - covariance[n:, :n] @ solved).diagonal()
    return -Normal(mean, variance.sqrt()).log_prob(y[-HELD_OUT:]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=100)
    parser.add_argument("--inputs", type=int, nargs="+", default=[2, 6])
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of fits that end early
    print(f"{options.functions} functions; negative log density, its standard error in brackets")
    print("| inputs | observations | network | fitted process | process that knows | network above the fitted one |")
    print("|---:|---:|---:|---:|---:|---:|")
    for d in options.inputs:
        prior, network = GaussianProcessPrior(d, d_min=d), PFN.load(inputs=d)
        generator = torch.Generator().manual_seed(2024)
        x = torch.rand(options.functions, max(COUNTS) + HELD_OUT, d, generator=generator, dtype=torch.float64)
        y, scales = prior.observations(x, generator)
        for n in COUNTS:
            ours = by_network(network, x, y, n)
            theirs = torch.stack([fitted(*each, n) for each in zip(x, y, strict=True)])
            best = torch.stack([known(prior, *each, n) for each in zip(x, y, scales, strict=True)])
            figures = " | ".join(f"{mean_and_error(each)}" for each in (ours, theirs, best, ours - theirs))
            print(f"| {d} | {n} | {figures} |", flush=True)
            if n == AT:
                met = (ours - theirs).mean().item() <= ACCEPTED
                print(f"at {AT} observations of {d} inputs, within {ACCEPTED}: {'yes' if met else 'NO'}", flush=True)


def mean_and_error(losses):
    """Returns a mean with its standard error, in words."""
    return f"{losses.mean().item():.3f} ({statistics.stdev(losses.tolist()) / len(losses) ** 0.5:.3f})"


if __name__ == "__main__":
    main()
