"""Handwritten digits of 8x8 pixels: a convolutional network that trains in a second."""

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from trimtab.lab.tasks.classification import Classification
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.splits import stratified_split, subsets
from trimtab.study.metric import Metric


class Digits(Classification):
    """Which digit is it? 1,797 images of 8x8 pixels that come with scikit-learn.

    A fixed, stratified split gives 1,000 images to training, 400 to validation and 397 to the test.

    The network is kept small (1,946 parameters) and the labels are smoothed, because the data set is easy: a wider
    network drives the training loss to zero within 300 steps, and what is then left of the validation loss is mostly
    luck. This way AdamW's best learning rate is near 1e-2 and a third of it costs 0.02, while the differences of two
    methods scatter by 0.01 from seed to seed. The smoothed loss cannot fall below 0.500.

    Group normalisation is used because it keeps no statistics of batches, which methods that evaluate parts of a batch
    would disturb. Its gains and shifts are parameters for which weight decay matters.

    The data are the test part of Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
    Repository, 1998, doi:10.24432/C50P49.
    """

    name = "digits"
    metric = Metric("accuracy", "max", target=0.97)
    label_smoothing = 0.1
    batch_size = 64
    steps = 300
    seeds = 10
    tuning_seeds = 3

    def __init__(self) -> None:
        images, digits = digit_images()
        parts = stratified_split(digits, (1000, 400, 397))
        self.train, self.validation, self.test = subsets((images, digits), parts)

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds two convolutions, each with group normalisation and pooling, and a linear layer."""
        return seeded(generator, lambda: nn.Sequential(*_block(1, 8), *_block(8, 16), nn.Flatten(), nn.Linear(64, 10)))


def _block(channels: int, width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(4, width), nn.ReLU(), nn.MaxPool2d(2)


@cache
def digit_images() -> tuple[Float[Tensor, "samples 1 8 8"], Int[Tensor, " samples"]]:
    """Returns all 1,797 images, with values in [0, 1], and which digits they show."""
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    return images, torch.tensor(digits, dtype=torch.int64)
