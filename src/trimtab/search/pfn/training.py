"""Training of a prior-data fitted network, once, on functions of a prior (Müller et al., 2022, arXiv:2112.10510).

    python -m trimtab.search.pfn.training --inputs 2 --steps 7000 --out inputs2.safetensors

trains a network as those that ship, and says what its loss is on functions that it has not seen.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from trimtab.search.pfn.bar_distribution import BarDistribution
from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.prior import GaussianProcessPrior, Prior
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError

BATCH, POINTS, MOST_CONTEXT = 48, 60, 50
_WARM_UP, _CLIP = 200, 1.0


def prior_borders(
    prior: Prior, generator: torch.Generator, *, buckets: int = 100, functions: int = 2000
) -> Float[Tensor, "buckets_and_1"]:
    """Returns borders between which the observations of a prior are equally often: quantiles of draws from it.

    The outermost borders halve the mass beyond their neighbours, as the half-normal tails of the bar distribution take
    it. The paper's are the least and the largest draw: its tails are then several times as wide as the prior's, and the
    more draws the wider. What a network learns is the same with both, for its loss differs by a constant only.
    """
    y = torch.cat([prior.sample(functions // 10, POINTS, generator)[1].flatten() for _ in range(10)])
    levels = torch.linspace(0, 1, buckets + 1, dtype=y.dtype)
    levels[0], levels[-1] = 0.5 / buckets, 1 - 0.5 / buckets
    return torch.quantile(y, levels)


def train_pfn(
    prior: Prior,
    steps: int,
    seed: int,
    device: str | torch.device = "cpu",
    *,
    width: int = 64,
    heads: int = 4,
    layers: int = 4,
    buckets: int = 100,
    batch: int = BATCH,
    lr: float = 2.5e-3,
    report: Callable[[int, float], None] | None = None,
) -> PFN:
    r"""Trains a network to predict observations of a prior's functions from others of the same function.

    A step draws functions of 60 points each, and how many of the points are observed, uniformly from 1 to 50. The loss
    is the negative log density of the others under the bar distribution that the network predicts. AdamW follows its
    gradient, whose norm is clipped at 1, with a learning rate that rises over 200 steps (a tenth of all if these are
    fewer) and falls along a cosine.

    The settings are ours, for a training of minutes on a processor; the paper's are a learning rate of 1e-4 and about
    50 thousand steps of 128 functions of 60 points.

    Args:
        prior: what functions are drawn from.
        steps: how many.
        seed: of weights, borders and functions. The same seed gives the same network.
        device: where the network is trained; functions are drawn on the processor.
        width: of the network's tokens.
        heads: of its attention.
        layers: how many it has.
        buckets: of what it predicts.
        batch: functions a step.
        lr: the largest learning rate.
        report: is called with the number of each step and its loss.

    Returns:
        The network, on the processor, without gradients.

    Raises:
        InputError: a number is not a whole one >= 1, or the learning rate is not positive.
    """
    for name, value in (("steps", steps), ("buckets", buckets), ("batch", batch)):
        check_whole(name, value)
    check_whole("seed", seed, least=0)
    if not 0 < lr < math.inf:
        raise InputError(f"lr={lr}: a positive number is needed")
    generator = torch.Generator().manual_seed(seed)
    borders = prior_borders(prior, generator, buckets=buckets)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PFN(prior.d_max, width, heads, layers, borders=borders, most_context=MOST_CONTEXT)
    network.to(device)
    distribution = BarDistribution(network.borders)
    optimizer = AdamW(network.parameters(), lr=lr)
    schedule = LambdaLR(optimizer, lambda step: _share_of_rate(step, steps))
    for step in range(steps):
        x, y = (each.to(device) for each in prior.sample(batch, POINTS, generator))
        observed = int(torch.randint(1, MOST_CONTEXT + 1, (), generator=generator))
        loss = held_out_loss(network, distribution, x, y, observed)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
        if report is not None:
            report(step, loss.item())
    return network.cpu().eval().requires_grad_(requires_grad=False)


def held_out_loss(
    network: PFN,
    distribution: BarDistribution,
    x: Float[Tensor, "functions points d"],
    y: Float[Tensor, "functions points"],
    observed: int,
) -> Float[Tensor, ""]:
    """Returns the mean negative log density of the points after the observed ones, given those."""
    logits = network(x[:, :observed], y[:, :observed], x[:, observed:])
    return -distribution.log_prob(logits, y[:, observed:]).mean()


def _share_of_rate(step: int, steps: int) -> float:
    warm_up = min(_WARM_UP, math.ceil(steps / 10))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def main(arguments: Sequence[str] | None = None, out: TextIO = sys.stdout) -> None:
    """Trains a network from the command line."""
    parser = argparse.ArgumentParser(prog="python -m trimtab.search.pfn.training", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2, help="the largest number of inputs")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=BATCH, help="functions a step")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--functions", type=int, default=1000, help="not seen in training, of which the loss is said")
    parser.add_argument("--out", required=True, help="file to write, of the format safetensors")
    options = parser.parse_args(arguments)
    begin, losses = time.perf_counter(), [0.0]

    def report(step: int, loss: float) -> None:
        losses[0] += 0.01 * (loss - losses[0]) if step else loss
        if (step + 1) % 500 == 0:
            print(f"step {step + 1}: loss {losses[0]:.3f}, {time.perf_counter() - begin:.0f} s", file=out, flush=True)

    prior = GaussianProcessPrior(d_max=options.inputs)
    network = train_pfn(prior, options.steps, options.seed, options.device, batch=options.batch, report=report)
    network.save(options.out)
    for observed, loss in loss_by_context(network, prior, seed=options.seed + 1, functions=options.functions).items():
        print(f"{observed} observations: held-out loss {loss:.3f}", file=out)


def loss_by_context(
    network: PFN, prior: Prior, *, seed: int, functions: int = 1000, counts: Sequence[int] = (5, 10, 20, 30)
) -> dict[int, float]:
    """Returns the loss on functions that no training has seen, by the number of observations."""
    x, y = prior.sample(functions, POINTS, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return {n: held_out_loss(network, network.distribution(), x, y, n).item() for n in counts}


if __name__ == "__main__":
    main()
