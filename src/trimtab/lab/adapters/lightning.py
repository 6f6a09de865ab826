"""A task from a Lightning module."""

import importlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader

from trimtab.lab.adapters.common import check_batch, check_makes, check_sampler, halves, map_style, seeded_globals
from trimtab.lab.adapters.module_checks import check_hooks, check_optimizers, overrides
from trimtab.lab.adapters.module_losses import GivenLosses, ModuleLosses
from trimtab.lab.adapters.recipes import lightning_recipe
from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.task import Batch, Task, samples_in, take_rows
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError
from trimtab.study.metric import Evaluation, Metric, Split

Data: TypeAlias = Any
"""A ``LightningDataModule``, or ``DataLoader``s for training, validation and, if there is one, the test."""


@dataclass(frozen=True)
class _Outputs:
    module: Any
    losses: Tensor


class LightningTask(Task):
    """The data, model, loss and metric of a ``LightningModule``.

    Taken over: the module, made afresh from each seed; data sets, ``collate_fn`` and batch sizes of the loaders; the
    loss of ``training_step``; what ``validation_step`` logs, on validation and test data alike, as ``Trainer.validate``
    gives it. Both of Lightning's packages will do, ``lightning`` and ``pytorch_lightning``.

    With ``trainer`` also the Trainer's ``gradient_clip_val``, ``precision="bf16-mixed"`` and ``max_steps``, and the
    schedule of ``configure_optimizers``: candidates are then compared as you train. An option of the comparison, such
    as ``--schedule``, says otherwise.

    Left out, because a comparison has its own: ``configure_optimizers``, and everything else of the ``Trainer``. In
    training nothing is called but ``training_step``; a module with hooks that take part in training is refused.

    ``training_step`` returns the mean over a batch, a task needs the loss of each sample. By default torch's loss
    functions return one number a sample while the step runs, without being attached to a Trainer. Where it reduces its
    loss by hand, it is vectorised over batches of one sample (``torch.vmap``); where that is not possible, because of
    batch normalisation or because it reads numbers out of tensors, it takes ``losses``. Either way the mean is compared
    with that of ``training_step`` on two batches.

    Args:
        make_module: makes the module: its class, or a function.
        make_data: makes the data module, or a tuple of two or three ``DataLoader``s for training, validation and test.
            It is called once in every process, with the global generators of torch, numpy and Python seeded, so that a
            split that it draws is always the same. Without test data, a fixed half of the validation data is set aside.
        metric: what ``validation_step`` logs, by its name there, e.g. ``Metric("val_acc", "max")``; needed.
        steps: length of a run; needed, unless ``trainer`` has ``max_steps``.
        loss: the name under which ``validation_step`` logs the loss.
        losses: one loss a sample, shape ``(batch,)``, from the module and a batch.
        name: how reports call the task; the module's class by default.
        trainer: makes the Trainer whose schedule, clipping and precision are taken over.

    Raises:
        InputError: something of the module or its data cannot be taken over; the message says what, and what to do.
    """

    def __init__(
        self,
        make_module: Callable[[], Any],
        make_data: Callable[[], Data],
        *,
        metric: Metric | None = None,
        steps: int | None = None,
        loss: str = "val_loss",
        losses: GivenLosses | None = None,
        name: str | None = None,
        trainer: Callable[[], Any] | None = None,
    ) -> None:
        if find_spec("lightning") is None and find_spec("pytorch_lightning") is None:
            raise InputError("LightningTask needs Lightning: pip install 'trimtab[lightning]'")
        check_makes("make_module", make_module, "the module, or its class,")
        check_makes("make_data", make_data, "the data module or the DataLoaders")
        if not isinstance(metric, Metric):
            raise InputError(
                f"metric={metric!r}: LightningTask needs one by the name under which validation_step logs it, such as "
                "metric=Metric('val_acc', 'max')"
            )
        if trainer is not None:
            check_makes("trainer", trainer, "the Trainer")
        taken = None if trainer is None else trainer()
        length: int = getattr(taken, "max_steps", -1)  # Lightning's -1 is for as long as there are epochs
        if steps is None and length > 0:
            steps = length
        if steps is None:
            raise InputError(
                "steps is missing: LightningTask needs the length of a run in optimizer steps, such as steps=2000, "
                "because the Trainer's max_epochs is not taken over"
            )
        check_whole("steps", steps)
        self._make_module = make_module
        self._losses = ModuleLosses(losses)
        self._loss_name = loss
        self.metric = metric
        self.steps = steps
        with seeded_globals(0):
            module = self._built()
            self.name = type(module).__name__ if name is None else name
            self._package = _package(module)
            check_hooks(module, self._package.LightningModule)
            check_optimizers(module, self._package.LightningModule)
            self._halved = taken is not None and _halves(taken)
            if taken is not None:
                self.recipe = lightning_recipe(taken, module, steps)
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
        try:
            module.configure_model()
            module.setup("fit")
        except Exception as error:
            raise InputError(
                f"{type(module).__name__}'s configure_model and setup('fit') are called without a Trainer, and raised "
                f"{type(error).__name__}: {error}\nHave them do without it, or compare a subclass of which they do"
            ) from error
        return module

    @torch.no_grad()
    def _check_losses(self, module: Any) -> None:
        rows = samples_in(self.train)
        samples = min(max(self.batch_size, 2), rows)  # of one alone, everything is its own
        for first in {0: None, rows - samples: None}:  # in some batches all samples have as many labels
            batch = take_rows(self.train, torch.arange(first, first + samples), self.collate)
            check_batch(batch, samples, "the training data's batch")
            self._losses.check(module, batch)

    def _check_logged(self, module: Any) -> None:
        if not overrides(module, "validation_step", self._package.LightningModule):
            raise InputError(
                f"{self.name} has no validation_step: one is needed that logs {self._loss_name!r} and the metric"
            )
        rows = torch.arange(min(2, samples_in(self.validation)))
        try:
            logged = self._validated(module, [take_rows(self.validation, rows, self._evaluation_collate)])
        except Exception as error:
            raise InputError(f"Trainer.validate raised {type(error).__name__}: {error}") from error
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
        device = next(model.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16) if self._halved else nullcontext():
            return _Outputs(model, self._losses.of(model, batch))

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
                precision="bf16-mixed" if self._halved else "32-true",
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
    check_hooks(data, kind)
    data.prepare_data()
    data.setup("fit")
    found = [data.train_dataloader(), data.val_dataloader()]
    if overrides(data, "test_dataloader", kind):
        data.setup("test")
        found.append(data.test_dataloader())
    return [loader[0] if isinstance(loader, list | tuple) and len(loader) == 1 else loader for loader in found]


def _halves(trainer: Any) -> bool:
    """Returns whether a Trainer computes in bfloat16 where that does no harm."""
    if trainer.precision not in ("32-true", "bf16-mixed"):
        raise InputError(f"precision={trainer.precision!r} cannot be taken over, as '32-true' and 'bf16-mixed' can")
    return bool(trainer.precision == "bf16-mixed")


def _same(batch: Batch) -> Batch:
    return batch


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
