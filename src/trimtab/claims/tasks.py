"""The tasks that several claims share and that nobody else wants."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from trimtab.lab.task import Task
from trimtab.lab.tasks.digits import Digits
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.transformer import BYTES


class PlainDigits(Digits):
    """The images of :class:`~trimtab.lab.tasks.digits.Digits`, with a plain network of 9,802 parameters.

    Without normalisation and without smoothed labels, as the networks of papers on optimizers: Conv(1→8, 3) - ReLU -
    MaxPool - Conv(8→16, 3) - ReLU - Linear(256→32) - ReLU - Linear(32→10).

    Args:
        epochs: length of a run; an epoch is 20 batches of 50.
    """

    name = "plain-digits"
    label_smoothing = 0.0
    batch_size = 50

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.steps = epochs * len(self.train) // self.batch_size  # type: ignore[arg-type]  # TensorDataset has a length

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, _network)


def _network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


class RecurrentLM(PythonLM):
    """The text of :class:`~trimtab.lab.tasks.python_lm.PythonLM`, with one LSTM layer of width 64."""

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, lambda: _Recurrent(64))


class _Recurrent(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BYTES, width)
        self.recurrence = nn.LSTM(width, width, batch_first=True)
        self.logits = nn.Linear(width, BYTES)

    def forward(self, inputs: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time 256"]:
        hidden, _ = self.recurrence(self.embedding(inputs))
        return self.logits(hidden)  # type: ignore[no-any-return]  # modules return Any


def budgeted(task: Task, batch_size: int, samples: int) -> Task:
    """Sets a task's batch size, and as many steps as ``samples`` allow; returns the task."""
    task.batch_size, task.steps = batch_size, samples // batch_size
    return task
