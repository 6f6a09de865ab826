"""Global magnitude pruning: the smallest weights of the whole network go."""

from torch import nn

from trimtab.compress.allocation import Allocation, of_smallest
from trimtab.compress.one_shot import OneShotPruning
from trimtab.primitives.masks import count_to_prune, prunable_weights


def global_counts(model: nn.Module, sparsity: float) -> Allocation:
    r"""Returns how many of the network's smallest weights each layer has.

    Of all :math:`|w|` together, the :math:`\lceil S T \rceil` smallest go; of equal ones those of earlier layers first.

    Args:
        model: the network, of T weights.
        sparsity: S, the share of them that has to go, in [0, 1).

    Raises:
        ValueError: ``sparsity`` is none, or there is nothing that could be pruned.
    """
    magnitudes = {name: weight.abs() for name, weight in prunable_weights(model).items()}
    return of_smallest(magnitudes, count_to_prune(sparsity, sum(each.numel() for each in magnitudes.values())))


class MagnitudePruning(OneShotPruning):
    """Takes the smallest weights of the whole network."""

    def counts(self, model: nn.Module, sparsity: float) -> Allocation:
        """See :func:`global_counts`."""
        return global_counts(model, sparsity)
