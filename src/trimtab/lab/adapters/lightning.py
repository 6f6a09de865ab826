"""A task from a Lightning module."""

import importlib
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader

from trimtab.lab.adapters.common import check_mean, check_sampler, halves, map_style, seeded_globals
from trimtab.lab.errors import InputError
from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.task import Batch, Evaluation, Metric, Split, Task, map_tensors, samples_in, select, take_rows

Data: TypeAlias = Any
"""A ``LightningDataModule``, or ``DataLoader``s for training, validation and, if there is one, the test."""

SampleLosses: TypeAlias = Callable[[Any, Batch], Float[Tensor, " batch"]]
"""One loss a sample, from the module and a batch."""

_REMEDY = (
    "Give LightningTask(losses=...), a function (module, batch) -> one loss a sample, shape (batch,), e.g. "
    "lambda module, batch: cross_entropy(module(batch[0]), batch[1], reduction='none')"
)

_HOOKS = (
    "backward",
    "optimizer_step",
    "configure_gradient_clipping",
    "on_before_batch_transfer",
    "on_after_batch_transfer",
)
"""What changes batches or gradients, and would not be called."""


@dataclass(frozen=True)
class _Outputs:
    module: Any
    losses: Tensor


class LightningTask(Task):
    """The data, model, loss and metric of a ``LightningModule``.

    Taken over: the module, made afresh from each seed; data sets, ``collate_fn`` and batch sizes of the loaders; the
    loss of ``training_step``; what ``validation_step`` logs, on validation and test data alike, as ``Trainer.validate``
    gives it. Both of Lightning's packages will do, ``lightning`` and ``pytorch_lightning``.

    Left out, because a comparison has its own: ``configure_optimizers`` with its schedules (a run's learning rate is
    constant), and everything of the ``Trainer``: its length, accumulation, clipping, precision and callbacks. In
    training nothing is called but ``training_step``; a module with hooks that change batches or gradients is refused.

    ``training_step`` returns the mean over a batch, a task needs the loss of each sample. By default the step is
    vectorised over batches of one sample (``torch.vmap``), without being attached to a Trainer. That is not possible
    with batch normalisation, or where it updates a metric's state or reads numbers out of tensors; it then takes
    ``losses``, which is faster as well. Either way the mean is compared with ``training_step`` on the first batch.

    Args:
        make_module: makes the module: its class, or a function.
        make_data: makes the data module, or a tuple of two or three ``DataLoader``s for training, validation and test.
            It is called once in every process, with the global generators of torch, numpy and Python seeded, so that a
            split that it draws is always the same. Without test data, a fixed half of the validation data is set aside.
        metric: what ``validation_step`` logs, by its name there, e.g. ``Metric("val_acc", "max")``.
        steps: length of a run.
        loss: the name under which ``validation_step`` logs the loss.
        losses: one loss a sample, shape ``(batch,)``, from the module and a batch.
        name: how reports call the task; the module's class by default.

    Raises:
        InputError: something of the module or its data cannot be taken over; the message says what, and what to do.
    """

    def __init__(
        self,
        make_module: Callable[[], Any],
        make_data: Callable[[], Data],
        *,
        metric: Metric,
        steps: int,
        loss: str = "val_loss",
        losses: SampleLosses | None = None,
        name: str | None = None,
    ) -> None:
        if find_spec("lightning") is None and find_spec("pytorch_lightning") is None:
            raise InputError("LightningTask needs Lightning: pip install 'trimtab[lightning]'")
        self._make_module = make_module
        self._losses = losses
        self._loss_name = loss
        self.metric = metric
        self.steps = steps
        with seeded_globals(0):
            module = self._built()
            self.name = type(module).__name__ if name is None else name
            self._package = _package(module)
            _check_hooks(module, type(module).__name__, self._package.LightningModule)
            self._take_data(_loaders(make_data()))
            self._check_losses(module)
            self._check_logged(module)

    def _take_data(self, loaders: Sequence[DataLoader[Any]]) -> None:
        training, validation, *rest = loaders
        for loader, place in zip(loaders, ("training", "validation", "test"), strict=False):
            if not isinstance(loader, DataLoader):
                raise InputError(f"{place} data: one DataLoader is needed, got {loader!r}")
            if loader.batch_size is None:
                raise InputError(f"{place} data: the DataLoader has a batch sampler, of which no batch size is known")
        self.train = map_style(training, "training data")
        check_sampler(training, "training data")
        self.validation = map_style(validation, "validation data")
        if rest:
            self.test = map_style(rest[0], "test data")
        else:
            self.validation, self.test = halves(self.validation, "validation data")
        self.batch_size = int(training.batch_size or 1)
        self._evaluation_batch_size = validation.batch_size
        self._evaluation_collate = validation.collate_fn
        if training.collate_fn is not torch.utils.data.default_collate:
            self.collate = training.collate_fn

    def _built(self) -> Any:
        module = self._make_module()
        if not any(kind.__name__ == "LightningModule" for kind in type(module).__mro__):
            raise InputError(f"make_module returned a {type(module).__name__}, expected a LightningModule")
        module.configure_model()
        module.setup("fit")
        return module

    @torch.no_grad()
    def _check_losses(self, module: Any) -> None:
        samples = min(self.batch_size, samples_in(self.train))
        batch = take_rows(self.train, torch.arange(samples), self.collate)
        # vectorised samples draw their own numbers for dropout, so that means can only be compared without it
        module.train(self._losses is not None)
        try:
            self._mean_loss(module, batch)
        except InputError:
            raise
        except Exception as error:
            if self._losses is not None:
                return  # it needs a Trainer, and there is nothing to compare with
            raise InputError(f"training_step raised {type(error).__name__}: {error}\n{_REMEDY}") from error
        check_mean(
            lambda: self._sample_losses(module, batch),
            lambda: self._mean_loss(module, batch),
            samples,
            "that of training_step",
            _REMEDY,
        )
        module.train()
        try:
            self._sample_losses(module, batch)
            if samples > 1:  # fails if something of the first samples was kept, as metrics with a state do
                self._sample_losses(module, select(batch, slice(1, None)))
        except Exception as error:
            raise InputError(
                f"the loss of each sample could not be had: {type(error).__name__}: {error}\n{_REMEDY}"
            ) from error

    def _check_logged(self, module: Any) -> None:
        rows = torch.arange(min(2, samples_in(self.validation)))
        logged = self._validated(module, [take_rows(self.validation, rows, self._evaluation_collate)])
        for name, argument in ((self._loss_name, "loss"), (self.metric.name, "metric")):
            if name not in logged:
                raise InputError(
                    f"{argument}={name!r} is not what validation_step logs, which is {', '.join(logged) or 'nothing'}"
                )

    def model(self, generator: torch.Generator) -> nn.Module:
        """Makes the module."""
        with seeded_globals(int(torch.randint(2**63 - 1, (), generator=generator))):
            module: nn.Module = self._built()
        return module.train()

    def outputs(self, model: nn.Module, batch: Batch) -> Any:
        """Returns what :meth:`losses` and :meth:`score` need; a module's outputs are known to itself alone."""
        return _Outputs(model, self._sample_losses(model, batch))

    def losses(self, outputs: Any, batch: Batch) -> Float[Tensor, " batch"]:  # noqa: ARG002  # the task's signature
        """Returns one loss a sample, whose mean is that of ``training_step``."""
        found: Tensor = outputs.losses
        return found

    def score(self, outputs: Any, batch: Batch) -> float | Float[Tensor, ""]:
        """Returns what ``validation_step`` logs for one batch."""
        return self._validated(outputs.module, [batch])[self.metric.name]

    def evaluate(self, model: nn.Module, split: Split = "validation") -> Evaluation:
        """Runs Lightning's ``Trainer.validate`` on a whole split."""
        loader = DataLoader(
            getattr(self, split), batch_size=self._evaluation_batch_size, collate_fn=self._evaluation_collate
        )
        device = next(model.parameters()).device
        with OwnedRandomness(0, device).lent():
            logged = self._validated(model, loader)
        return Evaluation(logged[self._loss_name], logged[self.metric.name])

    def _sample_losses(self, module: Any, batch: Batch) -> Tensor:
        def one(sample: Batch) -> Tensor:
            return self._mean_loss(module, map_tensors(sample, lambda tensor: tensor.unsqueeze(0)))

        with _detached():
            if self._losses is not None:
                return self._losses(module, batch)
            return torch.vmap(one, randomness="different")(batch)

    def _mean_loss(self, module: Any, batch: Batch) -> Tensor:
        with _detached():
            found = module.training_step(batch, 0) if _takes_index(module) else module.training_step(batch)
        loss = found["loss"] if isinstance(found, dict) else found
        if not isinstance(loss, Tensor):
            raise InputError(f"training_step returned {found!r}, expected a loss")
        return loss.reshape(())

    def _validated(self, module: Any, batches: Any) -> dict[str, float]:
        """Returns what ``validation_step`` logs over some batches."""
        loader = batches if isinstance(batches, DataLoader) else DataLoader(batches, batch_size=None, collate_fn=_same)
        device = next(module.parameters()).device
        modes = [part.training for part in module.modules()]
        with _quiet():
            trainer = self._package.Trainer(
                accelerator=device.type,
                devices=1 if device.index is None else [device.index],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                inference_mode=False,  # tensors that a module keeps from it could not be trained on
            )
            trainer.validate(module, loader, verbose=False)
        module.trainer = None
        module.to(device)  # Lightning leaves it on the CPU
        for part, training in zip(module.modules(), modes, strict=True):
            part.training = training
        return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _package(module: Any) -> Any:
    """Returns the package that a module is from, since the two do not know each other's classes."""
    kind = next(kind for kind in type(module).__mro__ if kind.__name__ == "LightningModule")
    root = kind.__module__.partition(".")[0]
    return importlib.import_module("pytorch_lightning" if root == "pytorch_lightning" else "lightning.pytorch")


def _loaders(data: Any) -> Sequence[DataLoader[Any]]:
    """Returns the loaders for training, validation and, if there is one, the test."""
    if isinstance(data, tuple | list):
        if len(data) not in (2, 3):
            raise InputError(f"make_data returned {len(data)} loaders; it takes two, or three with the test")
        return data
    kind = next((kind for kind in type(data).__mro__ if kind.__name__ == "LightningDataModule"), None)
    if kind is None:
        raise InputError(
            f"make_data returned a {type(data).__name__}, expected a LightningDataModule or a tuple of DataLoaders"
        )
    _check_hooks(data, type(data).__name__, kind)
    data.prepare_data()
    data.setup("fit")
    found = [data.train_dataloader(), data.val_dataloader()]
    if _overrides(data, "test_dataloader", kind):
        data.setup("test")
        found.append(data.test_dataloader())
    return [loader[0] if isinstance(loader, list | tuple) and len(loader) == 1 else loader for loader in found]


def _check_hooks(found: Any, name: str, kind: type) -> None:
    if not getattr(found, "automatic_optimization", True):
        raise InputError(f"{name} optimises by itself (automatic_optimization=False), which cannot be compared")
    for hook in _HOOKS:
        if hasattr(kind, hook) and _overrides(found, hook, kind):
            raise InputError(
                f"{name}.{hook} is not called in a comparison and changes what is learned; move what it does to "
                "training_step or to the data set"
            )


def _overrides(found: Any, name: str, kind: type) -> bool:
    return getattr(type(found), name) is not getattr(kind, name)


def _takes_index(module: Any) -> bool:
    return len(inspect.signature(module.training_step).parameters) > 1


def _same(batch: Batch) -> Batch:
    return batch


@contextmanager
def _detached() -> Iterator[None]:
    """Silences ``self.log``, which does nothing but warn in a module that is attached to no Trainer."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"You are trying to `self\.log\(\)`")
        warnings.filterwarnings(
            "ignore", message="There is a performance drop"
        )  # of torch.vmap's: it is right, but slow
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what Lightning says of the machine whenever a Trainer is made."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "pytorch_lightning", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers")
            warnings.filterwarnings("ignore", message=".*GPU available but not used")
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # of torch's to Lightning
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
