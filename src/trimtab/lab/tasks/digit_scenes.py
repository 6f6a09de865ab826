"""Scenes of digits: a dense prediction with a backbone, a neck and a shared head, as detectors have."""

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from trimtab.lab.task import Batch, Task
from trimtab.lab.tasks.digits import digit_images
from trimtab.lab.tasks.seeding import seeded
from trimtab.study.metric import Metric

CELLS, SIDE = 3, 8
BACKGROUND, CLASSES = 10, 11
OCCUPIED, NOISE = 0.4, 0.1
SCENES = {"train": 4096, "validation": 512, "test": 512}
DIGITS = {"train": (0, 1200), "validation": (1200, 1500), "test": (1500, 1797)}
"""Which of scikit-learn's images the scenes of a split are made of; no split sees another's."""


class DigitScenes(Task):
    """Which digit stands in each cell of a scene, or none? 5,120 scenes of 3x3 cells, made of scikit-learn's digits.

    A scene has 24x24 pixels; each cell holds one of scikit-learn's digits with probability 0.4, and noise
    is added. The scenes are drawn once, from a fixed seed: 4,096 to learn from, 512 each for validation and test, made
    of different images. A sample's loss is the mean of the cross-entropies of its nine cells; "nothing" everywhere is
    right in 60 % of them.

    The network has three named parts, as detectors have: two convolutions with pooling (``backbone``), one convolution
    (``neck``), and two that all cells share (``head``).
    """

    name = "digit-scenes"
    metric = Metric("cell accuracy", "max", target=0.9)
    batch_size = 64
    steps = 320
    seeds = 5

    def __init__(self) -> None:
        self.train, self.validation, self.test = (TensorDataset(*_scenes(split)) for split in SCENES)

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, _network)

    def losses(self, outputs: Float[Tensor, "batch 11 3 3"], batch: Batch) -> Float[Tensor, " batch"]:
        """Returns the mean cross-entropy over the cells of each scene."""
        return functional.cross_entropy(outputs, batch[1], reduction="none").mean((1, 2))

    def score(self, outputs: Float[Tensor, "batch 11 3 3"], batch: Batch) -> Float[Tensor, ""]:
        """Returns the share of cells that are right."""
        return torch.eq(outputs.argmax(1), batch[1]).to(torch.float32).mean()


def _network() -> nn.Module:
    model = nn.Sequential()
    model.add_module("backbone", nn.Sequential(*_block(1, 8), nn.MaxPool2d(2), *_block(8, 16), nn.MaxPool2d(2)))
    model.add_module("neck", nn.Sequential(*_block(16, 16)))
    model.add_module("head", nn.Sequential(*_block(16, 32), nn.Conv2d(32, CLASSES, 2, stride=2)))
    return model


def _block(channels: int, width: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()


@cache
def _scenes(split: str) -> tuple[Float[Tensor, "scenes 1 24 24"], Int[Tensor, "scenes 3 3"]]:
    images, digits = digit_images()
    first, last = DIGITS[split]
    count = SCENES[split]
    generator = torch.Generator().manual_seed(first)
    cells = (count, CELLS, CELLS)
    chosen = torch.randint(first, last, cells, generator=generator)
    occupied = torch.rand(cells, generator=generator) < OCCUPIED
    placed = images[chosen, 0] * occupied[..., None, None]
    canvas = placed.permute(0, 1, 3, 2, 4).reshape(count, 1, CELLS * SIDE, CELLS * SIDE)
    noise = torch.randn(canvas.shape, generator=generator)
    return canvas + NOISE * noise, torch.where(occupied, digits[chosen], BACKGROUND)
