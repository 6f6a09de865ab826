"""A task: data, model and loss as separate parts, so that a method can take from a run whatever it needs.

A task is not a training loop. It says what a model is, what its outputs on a batch are, and what each sample's loss is;
:class:`trimtab.lab.session.Session` does the rest.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset, TensorDataset, default_collate

from trimtab.lab.problem import Filling, SteppedProblem, Workplace
from trimtab.lab.training_facts import training_facts
from trimtab.primitives.training_modes import evaluating
from trimtab.study.checks import check_whole
from trimtab.study.facts import Facts
from trimtab.study.metric import Evaluation, Split

if TYPE_CHECKING:
    from trimtab.lab.session import Session

Batch: TypeAlias = Any
"""Whatever the data set's rows collate to: most often a tuple ``(inputs, targets)`` of tensors."""


class Task(SteppedProblem):
    """What is to be learned, in parts.

    A subclass sets the attributes below (in its class body or in ``__init__``) and writes :meth:`model`, :meth:`losses`
    and :meth:`score`.

    Attributes:
        name: how reports call the task.
        metric: what is quoted beside the loss.
        train: a map-style ``torch.utils.data.Dataset``, what a method learns from.
        validation: what settings are chosen by, and what methods are ranked by.
        test: touched once a run, at the end of the final runs.
        batch_size: samples a step.
        steps: length of a run in optimizer steps; with ``batch_size`` it makes the budget in sample-gradients.
        seeds: fresh seeds for the final comparison; ten where a run is cheap.
        tuning_seeds: seeds with which the best settings are tried in tuning; three where a run is cheap.
        collate: makes a batch of a list of rows, as the ``collate_fn`` of a ``DataLoader`` does; a method, or a
            function that is set in ``__init__``. The first dimension of every tensor in a batch is the samples.
    """

    slot = "optimizer"

    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]
    batch_size: int = 64
    steps: int = 300
    collate: Callable[[list[Any]], Batch] = staticmethod(default_collate)

    @abstractmethod
    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds a freshly initialised model.

        Args:
            generator: the source of all randomness. torch's own generator is seeded from it as well while this method
                runs, so that layers which initialise themselves are reproducible too.
        """

    def outputs(self, model: nn.Module, batch: Batch) -> Any:
        """Returns the model's outputs on a batch: ``model(batch[0])`` unless overridden."""
        return model(batch[0])

    @abstractmethod
    def losses(self, outputs: Any, batch: Batch) -> Float[Tensor, " batch"]:
        """Returns one loss a sample; a run minimises their mean."""

    @abstractmethod
    def score(self, outputs: Any, batch: Batch) -> float | Float[Tensor, ""]:
        """Returns the metric on one batch; :meth:`evaluate` averages it, each batch weighted by its samples.

        Override :meth:`evaluate` for a metric that is not a mean over samples.
        """

    def evaluate(self, model: nn.Module, split: Split = "validation") -> Evaluation:
        """Scores a model on a whole split, in evaluation mode and without gradients."""
        data = getattr(self, split)
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        loss = metric = 0.0
        with torch.no_grad(), evaluating(model):
            for start in range(0, len(data), EVALUATION_BATCH):
                rows = torch.arange(start, min(start + EVALUATION_BATCH, len(data)))
                batch = to_device(take_rows(data, rows, self.collate), device)
                outputs = self.outputs(model, batch)
                loss += float(self.losses(outputs, batch).double().sum())
                metric += float(self.score(outputs, batch)) * len(rows)
        return Evaluation(loss / len(data), metric / len(data))

    def start(
        self, build: Callable[[nn.Module], Optimizer], *, seed: int, budget: int | None, place: Workplace
    ) -> "Session":
        """Begins a :class:`~trimtab.lab.session.Session`, whose optimizer ``build`` makes for the model."""
        from trimtab.lab.session import Session

        return Session(self, build, seed=seed, budget=budget, device=place.device)

    def budget(self, steps: int | None) -> int:
        """Returns the sample-gradients of so many plain steps."""
        if steps is not None:
            check_whole("steps", steps)
        return (self.steps if steps is None else steps) * self.batch_size

    def check(self, place: str) -> None:
        """Runs each part once on a few samples; see :func:`~trimtab.lab.task_check.check_task`."""
        from trimtab.lab.task_check import check_task

        check_task(self, place)

    @property
    def test_share(self) -> float:
        """Test samples over validation samples."""
        return samples_in(self.test) / samples_in(self.validation)

    def facts(self, reference: str, _candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        generator = torch.Generator().manual_seed(0)
        with torch.random.fork_rng(devices=[]):
            parameters = sum(p.numel() for p in self.model(generator).parameters() if p.requires_grad)
        sizes = {split: samples_in(getattr(self, split)) for split in get_args(Split)}
        return training_facts(
            self.name,
            reference,
            self.metric,
            samples=sizes,
            parameters=parameters,
            batch_size=self.batch_size,
            budget=self.budget(None) if budget is None else budget,
        )


EVALUATION_BATCH = 512


def take_rows(
    data: Dataset[Any], rows: Int[Tensor, " batch"], collate: Callable[[list[Any]], Batch] = default_collate
) -> Batch:
    """Collates some rows of a data set; where nothing but tensors is stacked, they are indexed at once."""
    if (
        isinstance(data, TensorDataset)
        and type(data).__getitem__ is TensorDataset.__getitem__  # a subclass may do something with each row
        and collate is default_collate
    ):
        return tuple(tensor[rows] for tensor in data.tensors)
    return collate([data[int(row)] for row in rows])


def samples_in(data: Dataset[Any]) -> int:
    """Returns how many samples a map-style data set has."""
    return len(data)  # type: ignore[arg-type]  # torch's Dataset has no __len__, because iterable ones have none


def select(batch: Batch, rows: Int[Tensor, " rows"] | slice | Sequence[int]) -> Batch:
    """Takes some samples out of a batch, by the first dimension of its tensors."""
    return map_tensors(batch, lambda tensor: tensor[rows])


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Moves the tensors of a batch."""
    return batch if device.type == "cpu" else map_tensors(batch, lambda tensor: tensor.to(device))


def map_tensors(batch: Batch, function: Callable[[Tensor], Tensor]) -> Batch:
    """Applies a function to every tensor in tuples, lists and mappings; a mapping becomes a ``dict``."""
    if isinstance(batch, Tensor):
        return function(batch)
    if isinstance(batch, Mapping):
        return {key: map_tensors(value, function) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        values = [map_tensors(value, function) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else type(batch)(values)  # a named tuple, or not
    return batch
