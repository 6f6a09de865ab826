"""Each part of a task run once on a few samples, so that a mistake is named before any long work starts."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.lab.broadcasting import averages_over_pairs
from trimtab.lab.task import Batch, Task, samples_in, select, take_rows
from trimtab.study.again import MOST_TUNING_SEEDS
from trimtab.study.checks import MANY, check_name, check_whole
from trimtab.study.errors import InputError
from trimtab.study.metric import Evaluation, Metric


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
