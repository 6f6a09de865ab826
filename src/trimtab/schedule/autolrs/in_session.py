"""AutoLRS in a session, which is what brings it back: exactly, the data included, and without a refund."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.session import Session
from trimtab.lab.task import samples_in
from trimtab.primitives.hyperparameters import NON_NEGATIVE, POSITIVE, Interval, flag, whole_number
from trimtab.schedule.autolrs.autolrs import VALIDATIONS, AutoLRS
from trimtab.schedule.autolrs.stages import SHORTEST_TRIAL, shortest_stage
from trimtab.schedule.controlled import ControlledOptimizer
from trimtab.study.errors import InputError

MOST_STAGES = 4
"""Stages of 1, 2, 4 and 8 lengths, as in the released code up to the longest."""


class SearchedRate(ControlledOptimizer):
    r"""An optimizer with :class:`~trimtab.schedule.autolrs.autolrs.AutoLRS`.

    Trials are charged like all else. The first step is taken with ``min_lr``; from its cost follows how many steps the
    budget has left, search included. They become as many stages as there is room for, up to four, each twice as long as
    the one before, with trials of 8 steps or more: with the defaults four from 2,400 steps on, three from 1,120, two
    from 480 and one from 160. The last stage trains until the budget is used, with the last rate chosen.

    Args:
        optimizer: the optimizer.
        min_lr: the lowest rate to try; in a comparison, the lower end of the optimizer's own range.
        max_lr: the highest; the upper end.
        trial_fraction: length of a trial in stages.
        candidates: trials a stage.
        kappa: how much uncertainty counts.
        validation: whether forecasts are of validation losses, 16 a trial on the whole split, each charged with its
            forward passes. What a comparison ranks by is then part of what the method learns from.
        published_forecast: whether to forecast as the released code does.
        seed: draws each stage's first rate.

    Attributes:
        searches: the controller's class.
    """

    searches: ClassVar[type[AutoLRS]] = AutoLRS
    prefix = "autolrs"
    owns = ("lr",)
    bounds: ClassVar[Mapping[str, tuple[str, str]]] = {"lr": ("min_lr", "max_lr")}
    usage = (
        "from trimtab.schedule import AutoLRS, ReplayedBatches\n"
        "batches = ReplayedBatches(loader)  # loader: yours; the loop iterates over batches\n"
        "autolrs = AutoLRS(optimizer, model, {min_lr}, {max_lr}, batches=batches)\n"
        "# after each step: autolrs.observe(loss.item())"
    )
    hyperparameters: ClassVar = {
        "min_lr": POSITIVE,
        "max_lr": POSITIVE,
        "trial_fraction": Interval(0.0, 1.0, open=True, closed=True),
        "candidates": whole_number(2),
        "kappa": NON_NEGATIVE,
        "validation": flag,
        "published_forecast": flag,
        "seed": whole_number(0),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        min_lr: float,
        max_lr: float,
        *,
        trial_fraction: float = 0.1,
        candidates: int = 10,
        kappa: float = 1e6,
        validation: bool = False,
        published_forecast: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(
            optimizer,
            min_lr=min_lr,
            max_lr=max_lr,
            trial_fraction=trial_fraction,
            candidates=candidates,
            kappa=kappa,
            validation=validation,
            published_forecast=published_forecast,
            seed=seed,
        )

    def step_on(self, session: Session) -> Tensor:
        """Takes one step; where its loss is not finite and the run goes back, returns the last one that was."""
        if self.controller is None and self._waiting is None:
            for group in self.param_groups:
                group["lr"] = group["autolrs_min_lr"]
            loss = self.inner_step(session)
            if loss.isfinite():
                self.started(session)
            return loss
        controller: Any = self.started(session)
        loss = self.inner_step(session)
        controller.observe(loss.item())
        # Here the run has gone back from a loss that is not finite, or else observe() had raised.
        return loss if loss.isfinite() else loss.new_tensor(controller.last_loss)

    def control(self, session: Session) -> AutoLRS:
        """Makes the controller of a run whose first step was just taken."""
        own = self._own(self.param_groups[0])
        fraction, candidates = own["trial_fraction"], own["candidates"]
        if self._waiting is None:
            stage, longest, length = self._plan(session, fraction, candidates, own["validation"])
        else:
            stage, longest, length = (self._waiting[name] for name in ("stage", "longest_stage", "length"))

        def validation_loss() -> float:
            session.meter.charge_forward(samples_in(session.task.validation))
            return session.evaluate("validation").loss

        return self.searches(
            self,
            session.model,
            own["min_lr"],
            own["max_lr"],
            validate=validation_loss if own["validation"] else None,
            always_validate=own["validation"],
            trial_fraction=fraction,
            candidates=candidates,
            kappa=own["kappa"],
            published_forecast=own["published_forecast"],
            roll_back=_SessionRollBack(self, session),
            seed=own["seed"],
            stage=stage,
            longest_stage=longest,
            length=length,
        )

    def _plan(self, session: Session, fraction: float, candidates: int, validation: bool) -> tuple[int, int, int]:
        left, step = session.meter.budget - session.meter.used, session.meter.used
        shortest = SHORTEST_TRIAL / fraction
        each = candidates * VALIDATIONS * -(-samples_in(session.task.validation) // 3) if validation else 0
        for stages in range(MOST_STAGES, 0, -1):
            length = (left - stages * each) // step
            stage = int(length / ((1 + candidates * fraction) * (2**stages - 1)) + 1e-9)
            if stage >= shortest - 1e-9:
                return stage, stage * 2 ** (stages - 1), length
        needed = 1 + shortest_stage(fraction, candidates) + -(-each // step)
        raise InputError(
            f"autolrs searches with {candidates} trials of {SHORTEST_TRIAL} steps or more, for which the budget of "
            f"{session.meter.budget} sample-gradients, {1 + left // step} steps, is too short: it needs {needed} steps "
            "(--steps), or fewer trials: adamw+autolrs(candidates=4)"
        )

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Keeps the controller's own memory out of what is saved, and out of reach of what is restored."""
        kept = self.controller, self._waiting
        self._forget()
        try:
            yield
        finally:
            self.controller, self._waiting = kept


class _SessionRollBack:
    """The session's own way back."""

    def __init__(self, outer: SearchedRate, session: Session) -> None:
        self._outer, self._session = outer, session

    def save(self) -> dict[str, Any]:
        with self._outer.set_aside():
            return self._session.snapshot()

    def restore(self, saved: dict[str, Any], *, last: bool) -> None:  # noqa: ARG002  # a session can always go back
        with self._outer.set_aside():
            self._session.restore(saved)
