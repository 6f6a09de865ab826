"""One loss a sample, where a Lightning module's ``training_step`` computes their mean."""

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.lab.adapters.common import check_mean, rehearsal, samples_of
from trimtab.lab.adapters.sample_losses import SampleLosses, check_sample_losses
from trimtab.lab.task import Batch, map_tensors, select
from trimtab.primitives.training_modes import evaluating
from trimtab.study.errors import InputError

GivenLosses: TypeAlias = Callable[[Any, Batch], Float[Tensor, " batch"]]
"""One loss a sample, from the module and a batch."""

_HOST = "training_step's loss"

_REMEDY = (
    "Give LightningTask(losses=...), a function (module, batch) -> one loss a sample, shape (batch,), e.g. "
    "lambda module, batch: cross_entropy(module(batch[0]), batch[1], reduction='none')"
)

_PROGRESS = ("global_step", "current_epoch")
"""What a module reads as 0 where it is attached to no Trainer."""


class ModuleLosses:
    """The losses of modules.

    Args:
        given: somebody's own function, from a module and a batch.
    """

    def __init__(self, given: GivenLosses | None) -> None:
        self._given = given
        self._vectorised = False

    def of(self, module: Any, batch: Batch) -> Float[Tensor, " batch"]:
        """Returns one loss a sample, whose mean is that of ``training_step``."""
        with detached(module):
            if self._given is not None:
                return self._given(module, batch)
            return _vectorised(module, batch) if self._vectorised else _recorded(module, batch, 1.0)

    def check(self, module: Any, batch: Batch) -> None:
        """Finds out how the losses are to be had, and compares their mean with that of ``training_step``.

        Raises:
            InputError: there is none, or it depends on what only a Trainer knows, or the samples' cannot be had.
        """
        module.train()
        try:
            _check_step(module, batch)
        except InputError:
            if self._given is None:
                raise
            return  # the step needs a Trainer, or is none, and there is nothing to compare with
        finally:
            if self._given is not None:
                _check_progress(module, lambda: self.of(module, batch), "losses")
        if self._given is None:
            self._vectorised = not _can_be_recorded(module, batch)
        # vectorised samples draw their own numbers for dropout, so that means can only be compared without it
        with evaluating(module) if self._vectorised else nullcontext():
            check_mean(
                module,
                lambda: self.of(module, batch),
                lambda: _mean(module, batch),
                samples_of(batch),
                host=_HOST,
                remedy=_REMEDY,
            )
        if self._vectorised:
            self._check_vectorised(module, batch)

    def _check_vectorised(self, module: Any, batch: Batch) -> None:
        try:
            self.of(module, batch)
            if samples_of(batch) > 1:  # fails if something of the first samples was kept, as metrics with a state do
                self.of(module, select(batch, slice(1, None)))
        except Exception as error:
            raise InputError(
                f"the loss of each sample could not be had: {type(error).__name__}: {error}\n{_REMEDY}"
            ) from error


def _can_be_recorded(module: Any, batch: Batch) -> bool:
    def run(batch: Batch, scale: float) -> Tensor:
        with detached(module):
            return _recorded(module, batch, scale)

    try:
        check_sample_losses(run, module, batch, samples_of(batch), host=_HOST, remedy=_REMEDY)
    except Exception:  # reading a number out of the loss, for example
        return False
    return True


def _recorded(module: Any, batch: Batch, scale: float) -> Tensor:
    with SampleLosses(samples_of(batch), scale):
        return _loss(module, batch)


def _vectorised(module: Any, batch: Batch) -> Tensor:
    def one(sample: Batch) -> Tensor:
        return _loss(module, map_tensors(sample, lambda tensor: tensor.unsqueeze(0))).reshape(())

    return torch.vmap(one, randomness="different")(batch)


def _mean(module: Any, batch: Batch, index: int = 0) -> Tensor:
    with detached(module):
        return _loss(module, batch, index).reshape(())


def _loss(module: Any, batch: Batch, index: int = 0) -> Tensor:
    found = module.training_step(batch, index) if _takes_index(module) else module.training_step(batch)
    loss = found.get("loss") if isinstance(found, Mapping) else found
    if not isinstance(loss, Tensor):
        raise InputError(f"training_step returned {found!r}, expected a loss. {_REMEDY}")
    return loss


def _takes_index(module: Any) -> bool:
    parameters = inspect.signature(module.training_step).parameters.values()
    return len(parameters) > 1 or any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)


def _check_step(module: Any, batch: Batch) -> None:
    """Checks that there is a loss, and that it depends on the weights and the batch alone.

    Raises:
        InputError: it does not, or cannot be had without a Trainer.
    """
    try:
        _check_progress(module, lambda: _mean(module, batch), "training_step")
        means = []
        for index in (0, 1):
            with evaluating(module), rehearsal(module):
                means.append(float(_mean(module, batch, index)))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"training_step raised {type(error).__name__}: {error}\n{_REMEDY}") from error
    if means[0] != means[1]:
        raise InputError(
            f"training_step's loss depends on batch_idx: {means[0]:.6g} with 0, {means[1]:.6g} with 1 on the same "
            f"batch, and there is none in a comparison. {_REMEDY}"
        )


def _check_progress(module: Any, run: Callable[[], Any], place: str) -> None:
    """Checks that the length of training so far, which is 0 without a Trainer, is not asked for.

    Raises:
        InputError: it is.
    """
    kind, asked = type(module), []

    def watched(name: str) -> Any:
        return property(lambda _: asked.append(name) or 0)  # type: ignore[func-returns-value]  # it notes, and is 0

    module.__class__ = type(kind.__name__, (kind,), {name: watched(name) for name in _PROGRESS})
    try:
        with rehearsal(module):
            run()
    finally:
        module.__class__ = kind
    if asked:
        raise InputError(
            f"{place} reads self.{asked[0]}, which stays 0 in a comparison. Count in the module: "
            "self.register_buffer('taken', torch.zeros(())) in __init__, self.taken += 1 in training_step; or "
            f"compare without it. {_REMEDY}"
        )


@contextmanager
def detached(module: Any) -> Iterator[None]:
    """Silences ``self.log``, which does nothing but warn in a module that is attached to no Trainer.

    Metrics of torchmetrics, which Lightning would ask and reset at the end of an epoch, keep nothing.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"You are trying to `self\.log\(\)`")
        warnings.filterwarnings(
            "ignore", message="There is a performance drop"
        )  # of torch.vmap's: it is right, but slow
        yield
    metrics: Any = sys.modules.get("torchmetrics")
    for part in module.modules() if metrics is not None else ():
        if isinstance(part, metrics.Metric) and part.update_called:
            part.reset()
