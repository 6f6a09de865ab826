"""A run that pays for its own refined schedule: first half linear decay, then again from the start, refined."""

from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.optim import SGD, Optimizer

from trimtab.lab.controller import History
from trimtab.lab.session import Session
from trimtab.primitives.hyperparameters import FRACTION, one_of, optional
from trimtab.primitives.wrapping import innermost
from trimtab.schedule.controlled import PacedOptimizer
from trimtab.schedule.linear_decay import linear_factor
from trimtab.schedule.refined.gradient_norms import GradientNormRecorder, given_gradients
from trimtab.schedule.refined.refined import POWERS, check_cap, refine_schedule

FIRST_RUN = 0.5
"""Share of the budget that the first run has."""


class Refined(PacedOptimizer):
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
        optimizer: the optimizer. Norms are those of the gradient that its ``step`` is given, before it clips; where a
            step is given several closures, as to compare halves of a batch, that of the first.
        warmup: of the first run, as a share of it, in [0, 1).
        smoothing: of the norms; see :func:`~trimtab.schedule.refined.refined.refine_schedule`.
        norm: ``"l2"``, ``"l1"`` or ``"adam_weighted"``; by default ``"l2"`` where the innermost optimizer is
            ``torch.optim.SGD``, and ``"l1"`` where it is another one, whose steps most often are coordinate-wise.
        cap: see :func:`~trimtab.schedule.refined.refined.refine_schedule`.

    Attributes:
        schedule: the multipliers of the second run; ``None`` during the first.
        history: a record for each step: its number over both runs, which ``run`` it belongs to, the first group's
            ``lr``, and in the first run the ``norm``.

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
        "scheduler = linear_decay_with_warmup(optimizer, total_steps, warmup=round({warmup} * total_steps))\n"
        "# the next run, with a new model and optimizer:\n"
        '# schedule = refine_schedule(recorder.norms, norm="l1", smoothing={smoothing})\n'
        "# scheduler = RefinedLR(optimizer, schedule, total_steps)\n"
        "# after each step of either: scheduler.step()"
    )

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: float = 0.0,
        smoothing: float = 0.1,
        norm: str | None = None,
        cap: float | None = None,
    ) -> None:
        if isinstance(optimizer, Optimizer):
            given_gradients(optimizer)
        super().__init__(optimizer, warmup=warmup, smoothing=smoothing, norm=norm, cap=cap)
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._forget()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget()

    def _forget(self) -> None:
        self._start: dict[str, Any] | None = None
        self._recorder: GradientNormRecorder | None = None
        self._recorded: dict[str, Any] | None = None
        self._places: list[float] = []
        self._second_began: float | None = None
        self.schedule: list[float] | None = None
        self.history: History = []

    def step_on(self, session: Session) -> Tensor:
        """Takes one step: of the first run, or of the second, before whose first step the session goes back."""
        if self._second_began is None and session.progress >= FIRST_RUN and self.history:
            self._begin_again(session)
        if self._second_began is None:
            return self._first(session)
        share = (session.progress - self._second_began) / max(1 - self._second_began, 1e-12)
        self._set(self._refined_factor(min(1.0, share)))
        loss = self.inner_step(session)
        self._note(run=2)
        return loss

    def _first(self, session: Session) -> Tensor:
        if self._start is None:
            self._start = session.snapshot()
        recorder = self._recording()
        progress, step = session.progress / FIRST_RUN, session.samples / session.meter.budget / FIRST_RUN
        self._set(linear_factor(min(1.0, progress), step, self._own(self.param_groups[0])["warmup"]))
        loss = self.inner_step(session)
        norms = recorder.norms
        if len(norms) == len(self._places):
            raise RuntimeError(f"{type(self.inner).__name__} takes its steps without step(), so that no norm is known")
        self._places += [progress] * (len(norms) - len(self._places))
        self._note(run=1, norm=norms[-1])
        return loss

    def _recording(self) -> GradientNormRecorder:
        if self._recorder is None:
            norm = self._own(self.param_groups[0])["norm"]
            by_kind = "l2" if isinstance(innermost(self.inner), SGD) else "l1"
            self._recorder = GradientNormRecorder(self.inner, by_kind if norm is None else norm)
            if self._recorded is not None:
                self._recorder.load_state_dict(self._recorded)
        return self._recorder

    def _begin_again(self, session: Session) -> None:
        """Makes the schedule and goes back to the start, but for what this optimizer knows and what was paid."""
        start, recorder, history = self._start, self._recording(), self.history
        own, places, norms = self._own(self.param_groups[0]), self._places, recorder.norms
        assert start is not None  # noqa: S101 - there was a first step
        recorder.remove()
        session.restore(start)
        self._forget()
        self.history, self._second_began = history, session.progress
        self._places, self.schedule = [0.0, 1.0], [1.0, 0.0]
        if len(norms) >= 3:
            made = refine_schedule(norms, norm=recorder.norm, smoothing=own["smoothing"], cap=own["cap"])
            span = np.asarray(places) - places[0]
            self._places, self.schedule = (span / span[-1]).tolist(), made.tolist()

    def _refined_factor(self, share: float) -> float:
        assert self.schedule is not None  # noqa: S101 - the second run has one
        return float(np.interp(share, self._places, self.schedule))

    def _set(self, factor: float) -> None:
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])  # one that was added meanwhile begins with the rate it brings
            group["lr"] = group["initial_lr"] * factor

    def _note(self, **known: float) -> None:
        rate = float(self.param_groups[0]["lr"])
        self.history.append({"step": len(self.history) + 1, "lr": rate, **known})

    def _saved(self) -> dict[str, Any]:
        recorded = self._recorded if self._recorder is None else self._recorder.state_dict()
        memory = {
            "start": self._start,
            "recorded": recorded,
            "places": list(self._places),
            "second_began": self._second_began,
            "schedule": self.schedule,
            "history": [dict(record) for record in self.history],
        }
        return {**super()._saved(), "refined": memory}

    def _load(self, state: dict[str, Any]) -> None:
        super()._load({key: value for key, value in state.items() if key != "refined"})
        if self._recorder is not None:
            self._recorder.remove()
        self._forget()
        memory = state.get("refined")
        if memory is not None:
            self._start, self._recorded = memory["start"], memory["recorded"]
            self._places, self._second_began = list(memory["places"]), memory["second_began"]
            self.schedule, self.history = memory["schedule"], [dict(record) for record in memory["history"]]
