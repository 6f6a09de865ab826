"""Models whose initial weights depend on a generator alone."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from trimtab.lab.randomness import OwnedRandomness

Module = TypeVar("Module", bound=nn.Module)

_CPU = torch.device("cpu")


def seeded(generator: torch.Generator, build: Callable[[], Module]) -> Module:
    """Builds a model whose layers draw their initial weights from ``generator``.

    torch's layers initialise themselves from the global generator and take no other. It is seeded from ``generator``
    while ``build`` runs, and then put back, so that a model can be built anywhere without a trace.

    Args:
        generator: moves on by one draw.
        build: makes the model.
    """
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    with OwnedRandomness(seed, _CPU).lent():
        return build()
