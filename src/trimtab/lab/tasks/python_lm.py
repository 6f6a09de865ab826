"""A language model of bytes: a small causal transformer on the source of the Python standard library."""

import math
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from trimtab.lab.task import Batch, Task
from trimtab.lab.tasks.corpus import python_excerpt, regions, windows
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric

VALIDATION_WINDOWS, TEST_WINDOWS = 128, 512


class PythonLM(Task):
    """Which byte comes next? Source code of the Python standard library, in windows of 64 bytes.

    A sample is a window, and its loss the mean cross-entropy in nats over the window's 64 predictions. Of the 500,000
    bytes the first 80% are for training, the next 10% for validation and the last 10% for the test; the three have no
    module in common. Validation uses 128 windows and the test 512, evenly spread over their parts.

    The model is :class:`~trimtab.lab.tasks.transformer.ByteTransformer`, whose attention is written out so that methods
    can reach queries, keys and attention maps.

    The corpus ships with trimtab (:func:`~trimtab.lab.tasks.corpus.python_excerpt`); it is part of CPython 3.11.7,
    copyright the Python Software Foundation, under the PSF License Version 2.

    To model another text, pass its file. In a file of your own::

        def mine() -> Task:
            return PythonLM(path="shakespeare.txt")

    Args:
        path: any file; it is read as bytes and cut into 80%, 10% and 10%.

    Raises:
        InputError: there is no such file, it is too short, or the corpus that ships is damaged.
    """

    name = "python-lm"
    metric = Metric("bits per byte", "min", target=2.8)
    batch_size = 32
    steps = 400
    seeds = 5
    window = 64

    def __init__(self, path: str | Path | None = None) -> None:
        if path is None:
            text = python_excerpt()
        else:
            text = _read(Path(path), least=10 * (self.window + 1) * self.batch_size)
            self.name = f"{Path(path).stem}-lm"
        train, validation, test = regions(text)
        self.train = windows(train, self.window)
        self.validation = windows(validation, self.window, VALIDATION_WINDOWS)
        self.test = windows(test, self.window, TEST_WINDOWS)

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the transformer: two layers of width 64 with four heads."""
        return seeded(generator, lambda: ByteTransformer(self.window))

    def losses(self, outputs: Float[Tensor, "batch time 256"], batch: Batch) -> Float[Tensor, " batch"]:
        """Returns the cross-entropy of each window, in nats per byte."""
        targets: Int[Tensor, "batch time"] = batch[1]
        return functional.cross_entropy(outputs.transpose(1, 2), targets, reduction="none").mean(1)

    def score(self, outputs: Float[Tensor, "batch time 256"], batch: Batch) -> Float[Tensor, ""]:
        """Returns the cross-entropy in bits per byte."""
        return self.losses(outputs, batch).mean() / math.log(2)


def _read(path: Path, least: int) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if len(text) < least:
        raise InputError(f"{path} has {len(text)} bytes; at least {least} are needed")
    return text
