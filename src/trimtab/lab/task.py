"""A task: data, model and loss as separate parts, so that a method can take from a run whatever it needs.

A task is not a training loop. It says what a model is, what its outputs on a batch are, and what each sample's loss is;
:class:`trimtab.lab.session.Session` does the rest.
"""

import math
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
from trimtab.study.again import MOST_TUNING_SEEDS
from trimtab.study.checks import MANY, check_name, check_whole
from trimtab.study.errors import InputError
from trimtab.study.facts import Facts
from trimtab.study.metric import Evaluation, Metric, Split

if TYPE_CHECKING:
    from trimtab.lab.session import Session
from trimtab.lab.broadcasting import averages_over_pairs
from trimtab.primitives.training_modes import evaluating

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
        """Runs each part once on a few samples; see :func:`check_task`."""
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


def check_task(task: Task, place: str) -> None:
    """Runs each part of a task once on a few samples, before any long work starts.

    Args:
        task: the task.
        place: where it comes from (file and name), for messages.

    Raises:
        InputError: a part is missing, has the wrong type, shape or value; the message names it and what is expected.
    """
    if not isinstance(task, Task):
        raise InputError(f"{place}: expected a trimtab.Task (or a class or function that makes one), got {task!r}")
    for name in ("name", "metric", "train", "validation", "test"):
        if not hasattr(task, name):
            raise InputError(f"{place}: the task has no attribute {name!r}; set it in the class body or in __init__")
    check_name(f"{place}.name", task.name)
    if not isinstance(task.metric, Metric):
        raise InputError(f"{place}.metric: expected a trimtab.Metric, got {task.metric!r}")
    for name, most in (("batch_size", None), ("steps", None), ("seeds", MANY), ("tuning_seeds", MOST_TUNING_SEEDS)):
        check_whole(f"{place}.{name}", getattr(task, name), most=most)
    sizes = {}
    for name in ("train", "validation", "test"):
        data = getattr(task, name)
        map_style = (
            hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, str | bytes | dict)
        )
        if not map_style or len(data) == 0:
            raise InputError(f"{place}.{name}: expected a non-empty map-style torch Dataset, got {data!r}")
        sizes[name] = len(data)
    if task.batch_size > sizes["train"]:
        raise InputError(f"{place}.batch_size={task.batch_size} exceeds the {sizes['train']} training samples")
    _check_parts(task, place, min(4, task.batch_size))


def _check_selection(task: Task, model: nn.Module, batch: Batch, place: str) -> None:
    """Methods may take their gradients of a part of a batch, which therefore has to be a batch as well."""
    remedy = "the first dimension of every tensor in a batch has to be its samples"
    try:
        part = select(batch, [0, 1])
        losses = task.losses(task.outputs(model, part), part)
    except Exception as error:
        raise InputError(
            f"{place}: two samples taken out of a batch raised {type(error).__name__}: {error}; {remedy}"
        ) from error
    if losses.shape != (2,):
        raise InputError(
            f"{place}: two samples taken out of a batch have losses of shape {tuple(losses.shape)}, not (2,); {remedy}"
        )


def _check_pairs(task: Task, model: nn.Module, place: str, samples: int) -> None:
    """Samples from all over the data, for the first may have the same target."""
    rows = torch.linspace(0, samples_in(task.train) - 1, samples).round().long()
    batch = take_rows(task.train, rows, task.collate)
    outputs = task.outputs(model, batch)
    if averages_over_pairs(task.losses, outputs, batch, samples, select):
        raise InputError(
            f"{place}.losses compares every sample's output with the targets of all samples: outputs of shape "
            "(batch, 1) and targets of shape (batch,) are broadcast to (batch, batch). Give both the same shape, by "
            "outputs.squeeze(1) or targets.unsqueeze(1)"
        )


def _check_parts(task: Task, place: str, samples: int) -> None:
    def part(name: str, call: Any) -> Any:
        try:
            return call()
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{place}.{name} raised {type(error).__name__}: {error}") from error

    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = part("model", lambda: task.model(generator))
        if not isinstance(model, nn.Module):
            raise InputError(f"{place}.model returned {type(model).__name__}, expected a torch.nn.Module")
        if not any(p.requires_grad for p in model.parameters()):
            raise InputError(f"{place}.model has no parameter that requires a gradient")
        batch = part("train", lambda: take_rows(task.train, torch.arange(samples), task.collate))
        outputs = part("outputs on train", lambda: task.outputs(model, batch))
        losses = part("losses", lambda: task.losses(outputs, batch))
        if not isinstance(losses, Tensor) or losses.shape != (samples,):
            found = f"shape {tuple(losses.shape)}" if isinstance(losses, Tensor) else repr(losses)
            raise InputError(
                f"{place}.losses returned {found} for a batch of {samples}, expected one loss a sample: "
                f"shape ({samples},), as reduction='none' gives"
            )
        if not losses.requires_grad:
            raise InputError(
                f"{place}.losses do not depend on the model's parameters: was the graph cut (detach, numpy)?"
            )
        if samples > 2:
            _check_selection(task, model, batch, place)
        if samples > 1:
            part("losses", lambda: _check_pairs(task, model, place, samples))
        score = part("score", lambda: task.score(outputs, batch))
        scalar = isinstance(score, int | float) or (isinstance(score, Tensor) and score.ndim == 0)
        if not scalar:
            found = f"a tensor of shape {tuple(score.shape)}" if isinstance(score, Tensor) else repr(score)
            raise InputError(f"{place}.score returned {found}, expected one number for the batch")
        model.eval()
        for split in ("validation", "test"):
            rows = torch.arange(min(samples, len(getattr(task, split))))
            batch = part(split, lambda split=split, rows=rows: take_rows(getattr(task, split), rows, task.collate))
            part(f"outputs on {split}", lambda batch=batch: task.outputs(model, batch))
        model.train()
        evaluation = part("evaluate", lambda: task.evaluate(model))
    if not isinstance(evaluation, Evaluation):
        raise InputError(f"{place}.evaluate returned {evaluation!r}, expected a trimtab.Evaluation")
    for name in ("loss", "metric"):
        value = getattr(evaluation, name)
        if not isinstance(value, float) or not math.isfinite(value):
            raise InputError(f"{place}.evaluate: {name}={value!r} on an untrained model; a finite number is needed")
