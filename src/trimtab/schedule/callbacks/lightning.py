"""A controller in Lightning's ``Trainer``."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

try:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback
except ImportError as error:
    raise ImportError("ControllerCallback needs lightning: pip install 'trimtab[lightning]'") from error

from trimtab.lab.controller import Controller
from trimtab.study.errors import InputError


class ControllerCallback(Callback):
    """Lets a controller observe each optimizer step of a Trainer.

    In use::

        make = lambda optimizer, model: AutoLRS(optimizer, model, 1e-5, 1e-1)
        trainer = Trainer(..., callbacks=[ControllerCallback(make)])

    It sees the loss that ``training_step`` returns, the mean over the batches of ``accumulate_grad_batches``, of this
    process. The module has one optimizer, and no schedule, which would write the learning rate too. The controller's
    state is part of each checkpoint.

    A controller that takes the run back, as AutoLRS does, takes back model, optimizer and torch's random state.
    Lightning's data do not come back, nor do its step count and its logs: ``max_steps`` counts all steps, those of
    trials as well, and a checkpoint or a validation in the middle of a trial is of the trial's weights.

    Args:
        make_controller: makes the controller of the optimizer and the module, when training begins.

    Attributes:
        controller: ``None`` before training.

    Raises:
        TypeError: ``make_controller`` cannot be called.
    """

    def __init__(self, make_controller: Callable[[Optimizer, nn.Module], Controller]) -> None:
        if not callable(make_controller):
            raise TypeError(f"make_controller={make_controller!r} must be a function of optimizer and model")
        self._make = make_controller
        self._waiting: dict[str, Any] | None = None
        self._loss, self._steps = 0.0, 0
        self.controller: Controller | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Makes the controller, with the state that was loaded before.

        Raises:
            InputError: there is not exactly one optimizer, or training is not automatic.
        """
        if len(trainer.optimizers) != 1 or not pl_module.automatic_optimization:
            raise InputError(
                f"a controller observes the steps of one optimizer; {type(pl_module).__name__} has "
                f"{len(trainer.optimizers)}, automatic_optimization={pl_module.automatic_optimization}"
            )
        self.controller = self._make(trainer.optimizers[0], pl_module)
        if self._waiting is not None:
            self.controller.load_state_dict(self._waiting)
            self._waiting = None
        self._loss, self._steps = 0.0, trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002 - the host's signature
        outputs: Any,
        *_: Any,
    ) -> None:
        """Lets the controller observe the step, where this batch was its last."""
        if outputs is not None:
            self._loss += float(outputs["loss"] if isinstance(outputs, dict) else outputs)
        if self.controller is not None and trainer.global_step > self._steps:
            loss, self._loss, self._steps = self._loss, 0.0, trainer.global_step
            self.controller.observe(loss)

    def state_dict(self) -> dict[str, Any]:
        """Returns the controller's state."""
        return {"controller": self._waiting if self.controller is None else self.controller.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps a controller's state until it is made."""
        self._waiting = state_dict["controller"]
