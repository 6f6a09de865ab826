"""Uniform pruning: every layer loses the same share of its weights."""

from torch import nn

from trimtab.compress.allocation import Allocation
from trimtab.compress.one_shot import OneShotPruning
from trimtab.primitives.masks import count_to_prune, prunable_weights


def uniform_counts(model: nn.Module, sparsity: float) -> Allocation:
    r"""Returns the same share of each layer, rounded so that the sum is right.

    Of T weights, :math:`K = \lceil S T \rceil` have to go. Layer i with :math:`n_i` of them loses
    :math:`\lfloor K n_i / T \rfloor`, and those with the largest remainders one more, until there are K.

    Args:
        model: the network.
        sparsity: S, the share of all weights that has to go, in [0, 1).

    Raises:
        ValueError: ``sparsity`` is none, or there is nothing that could be pruned.
    """
    sizes = {name: weight.numel() for name, weight in prunable_weights(model).items()}
    there = sum(sizes.values())
    count = count_to_prune(sparsity, there)
    shares = [divmod(count * size, there) for size in sizes.values()]
    by_remainder = sorted(range(len(shares)), key=lambda layer: -shares[layer][1])
    rounded_up = set(by_remainder[: count - sum(whole for whole, _ in shares)])
    counts = tuple(whole + (layer in rounded_up) for layer, (whole, _) in enumerate(shares))
    return Allocation(tuple(sizes), tuple(sizes.values()), counts)


class UniformPruning(OneShotPruning):
    """Takes the same share of every layer, its smallest weights."""

    def counts(self, model: nn.Module, sparsity: float) -> Allocation:
        """See :func:`uniform_counts`."""
        return uniform_counts(model, sparsity)
