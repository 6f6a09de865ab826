"""How many weights each layer loses, and how they are taken from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trimtab.primitives.masks import prunable_weights, set_masks


@dataclass(frozen=True)
class Allocation:
    """How many weights each layer loses.

    Args:
        names: of the weights, as in ``model.named_parameters()``.
        sizes: numbers of elements.
        counts: how many of them are pruned, those that were zero before included.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def sparsity(self) -> float:
        """Share of all weights that is pruned."""
        return sum(self.counts) / sum(self.sizes)


def of_smallest(scores: Mapping[str, Tensor], count: int) -> Allocation:
    """Returns how many of the smallest scores each layer has; of equal ones those that come first are smaller.

    Args:
        scores: name of a weight to the scores of its elements.
        count: how many are taken, of all layers together.
    """
    sizes = torch.tensor([score.numel() for score in scores.values()])
    every = torch.cat([score.flatten().double().cpu() for score in scores.values()])
    taken = torch.sort(every, stable=True).indices[:count]
    layers = torch.bucketize(taken, sizes.cumsum(0), right=True)
    counts = torch.bincount(layers, minlength=len(sizes))
    return Allocation(tuple(scores), tuple(sizes.tolist()), tuple(counts.tolist()))


def prune(model: nn.Module, allocation: Allocation) -> None:
    """Masks the smallest weights of each layer, by their absolute value, in place; of equal ones the first go first.

    Masks are ``torch.nn.utils.parametrize`` modules: pruned weights stay zero while the rest is trained.

    Args:
        model: the network.
        allocation: how many each layer loses.

    Raises:
        ValueError: a weight has another parametrization, or the allocation is of another network.
    """
    weights = prunable_weights(model)
    keep = {}
    for name, size, count in zip(allocation.names, allocation.sizes, allocation.counts, strict=True):
        if name not in weights or weights[name].numel() != size:
            raise ValueError(f"allocation is of another network: here is no {name} of {size} elements")
        flat = torch.ones(size, dtype=torch.bool, device=weights[name].device)
        flat[torch.sort(weights[name].abs().flatten(), stable=True).indices[:count]] = False
        keep[name] = flat.reshape(weights[name].shape)
    set_masks(model, keep)
