"""Pruning in one go: the weights are taken at once, and what is left is trained further."""

import copy
from abc import ABC, abstractmethod

import torch
from torch import nn

from trimtab.compress.allocation import Allocation, prune
from trimtab.lab.transforms.candidate import Calibration, FineTune
from trimtab.primitives.masks import remove_masks


class OneShotPruning(ABC):
    """Takes from each layer as many of its smallest weights as a rule says, and trains the rest."""

    @abstractmethod
    def counts(self, model: nn.Module, sparsity: float) -> Allocation:
        """Returns how many weights each layer loses, of a share of all that has to go."""

    def __call__(
        self,
        model: nn.Module,
        _calibration: Calibration,
        target: float,
        /,
        *,
        finetune: FineTune,
        generator: torch.Generator,  # noqa: ARG002  # every transform is given one; here nothing is random
    ) -> nn.Module:
        """Prunes a copy of a network and trains what is left.

        Args:
            model: the network, which stays as it is.
            calibration: not used: the weights alone decide.
            target: share of the weights that has to go, in [0, 1).
            finetune: called once with the pruned network, to train it further.
            generator: not used.

        Returns:
            The pruned network, with zeros for what is gone.

        Raises:
            ValueError: ``target`` is no such share, or there is nothing that could be pruned.
        """
        pruned = copy.deepcopy(model)
        allocation = self.counts(pruned, target)
        if sum(allocation.counts):
            prune(pruned, allocation)
        finetune(pruned)
        remove_masks(pruned)
        return pruned
