"""Functions that claims on searches look for the maximum of, and points to begin with."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

Function: TypeAlias = Callable[[Tensor], Tensor]
"""From points of the unit cube, ``n x d``, to ``n`` values, of which large ones are good."""


def branin(_dimension: int, _seed: int) -> Function:
    """Returns Branin's function with its sign changed."""
    from botorch.test_functions.synthetic import Branin

    return _on_unit_cube(Branin(negate=True))


def hartmann(dimension: int, _seed: int) -> Function:
    """Returns Hartmann's function with its sign changed."""
    from botorch.test_functions.synthetic import Hartmann

    return _on_unit_cube(Hartmann(dim=dimension, negate=True))


def _on_unit_cube(function: Any) -> Function:
    low, high = function.bounds.double()
    return lambda points: function(low + (high - low) * points)


def polynomial(dimension: int, seed: int) -> Function:
    """Returns a sum of products of four numbers ``x - c`` each, with normal ``c``."""
    center = torch.randn(dimension, generator=_generator(seed), dtype=torch.float64)
    return lambda points: (points - center).reshape(*points.shape[:-1], 4, dimension // 4).prod(-2).sum(-1)


def network(dimension: int, seed: int) -> Function:
    """Returns a network of two hidden layers of 256 units with tanh; weights and biases are standard normal."""
    generator = _generator(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    layers = [(normal(inputs, outputs), normal(outputs)) for inputs, outputs in pairwise((dimension, 256, 256, 1))]

    def value(points: Tensor) -> Tensor:
        *hidden, (last, bias) = layers
        given = points
        for weights, biases in hidden:
            given = torch.tanh(given @ weights + biases)
        return (given @ last + bias).squeeze(-1)

    return value


def _generator(seed: int) -> torch.Generator:
    """Of functions, so that they are not made of the numbers that scramble the first points."""
    return torch.Generator().manual_seed(derived(seed, 0))


def derived(seed: int, stream: int) -> int:
    """Returns a seed of its own for each stream of random numbers."""
    return int(np.random.default_rng([seed, stream]).integers(2**31))


def quasi_random(dimension: int, count: int, seed: int) -> Tensor:
    """Returns the first scrambled Sobol' points of a seed."""
    engine: Any = torch.quasirandom.SobolEngine(dimension, scramble=True, seed=seed)  # type: ignore[no-untyped-call]  # torch has no types here
    points: Tensor = engine.draw(count, dtype=torch.float64)
    return points
