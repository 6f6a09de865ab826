"""Pruning a convolutional network that tells digits apart."""

import torch
from torch import nn

from trimtab.lab.tasks.digits import Digits
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.transforms.pruned import Pruned

FINETUNE_STEPS = 100
"""So few that what a transform leaves still matters: more would even out most of it."""


class LargeDigits(Digits):
    """The digits with a network that is larger than they need: 80,784 weights in three convolutions and two layers."""

    name = "large-digits"
    label_smoothing = 0.0
    steps = 600

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network, which has no normalisation."""
        return seeded(
            generator,
            lambda: nn.Sequential(
                *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
                *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
                *(nn.MaxPool2d(2), nn.Flatten()),
                *(nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10)),
            ),
        )


class PrunedDigits(Pruned):
    """Which weights does a network that reads digits need? 80,784 weights, 1,000 images to train on.

    Args:
        sparsity: share of the weights that has to be zero, more than 0 and less than 1.
    """

    name = "pruned-digits"

    def __init__(self, sparsity: float = 0.9) -> None:
        super().__init__(LargeDigits(), sparsity, finetune_steps=FINETUNE_STEPS)

    def identity(self) -> str:
        """Returns the same for every sparsity, so that all share their networks."""
        return "large-digits"
