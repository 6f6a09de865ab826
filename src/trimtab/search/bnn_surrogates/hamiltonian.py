"""Hamiltonian Monte Carlo: leapfrog, step sizes by dual averaging, and a chain.

Duane, Kennedy, Pendleton, Roweth, 1987; the step sizes are those of Hoffman, Gelman, 2014, arXiv:1111.4246.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior

MOST_LEAPFROGS = 200
TARGET = 0.8

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]


class State(NamedTuple):
    """Where a chain is, the log density there, and its gradient."""

    weights: Float[Tensor, "1 weights"]
    value: Float[Tensor, "1"]
    gradient: Float[Tensor, "1 weights"]

    @classmethod
    def at(cls, evaluate: Evaluate, weights: Tensor) -> Self:
        """Returns the state with these weights."""
        return cls(weights, *evaluate(weights))


def leapfrog(
    evaluate: Evaluate, state: State, momentum: Float[Tensor, "1 weights"], step_size: float, steps: int
) -> tuple[State, Float[Tensor, "1 weights"]]:
    r"""Returns where weights and momentum come to along the dynamics of :math:`-\log p(w) + \lVert p \rVert^2 / 2`.

    Each step takes one gradient; two half steps of the momentum that follow each other are taken as one.

    Args:
        evaluate: gives the log density and its gradient.
        state: where to begin.
        momentum: of the weights' shape.
        step_size: :math:`\varepsilon`.
        steps: at least one.
    """
    momentum = momentum + step_size / 2 * state.gradient
    for step in range(1, steps + 1):
        state = State.at(evaluate, state.weights + step_size * momentum)
        momentum = momentum + step_size / (1 if step < steps else 2) * state.gradient
    return state, momentum


class DualAveraging:
    r"""Step sizes under which a proposal is accepted as often as is wanted.

    .. math::
        h_i &= \Bigl(1 - \frac{1}{i + 10}\Bigr) h_{i-1} + \frac{0.8 - a_i}{i + 10}, \qquad
        \log \varepsilon_i = \log(10\,\varepsilon_0) - \frac{\sqrt{i}}{0.05} h_i \\
        \log \bar\varepsilon_i &= i^{-0.75} \log \varepsilon_i + (1 - i^{-0.75}) \log \bar\varepsilon_{i-1}

    Args:
        step_size: :math:`\varepsilon_0`, which also is the first one.
    """

    def __init__(self, step_size: float) -> None:
        self.step_size = self.averaged = step_size
        self._centre = math.log(10 * step_size)
        self._shortfall = 0.0
        self._updates = 0

    def update(self, acceptance: float) -> None:
        """Takes note of the probability with which a proposal was accepted."""
        self._updates += 1
        weight = 1 / (self._updates + 10)
        self._shortfall += weight * (TARGET - acceptance - self._shortfall)
        log_step = self._centre - math.sqrt(self._updates) / 0.05 * self._shortfall
        share = self._updates**-0.75
        self.averaged = math.exp(share * log_step + (1 - share) * math.log(self.averaged))
        self.step_size = math.exp(log_step)


class Trajectory:
    """How many leapfrog steps a proposal takes: a number of its own, or those that a path of some length needs.

    Args:
        path: length of a trajectory; halved whenever it needs more than 200 steps while step sizes are being found.
        steps: how many there are, in place of a path.
    """

    def __init__(self, path: float | None, steps: int | None) -> None:
        self.path = path
        self._steps = steps

    def adapt(self, step_size: float) -> None:
        """Halves a path that is too long for this step size."""
        if self.path is not None and self.path / step_size > MOST_LEAPFROGS:
            self.path /= 2

    def steps(self, step_size: float) -> int:
        """Returns the number of steps."""
        if self.path is None:
            return self._steps or 1
        return max(1, math.ceil(min(MOST_LEAPFROGS, self.path / step_size)))


class Chain(NamedTuple):
    """What a Markov chain gave."""

    draws: Float[Tensor, "draws weights"]
    acceptance: float
    """The share of the proposals that were accepted once the step size was found."""
    step_size: float
    steps: int
    """Leapfrog steps of each proposal that was kept."""


def run_chain(
    posterior: WeightPosterior,
    weights: Float[Tensor, "1 weights"],
    *,
    draws: int,
    burn_in: int,
    step_size: float,
    trajectory: Trajectory,
    generator: torch.Generator,
) -> Chain:
    """Runs one chain, and returns each state after its burn-in.

    Args:
        posterior: of the weights.
        weights: where to begin.
        draws: states that are kept.
        burn_in: states that are not, in which the step size is found.
        step_size: the first one, and the only one without burn-in.
        trajectory: how long a proposal goes on.
        generator: of momenta and of what is accepted, on the CPU.
    """
    averaging = DualAveraging(step_size)
    here = State.at(posterior.evaluate, weights)
    kept, accepted = [], 0
    for state in range(burn_in + draws):
        burning = state < burn_in
        step_size = averaging.step_size if burning else averaging.averaged
        if burning:
            trajectory.adapt(step_size)
        momentum = torch.randn(weights.shape, generator=generator, dtype=weights.dtype).to(weights)
        there, end = leapfrog(posterior.evaluate, here, momentum, step_size, trajectory.steps(step_size))
        gain = float(there.value - here.value - (end.square().sum() - momentum.square().sum()) / 2)
        # NaN is no gain: a trajectory that left all bounds is refused
        acceptance = 0.0 if math.isnan(gain) else math.exp(min(0.0, gain))
        accept = float(torch.rand((), generator=generator, dtype=torch.float64)) < acceptance
        if accept:
            here = there
        if burning:
            averaging.update(acceptance)
        else:
            kept.append(here.weights)
            accepted += accept
    return Chain(torch.cat(kept), accepted / draws, step_size, trajectory.steps(step_size))
