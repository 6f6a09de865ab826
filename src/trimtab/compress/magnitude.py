"""Global magnitude pruning: the smallest weights of the whole network go."""

import torch
from torch import nn

from trimtab.compress.allocation import Allocation, of_smallest
from trimtab.compress.one_shot import one_shot
from trimtab.lab.transforms.candidate import Calibration, FineTune
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


def magnitude_pruning(
    model: nn.Module,
    calibration: Calibration,  # noqa: ARG001  # the weights alone decide
    target: float,
    *,
    finetune: FineTune,
    generator: torch.Generator,  # noqa: ARG001  # nothing is random
) -> nn.Module:
    """Prunes the smallest weights of the whole network, and trains what is left.

    Args:
        model: the network, which stays as it is.
        calibration: not used.
        target: share of the weights that has to go, in [0, 1).
        finetune: called once with the pruned network, to train it further.
        generator: not used.

    Returns:
        The pruned network, with zeros for what is gone.

    Raises:
        ValueError: ``target`` is no such share, or there is nothing that could be pruned.
    """
    return one_shot(model, target, global_counts, finetune)
