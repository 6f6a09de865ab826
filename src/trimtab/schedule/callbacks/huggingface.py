"""A controller in Hugging Face's ``Trainer``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

try:
    from transformers import Trainer, TrainerCallback
except ImportError as error:
    raise ImportError("ControllerCallback needs transformers: pip install 'trimtab[huggingface]'") from error

from trimtab.lab.controller import Controller
from trimtab.study.errors import InputError

FILE = "controller.pt"


class ControllerCallback(TrainerCallback):
    """Lets a controller observe each optimizer step of a Trainer.

    In use::

        trainer = Trainer(..., args=TrainingArguments(..., lr_scheduler_type="constant"))
        make = lambda optimizer, model: AutoLRS(optimizer, model, 1e-5, 1e-1)
        trainer.add_callback(ControllerCallback(trainer, make))

    It sees the loss that ``Trainer.training_step`` returns, summed over the batches of gradient accumulation, of this
    process. Use a constant schedule: any other would write the learning rate too. The controller's state is saved
    beside each checkpoint as ``controller.pt``, and loaded when training goes on from one. Of several callbacks, each
    with a controller of its own, the second saves ``controller-2.pt``, and so on: add them in the same order.

    A controller that takes the run back, as AutoLRS does, takes back model, optimizer and torch's random state. The
    Trainer's data do not come back, nor do its step count and its logged losses: ``max_steps`` counts all steps, those
    of trials as well, and a checkpoint or an evaluation in the middle of a trial is of the trial's weights.

    Args:
        trainer: whose steps are observed.
        make_controller: makes the controller of the optimizer and the model, when training begins.
        resume_from: the checkpoint's directory, if it is neither in the Trainer's ``output_dir`` nor in its arguments.

    Attributes:
        controller: ``None`` before training.

    Raises:
        TypeError: ``trainer`` is none, or ``make_controller`` cannot be called.
    """

    def __init__(
        self,
        trainer: Any,
        make_controller: Callable[[Optimizer, nn.Module], Controller],
        resume_from: str | Path | None = None,
    ) -> None:
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainer={trainer!r} must be a transformers.Trainer")
        if not callable(make_controller):
            raise TypeError(f"make_controller={make_controller!r} must be a function of optimizer and model")
        self._trainer: Any = trainer
        self._make = make_controller
        self._resume_from = resume_from
        self._loss = 0.0
        self.controller: Controller | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002 - the host's signature
        """Makes the controller, and loads its state where training goes on."""
        optimizer = more["optimizer"]
        self.controller = self._make(getattr(optimizer, "optimizer", optimizer), more["model"])
        if state.global_step:
            self.controller.load_state_dict(torch.load(self._file(args, state), weights_only=True))
        self._loss = 0.0
        _ObservedStep.of(self._trainer).add(self._see)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - the host's signature
        """Lets the controller observe the step."""
        if self.controller is not None:
            loss, self._loss = self._loss, 0.0
            self.controller.observe(loss)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - the host's signature
        """Saves the controller's state beside the checkpoint."""
        if self.controller is not None and state.is_world_process_zero:
            directory = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            torch.save(self.controller.state_dict(), directory / self._name)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - the host's signature
        """Gives the Trainer its own step back, once no other callback observes it any more."""
        _ObservedStep.of(self._trainer).remove(self._see)

    def _see(self, loss: float) -> None:
        self._loss += loss

    @property
    def _name(self) -> str:
        """The file of this callback's controller in a checkpoint."""
        alike = [each for each in self._trainer.callback_handler.callbacks if isinstance(each, ControllerCallback)]
        place = alike.index(self) if self in alike else 0
        return FILE if place == 0 else f"{Path(FILE).stem}-{place + 1}.pt"

    def _file(self, args: Any, state: Any) -> Path:
        own, name = Path(args.output_dir) / f"checkpoint-{state.global_step}", self._name
        given = (self._resume_from, args.resume_from_checkpoint, own)
        for directory in given:
            if isinstance(directory, str | Path) and (file := Path(directory) / name).is_file():
                return file
        raise InputError(
            f"training goes on after step {state.global_step}, but there is no {name} in {own}: give the checkpoint's "
            "directory as ControllerCallback(..., resume_from=)"
        )


class _ObservedStep:
    """Stands for a Trainer's ``training_step`` while callbacks observe its losses."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._step = trainer.training_step
        self._assigned = "training_step" in vars(trainer)
        self._observers: list[Callable[[float], None]] = []

    @classmethod
    def of(cls, trainer: Any) -> "_ObservedStep":
        """Returns the one that stands there, which it is put there for if there is none."""
        if not isinstance(trainer.training_step, cls):
            trainer.training_step = cls(trainer)
        step: _ObservedStep = trainer.training_step
        return step

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        loss = self._step(*arguments, **named)
        value = loss.item()
        for observe in self._observers:
            observe(value)
        return loss

    def add(self, observe: Callable[[float], None]) -> None:
        """Lets a function see each loss, once."""
        if observe not in self._observers:  # training that was broken off has left it here
            self._observers.append(observe)

    def remove(self, observe: Callable[[float], None]) -> None:
        """Lets a function see no further loss; with the last one, the Trainer has its own step again."""
        if observe in self._observers:
            self._observers.remove(observe)
        if not self._observers and self._assigned:
            self._trainer.training_step = self._step
        elif not self._observers:
            del self._trainer.training_step
