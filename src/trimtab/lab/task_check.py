"""Each part of a task run once on a few samples, so that a mistake is named before any long work starts."""

import math
import numbers
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from trimtab.lab.broadcasting import averages_over_pairs, scores_pairs
from trimtab.lab.task import Batch, Task, map_tensors, samples_in, select, take_rows
from trimtab.primitives.training_modes import evaluating
from trimtab.study.again import MOST_TUNING_SEEDS
from trimtab.study.checks import MANY, check_name, check_whole
from trimtab.study.errors import InputError
from trimtab.study.metric import Evaluation, Metric

Returned = TypeVar("Returned")

FEW = 4
"""Samples that each part is called with, if a batch has as many."""

SCORED = 12
"""Samples that :meth:`Task.score` is tried with: what it returns is a count of a few more often than not."""


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
    _check_parts(task, place)


def _check_parts(task: Task, place: str) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _part(f"{place}.model", task.model, generator)
        if not isinstance(model, nn.Module):
            raise InputError(f"{place}.model returned {type(model).__name__}, expected a torch.nn.Module")
        if not any(p.requires_grad for p in model.parameters()):
            raise InputError(f"{place}.model has no parameter that requires a gradient")
        _check_training(task, model, place)
        with evaluating(model):
            _check_evaluation(task, model, place)
        evaluation = _part(f"{place}.evaluate", task.evaluate, model)
    if not isinstance(evaluation, Evaluation):
        raise InputError(f"{place}.evaluate returned {evaluation!r}, expected a trimtab.Evaluation")
    for name in ("loss", "metric"):
        value = getattr(evaluation, name)
        if not isinstance(value, float) or not math.isfinite(value):
            raise InputError(f"{place}.evaluate: {name}={value!r} on an untrained model; a finite number is needed")


def _part(place: str, call: Callable[..., Returned], *arguments: Any) -> Returned:
    try:
        return call(*arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{place} raised {type(error).__name__}: {error}") from error


def _check_training(task: Task, model: nn.Module, place: str) -> None:
    """What a run does with training data."""
    samples = min(FEW, task.batch_size)
    batch = _part(f"{place}.train", take_rows, task.train, torch.arange(samples), task.collate)
    outputs = _part(f"{place}.outputs on train", task.outputs, model, batch)
    losses = _part(f"{place}.losses", task.losses, outputs, batch)
    _check_losses(losses, samples, f"{place}.losses")
    if not losses.requires_grad:
        raise InputError(f"{place}.losses do not depend on the model's parameters: was the graph cut (detach, numpy)?")
    if samples > 2:
        _check_selection(task, model, batch, place)
    if samples > 1:
        _part(f"{place}.losses", _check_pairs, task, model, task.train, samples, place)
    _check_score(_part(f"{place}.score", task.score, outputs, batch), f"{place}.score")


def _check_evaluation(task: Task, model: nn.Module, place: str) -> None:
    """What evaluations do, on a few samples: of the test data, that would else come at the end of final runs alone."""
    in_batches = getattr(task.evaluate, "__func__", None) is Task.evaluate
    for split in ("validation", "test"):
        data, on = getattr(task, split), f"on {split}"
        samples = min(FEW, task.batch_size, samples_in(data))
        batch = _part(f"{place}.{split}", take_rows, data, torch.arange(samples), task.collate)
        outputs = _part(f"{place}.outputs {on}", task.outputs, model, batch)
        try:
            _check_losses(_part(f"{place}.losses {on}", task.losses, outputs, batch), samples, f"{place}.losses {on}")
            if in_batches:  # an evaluate() of its own may take the score of nothing less than all of them
                _check_score(_part(f"{place}.score {on}", task.score, outputs, batch), f"{place}.score {on}")
        except InputError as error:
            if split == "test":
                raise InputError(f"{error}; final runs are scored on the test data as well") from error
            if in_batches:
                raise
            return  # its own evaluate() has other losses, and may have them on test data
    if in_batches:
        few = min(FEW, samples_in(task.validation))
        _part(f"{place}.losses", _check_pairs, task, model, task.validation, few, place)
        _part(f"{place}.score", _check_scored_pairs, task, model, place)


def _check_losses(losses: Any, samples: int, place: str) -> None:
    if not isinstance(losses, Tensor) or losses.shape != (samples,):
        found = f"shape {tuple(losses.shape)}" if isinstance(losses, Tensor) else repr(losses)
        raise InputError(
            f"{place} returned {found} for a batch of {samples}, expected one loss a sample: "
            f"shape ({samples},), as reduction='none' gives"
        )


def _check_score(score: Any, place: str) -> None:
    if not isinstance(score, numbers.Real) and not (isinstance(score, Tensor) and score.ndim == 0):
        found = f"a tensor of shape {tuple(score.shape)}" if isinstance(score, Tensor) else repr(score)
        raise InputError(f"{place} returned {found}, expected one number for the batch")


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


def _check_pairs(task: Task, model: nn.Module, data: Dataset[Any], samples: int, place: str) -> None:
    batch = _spread(task, data, samples)
    if averages_over_pairs(task.losses, task.outputs(model, batch), batch, samples, select):
        raise InputError(f"{place}.losses {_BROADCAST}")


def _check_scored_pairs(task: Task, model: nn.Module, place: str) -> None:
    samples = min(SCORED, samples_in(task.validation))
    batch = _spread(task, task.validation, samples)
    # an untrained network may well say the same of all samples, which would hide with which targets it is compared
    drawn = map_tensors(task.outputs(model, batch), lambda t: torch.randn_like(t) if t.is_floating_point() else t)
    if scores_pairs(task.score, drawn, batch, samples, select):
        raise InputError(f"{place}.score {_BROADCAST}")


def _spread(task: Task, data: Dataset[Any], samples: int) -> Batch:
    """Samples from all over the data, for the first may have the same target."""
    rows = torch.linspace(0, samples_in(data) - 1, samples).round().long()
    return take_rows(data, rows, task.collate)


_BROADCAST = (
    "compares every sample's output with the targets of all samples: outputs of shape (batch, 1) and targets of shape "
    "(batch,) are broadcast to (batch, batch). Give both the same shape, by outputs.squeeze(1) or targets.unsqueeze(1)"
)
