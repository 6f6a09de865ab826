"""What the adapters share: data that is taken over as it is, and losses that are checked against the host's."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
)

from trimtab.lab.kept_buffers import kept_buffers
from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.task import Batch, samples_in
from trimtab.lab.tasks.splits import stratified_split
from trimtab.study.errors import InputError

_CPU = torch.device("cpu")


def is_of(found: Any, method: str, *packages: str) -> bool:
    """Tells whether a method, if there is one, is that of these packages and not of a subclass elsewhere."""
    made = getattr(type(found), method, None)
    return made is None or made.__module__.partition(".")[0] in packages


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch, numpy and Python within the context, and puts back what was there.

    A split that somebody draws without a seed is then the same in every worker.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - what users' code draws from
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the same
    random.seed(seed)
    try:
        with OwnedRandomness(seed, _CPU).lent():
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002 - the same
        random.setstate(python_state)


def check_makes(name: str, given: object, what: str) -> None:
    """Checks that an argument makes something, for every process makes its own.

    Raises:
        InputError: it is the thing itself, or nothing that can be called.
    """
    if isinstance(given, nn.Module) or not callable(given):
        raise InputError(
            f"{name} is a {type(given).__name__}: a function that makes {what} is needed, because every process makes "
            "one of its own. Give the function itself, without calling it"
        )


@contextmanager
def rehearsal(model: nn.Module) -> Iterator[None]:
    """Makes a pass a repeatable one: generators are seeded, and the model's buffers (running statistics) are copies."""
    with seeded_globals(0), kept_buffers(model):
        yield


def samples_of(batch: Batch) -> int:
    """Returns how many samples a batch has that :func:`check_batch` has let pass."""
    return next(len(leaf) for _, leaf in _leaves(batch) if isinstance(leaf, Tensor))


def check_batch(batch: Batch, samples: int, place: str) -> None:
    """Checks that samples can be taken out of a batch: methods ask for parts of it.

    Raises:
        InputError: it holds no tensors, one whose first dimension is not the samples, or lists and objects of which
            nobody knows where the samples are.
    """
    remedy = "the first dimension of every tensor has to be the samples; have the collator make it so"
    tensors = 0
    for name, leaf in _leaves(batch):
        if isinstance(leaf, Tensor):
            tensors += 1
            if leaf.ndim == 0 or len(leaf) != samples:
                raise InputError(f"{place}{name} has shape {tuple(leaf.shape)} for {samples} samples: {remedy}")
        elif not isinstance(leaf, _OF_A_WHOLE_BATCH):
            raise InputError(
                f"{place}{name} is a {type(leaf).__name__}; a batch is made of tensors in tuples, lists and "
                f"dictionaries, and {remedy}"
            )
    if not tensors:
        raise InputError(f"{place} holds no tensor: {remedy}")


_OF_A_WHOLE_BATCH = (bool, int, float, type(None))
"""Values that are the batch's, and so every sample's."""


def _leaves(batch: Batch, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yields what a batch holds, as :func:`trimtab.lab.task.map_tensors` goes through it, each with its place."""
    if isinstance(batch, Mapping):
        for key, value in batch.items():
            yield from _leaves(value, f"{name}[{key!r}]")
    elif isinstance(batch, tuple | list):
        for index, value in enumerate(batch):
            yield from _leaves(value, f"{name}[{index}]")
    else:
        yield name, batch


def map_style(loader: DataLoader[Any], place: str) -> Dataset[Any]:
    """Returns the data set of a loader.

    Raises:
        InputError: it has no rows that can be drawn in an order of ours.
    """
    data = loader.dataset
    if isinstance(data, IterableDataset) or not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise InputError(f"{place}: {type(data).__name__} is an iterable data set; a map-style one is needed")
    return data


def check_sampler(loader: DataLoader[Any], place: str) -> None:
    """Refuses an order of the training data that is more than a shuffle: the order is the session's.

    Raises:
        InputError: the loader has a sampler that draws some samples more often, or together.
    """
    sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)  # accelerate's loaders have it in there alone
    plain = (RandomSampler, SequentialSampler, DistributedSampler)
    if not isinstance(sampler, plain) or getattr(sampler, "replacement", False):
        raise InputError(
            f"{place}: the order of {type(sampler).__name__} cannot be kept; a run shuffles the training data "
            "and takes every sample once in an epoch"
        )


def halves(data: Dataset[Any], place: str) -> tuple[Dataset[Any], Dataset[Any]]:
    """Splits a validation set into one for validation and one for the test, the same way on every machine.

    Raises:
        InputError: there are fewer than two samples.
    """
    samples = samples_in(data)
    if samples < 2:
        raise InputError(f"{place}: {samples} samples cannot be split into validation and test; give a test set")
    sizes = (samples - samples // 2, samples // 2)
    first, second = stratified_split(torch.zeros(samples, dtype=torch.int64), sizes)
    return Subset(data, first.tolist()), Subset(data, second.tolist())


def check_finite(loss: float, samples: int, host: str) -> None:
    """Checks that there is anything to train.

    Raises:
        InputError: the loss is infinite, or no number.
    """
    if not math.isfinite(loss):
        raise InputError(f"{host} is {loss} on {samples} training samples, before any training")


def check_mean(
    model: nn.Module, losses: Callable[[], Tensor], mean: Callable[[], Tensor], samples: int, *, host: str, remedy: str
) -> None:
    """Compares per-sample losses with the mean loss that the host computes itself.

    Args:
        model: what the losses are of.
        losses: computes them on a batch of training samples.
        mean: computes the host's loss on the same batch.
        samples: how many there are.
        host: what computes ``mean``, for messages.
        remedy: what to do, for messages.

    Raises:
        InputError: they cannot be computed, or their mean is another one.
    """
    with rehearsal(model):
        expected = float(mean())
    check_finite(expected, samples, host)
    try:
        with rehearsal(model):
            found = losses()
    except Exception as error:
        raise InputError(
            f"the loss of each sample could not be had: {type(error).__name__}: {error}\n{remedy}"
        ) from error
    if found.shape != (samples,):
        raise InputError(f"losses of shape {tuple(found.shape)} for {samples} samples, not ({samples},). {remedy}")
    tolerance = max(1e-5, 4 * torch.finfo(found.dtype).eps)  # for sums in another order; bfloat16 and float16 need more
    if not math.isclose(float(found.mean()), expected, rel_tol=tolerance, abs_tol=1e-7):
        raise InputError(
            f"the mean of the samples' losses is {float(found.mean()):.6g} on {samples} training samples, "
            f"but {host} is {expected:.6g}. {remedy}"
        )
