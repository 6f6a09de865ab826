"""One run in progress, which hands a method what it needs without owning it."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.lab.averaged import evaluated_weights, ready_to_train
from trimtab.lab.controller import Controller, SessionController
from trimtab.lab.copies import copied
from trimtab.lab.devices import usable_device
from trimtab.lab.measures import BATCH_SIZE, LEARNING_RATE, STATE_BYTES, STEP_SECONDS, STEPS
from trimtab.lab.meter import CostMeter
from trimtab.lab.model_state import load_model_state, model_state
from trimtab.lab.randomness import OwnedRandomness, derived_seed
from trimtab.lab.replay import Replay
from trimtab.lab.stepping import (
    after_step,
    before_step,
    controller_states,
    load_controller_states,
    made_controllers,
    made_optimizer,
    steps_on_session,
)
from trimtab.lab.stream import BatchStream
from trimtab.lab.task import Batch, Task
from trimtab.primitives.memory import storage_bytes
from trimtab.primitives.training_modes import kept_modes
from trimtab.study.checks import check_callable, check_flag, check_whole
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.metric import Evaluation, Split

_SNAPSHOT = {
    *("model", "training", "requires_grad", "optimizer", "controllers"),
    *("permutation", "cursor", "rows", "batch", "order", "randomness"),
    *("batch_size", "steps", "steps_paid", "used", "seconds"),
}

MODEL_STREAM, DATA_STREAM, AMBIENT_STREAM = range(3)


def untrained_model(task: Task, seed: int, device: torch.device) -> nn.Module:
    """Returns the model with which a session of this seed begins, on the device.

    Args:
        task: what is to be learned.
        seed: of the session.
        device: where the model lives.
    """
    own = derived_seed(seed, MODEL_STREAM)
    with OwnedRandomness(own, device).lent():
        model = task.model(torch.Generator().manual_seed(own))
    return model.to(device)


class Session:
    r"""A model, an optimizer and a position in the data, with a budget.

    All randomness comes from ``seed``: the model's initialisation, the order of the data and what layers draw during
    the run are three independent streams. Runs of different methods with one seed therefore start from the same weights
    and see the same batches, which is what makes a paired comparison sharp.

    Args:
        task: what is to be learned.
        optimizer: makes the optimizer for the freshly built model, or a controller beside one.
        controllers: makes more controllers, for the session whose model and optimizer are there: they observe each step
            as in a loop of one's own, in this order, and are saved and taken back with the run.
        seed: non-negative.
        budget: sample-gradients that the run may use; ``task.steps * task.batch_size`` by default.
        device: where model and batches live.

    Attributes:
        model: the model.
        optimizer: the optimizer.
        controllers: what stands beside it, the nearest one first.
        meter: what was used of the budget.
        batch_size: how many samples the next batch will have; the task's at first, and a method may set it. With 0 the
            current batch stays.
        steps: optimizer steps taken.
        steps_paid: the same with those that were taken back; what they used is not.
        seconds: wall-clock seconds spent in :meth:`step`.

    Raises:
        InputError: ``seed`` is negative, ``budget`` is not positive, or another argument cannot be.
    """

    def __init__(
        self,
        task: Task,
        optimizer: Callable[[nn.Module], Optimizer | SessionController],
        *,
        controllers: "Callable[[Session], Sequence[Controller]] | None" = None,
        seed: int,
        budget: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if not isinstance(task, Task):
            raise InputError(f"task={task!r}: a trimtab.Task is needed")
        check_callable("optimizer", optimizer)
        if controllers is not None:
            check_callable("controllers", controllers)
        check_whole("seed", seed, least=0)
        self.task = task
        self.device = usable_device(device)
        self.meter = CostMeter(task.steps * task.batch_size if budget is None else budget)
        self._randomness = OwnedRandomness(derived_seed(seed, AMBIENT_STREAM), self.device)
        self._stream = BatchStream(task, derived_seed(seed, DATA_STREAM), self.device, self._randomness)
        self.batch_size = task.batch_size
        self.model = untrained_model(task, seed, self.device)
        made = made_optimizer(optimizer, self.model)
        self.optimizer = ready_to_train(made.optimizer if isinstance(made, SessionController) else made)
        self.steps = self.steps_paid = 0
        self.seconds = 0.0
        self._computed: Callable[[], Tensor] | None = None
        self.controllers: tuple[Any, ...] = getattr(made, "controllers", ())
        self.controllers += () if controllers is None else made_controllers(controllers, self)
        for controller in self.controllers:
            if isinstance(controller, SessionController):
                controller.begin(self)

    def next_batch(self, size: int | None = None) -> Batch:
        """Moves on to the next batch and returns it.

        Samples are drawn without replacement from a permutation that is drawn anew when too few are left for a batch.

        Args:
            size: how many samples; :attr:`batch_size` by default.

        Raises:
            InputError: ``size`` is not between one and the number of training samples.
        """
        self._stream.advance(self.batch_size if size is None else size)
        return self.batch

    @property
    def batch(self) -> Batch:
        """The current batch, on the session's device; ``None`` before the first."""
        return self._stream.batch

    @property
    def samples(self) -> int:
        """How many samples the current batch has."""
        return 0 if self._stream.rows is None else len(self._stream.rows)

    @property
    def progress(self) -> float:
        """How much of the budget is used, as a fraction; the last step may go beyond 1."""
        return self.meter.used / self.meter.budget

    def closure(
        self, *, create_graph: bool = False, rows: Int[Tensor, " rows"] | slice | Sequence[int] | None = None
    ) -> Callable[[], Tensor]:
        """Makes a function that computes the mean loss and its gradients on the current batch, and charges for them.

        Args:
            create_graph: keeps the graph of the gradients, for methods that differentiate them again.
            rows: samples of the batch to use; all by default.

        Returns:
            A function that zeroes the gradients, runs forward and backward and returns the loss, a 0-d tensor.

        Raises:
            RuntimeError: there is no batch yet.
            InputError: ``rows`` takes none, or one that is not in the batch.
        """
        check_flag("create_graph", create_graph)
        batch, samples = self._stream.selected(rows)

        def evaluate_loss() -> Tensor:
            with self._randomness.lent(), _without_warning_of_cycles() if create_graph else nullcontext():
                self.optimizer.zero_grad()
                loss = self.task.losses(self.task.outputs(self.model, batch), batch).mean()
                loss.backward(create_graph=create_graph)  # type: ignore[no-untyped-call]  # torch has no types
            self.meter.charge(samples)
            return loss

        return evaluate_loss

    def outputs(self, rows: Int[Tensor, " rows"] | slice | Sequence[int] | None = None) -> Callable[[], Any]:
        """Makes a function that computes the task's outputs on the current batch, and charges for them.

        However often it is called, it is the same function of the weights: layers draw the same random numbers, and the
        model's buffers (running statistics) are updated by the first call alone, which leaves the run as the pass of a
        closure would.

        Args:
            rows: samples of the batch to use; all by default.

        Returns:
            A function without arguments. With gradients enabled it is charged as a gradient, which is what its outputs
            are for; without, as a forward pass.

        Raises:
            RuntimeError: there is no batch yet.
            InputError: ``rows`` takes none, or one that is not in the batch.
        """
        batch, samples = self._stream.selected(rows)
        replay, drawn = Replay(self.model), self._randomness.state_dict()

        def compute_outputs() -> Any:
            self._randomness.load_state_dict(drawn)
            with self._randomness.lent(), replay.one_pass():
                outputs = self.task.outputs(self.model, batch)
            charge = self.meter.charge if torch.is_grad_enabled() else self.meter.charge_forward
            charge(samples)
            return outputs

        return compute_outputs

    def losses(
        self, outputs: Any, rows: Int[Tensor, " rows"] | slice | Sequence[int] | None = None
    ) -> Float[Tensor, " batch"]:
        """Returns the loss of each sample of the current batch, from its outputs; not charged.

        Args:
            outputs: what a function that :meth:`outputs` made returned.
            rows: samples of the batch of which they are; all by default.
        """
        with self._randomness.lent():
            return self.task.losses(outputs, self._stream.selected(rows)[0])

    def lent_randomness(self) -> AbstractContextManager[None]:
        """Gives torch's global generators the run's own random state meanwhile, for what a method computes by itself.

        Whoever computes gradients so has to charge the meter.
        """
        return self._randomness.lent()

    def step(self) -> float:
        """Takes one optimizer step on the next batch and returns the loss before it.

        Raises:
            DivergedError: the loss is not finite. The parameters are then whatever the optimizer made of it.
            TypeError: the optimizer's step does not return the loss.
        """
        start = time.perf_counter()
        if self.batch_size:
            self.next_batch()
        self._computed = before_step(self.controllers)
        optimizer: Any = self.optimizer
        loss = optimizer.step_on(self) if steps_on_session(optimizer) else optimizer.step(self.step_closure())
        self._computed = None
        if loss is None:
            raise TypeError(
                f"{type(optimizer).__name__}.step(closure) returned nothing: it has to return what the closure returned"
            )
        value = after_step(self.controllers, float(loss.item()))
        self.steps += 1
        self.steps_paid += 1
        self.seconds += time.perf_counter() - start
        if not abs(value) < float("inf"):
            raise DivergedError(self.steps, value)
        return value

    def step_closure(self) -> Callable[[], Tensor]:
        """Returns what this step of an optimizer is given: the closure, unless a controller has computed it already."""
        computed, self._computed = self._computed, None
        return self.closure() if computed is None else computed

    def evaluate(self, split: Split = "validation") -> Evaluation:
        """Scores the model on a whole split; not charged, and without effect on the run.

        An optimizer that has modes, as schedule-free ones do, is put into that of evaluation meanwhile.

        Raises:
            InputError: there is no such split.
        """
        if split not in get_args(Split):
            raise InputError(f"split={split!r} must be one of {', '.join(get_args(Split))}")
        devices = [self.device] if self.device.type == "cuda" else []
        kept = kept_modes(self.model)  # somebody's own evaluate() may not put them back
        with self._randomness.lent(), torch.random.fork_rng(devices), evaluated_weights(self.optimizer), kept:
            return self.task.evaluate(self.model, split)

    def snapshot(self, *, aside: Controller | SessionController | None = None) -> dict[str, Any]:
        """Copies everything that the run's future depends on, into plain values and tensors.

        The result is independent of the run, and ``torch.load(..., weights_only=True)`` accepts it from a file, unless
        the optimizer keeps objects of its own: of the catalogue's, ``scalable_shampoo`` does.

        Args:
            aside: a controller that goes back without forgetting what it saw: :meth:`restore` leaves it alone.

        Raises:
            InputError: ``aside`` is none of the session's controllers.
        """
        controllers = controller_states(self.controllers, aside)
        return {
            **model_state(self.model),
            "optimizer": copied(self.optimizer.state_dict()),
            "controllers": controllers,
            **self._stream.state_dict(),
            "batch_size": self.batch_size,
            "randomness": self._randomness.state_dict(),
            "steps": self.steps,
            "steps_paid": self.steps_paid,
            "used": self.meter.used,
            "seconds": self.seconds,
        }

    def restore(self, snapshot: dict[str, Any], *, refund: bool = False) -> None:
        """Goes back to a snapshot; from there the run goes on, bit for bit, as it did the first time.

        In another process that takes the same hardware and as many threads (``torch.set_num_threads``), because torch
        adds up in another order with another number of them.

        Args:
            snapshot: what :meth:`snapshot` returned, here or in another process.
            refund: also sets the meter and the clock back, as when a run resumes from a file. Without it, what was used
                since the snapshot stays charged: exploration is paid for.

        Raises:
            InputError: it is no snapshot.
        """
        check_flag("refund", refund)
        if not isinstance(snapshot, dict) or not snapshot.keys() >= _SNAPSHOT:
            raise InputError(f"snapshot={type(snapshot).__name__}: what Session.snapshot() returned is needed")
        load_model_state(self.model, snapshot)
        self.optimizer.load_state_dict(copied(snapshot["optimizer"]))
        load_controller_states(self.controllers, snapshot["controllers"])
        self._stream.load_state_dict(snapshot)
        self.batch_size = snapshot["batch_size"]
        self._randomness.load_state_dict(snapshot["randomness"])
        self.steps = snapshot["steps"]
        if refund:
            self.meter.used = snapshot["used"]
            self.seconds = snapshot["seconds"]
            self.steps_paid = snapshot["steps_paid"]

    def measures(self) -> dict[str, float]:
        """Returns how many updates were taken, what one takes in seconds, and what the optimizer keeps in bytes."""
        found: dict[str, float] = {STEPS: self.steps, STATE_BYTES: self.optimizer_state_bytes()}
        return found | ({STEP_SECONDS: self.seconds / self.steps_paid} if self.steps_paid else {})

    def watched(self) -> dict[str, float]:
        """Returns the learning rate of the optimizer's first group, if it has one, and the samples of a batch."""
        rate: Any = self.optimizer.param_groups[0].get("lr")
        return {**({} if rate is None else {LEARNING_RATE: float(rate)}), BATCH_SIZE: self.samples}

    def optimizer_state_bytes(self) -> int:
        """Returns the memory that the optimizer keeps between steps, beyond parameters and gradients."""
        return storage_bytes(*self.optimizer.state.values())


@contextmanager
def _without_warning_of_cycles() -> Iterator[None]:
    """Silences torch's warning of a cycle through ``.grad``, which ends with the next ``zero_grad``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using backward.. with create_graph", UserWarning)
        yield
