"""Functions on finite sets of points, blocks of which are searched by each policy, from the same points."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.gaussian_process.kernels import RBF, Matern
from torch import Tensor
from torch.quasirandom import SobolEngine

from trimtab.claims.bo.policies import Belief, Policy

INITIAL, EVALUATIONS = 4, 40

LENGTH = 0.1
BRANIN_LENGTHS = (0.47, 1.28)
HARTMANN_LENGTHS = (1.5, 0.64, 0.37)
"""Of the unit cube, where the likelihood of 256 values without noise is largest; the kernel has unit variance."""

POINTS = 256


@dataclass(frozen=True)
class Block:
    """Functions, and all that is drawn for their search.

    Args:
        prior: covariances of the values at each function's points.
        values: at these points.
        first: the points that are evaluated first.
        noise: of each evaluation, of unit variance.
    """

    prior: Float[Tensor, "b m m"]
    values: Float[Tensor, "b m"]
    first: Int[Tensor, "b initial"]
    noise: Float[Tensor, "b evaluations"]


Values = tuple[Float[np.ndarray, "b m m"], Float[np.ndarray, "b m"]]


def drawn(count: int, generator: np.random.Generator) -> Values:
    """Draws functions of the Gaussian process that is their prior, on 101 points of an interval."""
    prior = RBF(LENGTH)(np.linspace(0, 1, 101)[:, None])
    root = np.linalg.cholesky(prior + 1e-10 * np.eye(101))
    return np.broadcast_to(prior, (count, 101, 101)), generator.standard_normal((count, 101)) @ root.T


def branin(count: int, generator: np.random.Generator) -> Values:
    """Branin's function, to be maximised, standardised on each set of quasi-random points."""
    from botorch.test_functions.synthetic import Branin

    return _on_sets(Branin(negate=True), BRANIN_LENGTHS, count, generator)


def hartmann(count: int, generator: np.random.Generator) -> Values:
    """Hartmann's function of three numbers, to be maximised, standardised on each set of quasi-random points."""
    from botorch.test_functions.synthetic import Hartmann

    return _on_sets(Hartmann(dim=3, negate=True), HARTMANN_LENGTHS, count, generator)


OBJECTIVES: dict[str, Callable[[int, np.random.Generator], Values]] = {
    "GP draws": drawn,
    "Branin": branin,
    "Hartmann-3": hartmann,
}


def _on_sets(function: Any, lengths: tuple[float, ...], count: int, generator: np.random.Generator) -> Values:
    sets = [points_of(len(lengths), int(seed)) for seed in generator.integers(2**31, size=count)]
    kernel = Matern(lengths, nu=2.5)
    return np.stack([kernel(each) for each in sets]), np.stack([standardised(function, each) for each in sets])


def points_of(dimensions: int, seed: int) -> Float[np.ndarray, "m d"]:
    """Returns a scrambled Sobol' set in the unit cube."""
    engine: Any = SobolEngine(dimensions, scramble=True, seed=seed)  # type: ignore[no-untyped-call]  # torch has no types
    return np.asarray(engine.draw(POINTS, dtype=torch.float64))


def standardised(function: Any, points: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
    """Returns a test function's values at points of the unit cube, with mean zero and unit variance."""
    low, high = function.bounds.numpy()
    values = function(torch.from_numpy(low + points * (high - low))).numpy()
    return np.asarray((values - values.mean()) / values.std())


def block(objective: str, count: int, seed: int) -> Block:
    """Draws functions and the noise of their evaluations, which is the same for whoever evaluates them."""
    generator = np.random.default_rng([seed, list(OBJECTIVES).index(objective)])
    prior, values = OBJECTIVES[objective](count, generator)
    first = generator.random(values.shape).argsort(-1)[:, :INITIAL]
    noise = generator.standard_normal((count, EVALUATIONS))
    return Block(*(torch.tensor(each) for each in (prior, values, first, noise)))


def regrets(functions: Block, policy: Policy, noise: float, generator: np.random.Generator) -> Float[Tensor, " b"]:
    """Returns how far the value at the point that is reported at the end is below the largest one.

    Args:
        functions: to be searched.
        policy: by which points are chosen, after the first.
        noise: standard deviation of evaluations.
        generator: of what the policy draws.
    """
    belief = Belief(functions.prior, noise**2)
    for number in range(EVALUATIONS):
        first = number < INITIAL
        chosen = functions.first[:, number] if first else policy(belief, generator).argmax(-1)
        belief.tell(chosen, _at(functions.values, chosen) + noise * functions.noise[:, number])
    return functions.values.amax(-1) - _at(functions.values, belief.best())


def _at(values: Float[Tensor, "b m"], points: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    return values.gather(-1, points[:, None])[:, 0]
