"""A run that pays for its own refined schedule: first half linear decay, then again from the start, refined."""

from typing import Any, ClassVar

import numpy as np
from torch.optim import SGD, Optimizer

from trimtab.lab.controller import History, SessionController
from trimtab.primitives.hyperparameters import FRACTION, one_of, optional
from trimtab.primitives.wrapping import innermost
from trimtab.schedule.controlled import CatalogueController
from trimtab.schedule.linear_decay import linear_factor
from trimtab.schedule.refined.gradient_norms import GradientNormRecorder, given_gradients
from trimtab.schedule.refined.refined import POWERS, check_cap, refine_schedule

FIRST_RUN = 0.5
"""Share of the budget that the first run has."""


class Refined(CatalogueController):
    """Two runs for the budget of one: linear decay, then from the same start the schedule that its norms suggest.

    The first run has half of the budget, with linear decay to its end, and its gradient norms are recorded. Then the
    session goes back to where it began: weights, optimizer, data and random numbers. What was used stays used. The
    second run has the other half of the budget, the same batches as the first, and the schedule that
    :func:`~trimtab.schedule.refined.refined.refine_schedule` made. Both go by what is used of the budget.
    Where the first run had fewer than three steps, the second is linear as well.

    That is the price of a schedule from a run that nobody would have made otherwise: the run that counts is half as
    long. Where runs are repeated anyway, norms come for free; see
    :class:`~trimtab.schedule.refined.gradient_norms.GradientNormRecorder`.

    Args:
        beside: the optimizer, or the controller that is nearer to it. Norms are those of the gradient that the
            optimizer's ``step`` is given, before it clips; where a step is given several closures, as to compare halves
            of a batch, that of the first.
        warmup: of the first run, as a share of it, in [0, 1).
        smoothing: of the norms; see :func:`~trimtab.schedule.refined.refined.refine_schedule`.
        norm: ``"l2"``, ``"l1"`` or ``"adam_weighted"``; by default ``"l2"`` where the innermost optimizer is
            ``torch.optim.SGD``, and ``"l1"`` where it is another one, whose steps most often are coordinate-wise.
        cap: see :func:`~trimtab.schedule.refined.refined.refine_schedule`.

    Attributes:
        schedule: the multipliers of the second run; ``None`` during the first.

    Raises:
        TypeError: a setting has the wrong type.
        ValueError: a setting is outside its range.
    """

    prefix = "refined"
    hyperparameters: ClassVar = {
        "warmup": FRACTION,
        "smoothing": FRACTION,
        "norm": optional(one_of(*POWERS)),
        "cap": check_cap,
    }
    usage = (
        "from trimtab.schedule import GradientNormRecorder, RefinedLR, linear_decay_with_warmup, refine_schedule\n"
        "total_steps = {total_steps}  # of a run\n"
        '# a first run, with linear decay (norm="l2" for SGD):\n'
        'recorder = GradientNormRecorder(optimizer, norm="l1")\n'
        "scheduler = linear_decay_with_warmup(optimizer, total_steps, warmup={warmup})\n"
        "# the next run, with a new model and optimizer:\n"
        '# schedule = refine_schedule(recorder.norms, norm="l1", smoothing={smoothing})\n'
        "# scheduler = RefinedLR(optimizer, schedule, total_steps)\n"
        "# after each step of either: scheduler.step()"
    )

    def __init__(
        self,
        beside: Optimizer | SessionController,
        warmup: float = 0.0,
        smoothing: float = 0.1,
        norm: str | None = None,
        cap: float | None = None,
    ) -> None:
        super().__init__(beside, warmup=warmup, smoothing=smoothing, norm=norm, cap=cap)
        given_gradients(self.optimizer)
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._forget()

    def _forget(self) -> None:
        self._start: dict[str, Any] | None = None
        self._recorder: GradientNormRecorder | None = None
        self._recorded: dict[str, Any] | None = None
        self._places: list[float] = []
        self._second_began: float | None = None
        self._progress = 0.0
        self.schedule: list[float] | None = None
        self._history: History = []

    @property
    def history(self) -> History:
        """A record for each step.

        It has its number over both runs, which ``run`` it belongs to, the first group's ``lr``, and in the first run
        the ``norm``.
        """
        return self._history

    def before(self) -> None:
        """Sets the rate of a step of the first run, or of the second, before which the session goes back."""
        session = self.session
        if self._second_began is None and session.progress >= FIRST_RUN and self._history:
            self._begin_again()
        if self._second_began is None:
            self._before_first()
            return
        share = (session.progress - self._second_began) / max(1 - self._second_began, 1e-12)
        self._set(self._refined_factor(min(1.0, share)))

    def _before_first(self) -> None:
        session = self.session
        if self._start is None:
            self._start = session.snapshot(aside=self)
        self._recording()
        self._progress, step = session.progress / FIRST_RUN, session.samples / session.meter.budget / FIRST_RUN
        self._set(linear_factor(min(1.0, self._progress), step, self.settings["warmup"]))

    def observe(self, loss: float) -> float:
        """Takes note of a step, and in the first run of its norm.

        Raises:
            RuntimeError: the optimizer does not call its ``step``, so that no norm is known.
        """
        if self._second_began is not None:
            self._note(run=2)
            return loss
        norms = self._recording().norms
        if len(norms) == len(self._places):
            name = type(self.optimizer).__name__
            raise RuntimeError(f"{name} takes its steps without step(), so that no norm is known")
        self._places += [self._progress] * (len(norms) - len(self._places))
        self._note(run=1, norm=norms[-1])
        return loss

    def _recording(self) -> GradientNormRecorder:
        if self._recorder is None:
            norm = self.settings["norm"]
            by_kind = "l2" if isinstance(innermost(self.optimizer), SGD) else "l1"
            self._recorder = GradientNormRecorder(self.optimizer, by_kind if norm is None else norm)
            if self._recorded is not None:
                self._recorder.load_state_dict(self._recorded)
        return self._recorder

    def _begin_again(self) -> None:
        """Makes the schedule and goes back to the start, but for what this controller knows and what was paid."""
        start, recorder, history = self._start, self._recording(), self._history
        own, places, norms = self.settings, self._places, recorder.norms
        assert start is not None  # noqa: S101 - there was a first step
        recorder.remove()
        self.session.restore(start)
        self._forget()
        self._history, self._second_began = history, self.session.progress
        self._places, self.schedule = [0.0, 1.0], [1.0, 0.0]
        if len(norms) >= 3:
            made = refine_schedule(norms, norm=recorder.norm, smoothing=own["smoothing"], cap=own["cap"])
            span = np.asarray(places) - places[0]
            self._places, self.schedule = (span / span[-1]).tolist(), made.tolist()

    def _refined_factor(self, share: float) -> float:
        assert self.schedule is not None  # noqa: S101 - the second run has one
        return float(np.interp(share, self._places, self.schedule))

    def _set(self, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])  # one that was added meanwhile begins with the rate it brings
            group["lr"] = group["initial_lr"] * factor

    def _note(self, **known: float) -> None:
        rate = float(self.optimizer.param_groups[0]["lr"])
        self._history.append({"step": len(self._history) + 1, "lr": rate, **known})

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that its future depends on, with the snapshot that the second run begins from."""
        recorded = self._recorded if self._recorder is None else self._recorder.state_dict()
        return {
            "start": self._start,
            "recorded": recorded,
            "places": list(self._places),
            "second_began": self._second_began,
            "schedule": self.schedule,
            "history": [dict(record) for record in self._history],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        if self._recorder is not None:
            self._recorder.remove()
        self._forget()
        self._start, self._recorded = state_dict["start"], state_dict["recorded"]
        self._places, self._second_began = list(state_dict["places"]), state_dict["second_began"]
        self.schedule, self._history = state_dict["schedule"], [dict(record) for record in state_dict["history"]]
