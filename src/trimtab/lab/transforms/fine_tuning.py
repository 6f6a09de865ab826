"""Training a network further, metered and watched."""

from collections.abc import Callable

import torch
from torch import nn

from trimtab.lab.meter import CostMeter
from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.stream import BatchStream
from trimtab.lab.task import Task
from trimtab.primitives.training_modes import kept_modes
from trimtab.study.checks import check_whole
from trimtab.study.errors import DivergedError, InputError


class FineTuning:
    """What candidates are given to train a network further: AdamW, and the batches of the run.

    Args:
        task: what was learned.
        lr: learning rate.
        budget: sample-gradients that may be used.
        stream: where the run is in its training data.
        randomness: what layers draw from.
        begins: is told the model before a call's first step.
        stepped: is told the model and the loss after each step.

    Attributes:
        meter: what was used of the budget.
        steps: steps taken.
    """

    def __init__(
        self,
        task: Task,
        *,
        lr: float,
        budget: int,
        stream: BatchStream,
        randomness: OwnedRandomness,
        begins: Callable[[nn.Module], None],
        stepped: Callable[[nn.Module, float], None],
    ) -> None:
        self.meter, self.steps = CostMeter(budget), 0
        self._task, self._lr, self._stream, self._randomness = task, lr, stream, randomness
        self._begins, self._stepped = begins, stepped
        self._optimizer: torch.optim.AdamW | None = None

    @property
    def left(self) -> int:
        """How many steps the run has left."""
        return max(0, self.meter.budget - self.meter.used) // self._task.batch_size

    def __call__(self, model: nn.Module, steps: int | None = None) -> None:
        """Takes some steps, or all that are left; see :class:`~trimtab.lab.transforms.candidate.FineTune`.

        Raises:
            InputError: there are not so many left, or nothing that could be trained.
            DivergedError: a loss is not finite.
        """
        if not isinstance(model, nn.Module):
            raise InputError(f"model={type(model).__name__}: finetune(model, steps) trains a torch.nn.Module")
        if steps is not None:
            check_whole("steps", steps, least=0)
        if steps is not None and steps > self.left:
            given = self.meter.budget // self._task.batch_size
            raise InputError(
                f"steps={steps}: of the {given} steps of fine-tuning that a run has, {self.left} are left; "
                "finetune.left says how many, and --steps sets how many there are"
            )
        self._begins(model)
        if not (self.left if steps is None else steps):
            return
        optimizer = self._optimizer_for(model)
        with kept_modes(model):
            model.train()
            try:
                for _ in range(self.left if steps is None else steps):
                    self._step(model, optimizer)
            finally:
                optimizer.zero_grad()

    def _step(self, model: nn.Module, optimizer: torch.optim.AdamW) -> None:
        self._stream.advance(self._task.batch_size)
        with self._randomness.lent(), torch.enable_grad():
            optimizer.zero_grad()
            loss = self._task.losses(self._task.outputs(model, self._stream.batch), self._stream.batch).mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types
        optimizer.step()
        self.meter.charge(self._task.batch_size)
        self.steps += 1
        value = float(loss.item())
        if not abs(value) < float("inf"):
            raise DivergedError(self.steps, value)
        self._stepped(model, value)

    def _optimizer_for(self, model: nn.Module) -> torch.optim.AdamW:
        """Returns the optimizer of the call before, if it was for the same parameters."""
        params = [param for param in model.parameters() if param.requires_grad]
        if not params:
            raise InputError("model: there is no parameter that requires a gradient, so that nothing can be trained")
        there = [] if self._optimizer is None else self._optimizer.param_groups[0]["params"]
        if self._optimizer is None or [id(each) for each in there] != [id(each) for each in params]:
            self._optimizer = torch.optim.AdamW(params, lr=self._lr)
        return self._optimizer


class DryFineTuning(FineTuning):
    """Counts steps and takes none, to see what a candidate would do."""

    def _step(self, _model: nn.Module, _optimizer: torch.optim.AdamW) -> None:
        self.meter.charge(self._task.batch_size)
        self.steps += 1
