"""LAMP: layer-adaptive magnitude-based pruning (Lee, Park, Mo, Ahn, Shin 2021, arXiv 2010.07611)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trimtab.compress.allocation import Allocation, of_smallest
from trimtab.compress.one_shot import OneShotPruning
from trimtab.primitives.masks import count_to_prune, prunable_weights


def lamp_scores(weight: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    r"""Returns the score of each weight of a layer, in double precision and of the layer's shape.

    With the weights sorted by magnitude, :math:`|w_1| \le |w_2| \le \dots`,

    .. math:: \mathrm{score}(u) = \frac{w_u^2}{\sum_{v \ge u} w_v^2}

    is the share that a weight has of what is left of the layer once all smaller ones are gone. The largest weight of
    each layer has a score of 1, so that no layer is emptied while another one has something to give. A weight of zero
    has a score of 0.

    Args:
        weight: of one layer.
    """
    squares, order = torch.sort(weight.detach().double().square().flatten(), stable=True)
    left = squares.flip(0).cumsum(0).flip(0)
    scores = torch.where(squares > 0, squares / left, torch.zeros_like(squares))
    return torch.empty_like(scores).scatter_(0, order, scores).reshape(weight.shape)


def lamp_counts(model: nn.Module, sparsity: float) -> Allocation:
    r"""Returns how many of the network's smallest scores each layer has.

    Of all scores together, the :math:`\lceil S T \rceil` smallest go. Within a layer the scores are in the order of the
    magnitudes, so that the same weights go.

    Args:
        model: the network, of T weights.
        sparsity: S, the share of them that has to go, in [0, 1).

    Raises:
        ValueError: ``sparsity`` is none, or there is nothing that could be pruned.
    """
    scores = {name: lamp_scores(weight) for name, weight in prunable_weights(model).items()}
    return of_smallest(scores, count_to_prune(sparsity, sum(each.numel() for each in scores.values())))


class LampPruning(OneShotPruning):
    """Takes the weights with the smallest LAMP scores of the whole network."""

    def counts(self, model: nn.Module, sparsity: float) -> Allocation:
        """See :func:`lamp_counts`."""
        return lamp_counts(model, sparsity)
