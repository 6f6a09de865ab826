"""Pruning in one go: the weights are taken at once, and what is left is trained further."""

import copy
from collections.abc import Callable

from torch import nn

from trimtab.compress.allocation import Allocation, prune
from trimtab.lab.transforms.candidate import FineTune
from trimtab.primitives.masks import remove_masks


def one_shot(
    model: nn.Module, sparsity: float, counts: Callable[[nn.Module, float], Allocation], finetune: FineTune
) -> nn.Module:
    """Prunes a copy of a network, trains it further, and returns it with zeros in the place of masks.

    Args:
        model: the network, which stays as it is.
        sparsity: share of the weights that has to go.
        counts: says how many each layer loses.
        finetune: trains a network.
    """
    pruned = copy.deepcopy(model)
    allocation = counts(pruned, sparsity)
    if sum(allocation.counts):
        prune(pruned, allocation)
    finetune(pruned)
    remove_masks(pruned)
    return pruned
