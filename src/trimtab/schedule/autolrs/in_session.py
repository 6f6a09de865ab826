"""AutoLRS in a session, which is what brings it back: exactly, the data included, and without a refund."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from torch.optim import Optimizer

from trimtab.lab.controller import History, SessionController
from trimtab.lab.session import Session
from trimtab.lab.task import samples_in
from trimtab.primitives.hyperparameters import NON_NEGATIVE, POSITIVE, Interval, flag, whole_number
from trimtab.schedule.autolrs.autolrs import VALIDATIONS, AutoLRS
from trimtab.schedule.autolrs.stages import SHORTEST_TRIAL, shortest_stage
from trimtab.schedule.controlled import CatalogueController
from trimtab.study.errors import InputError

MOST_STAGES = 4
"""Stages of 1, 2, 4 and 8 lengths, as in the released code up to the longest."""


class SearchedRate(CatalogueController):
    r""":class:`~trimtab.schedule.autolrs.autolrs.AutoLRS` for sessions.

    Trials are charged like all else. The first step is taken with ``min_lr``; from its cost follows how many steps the
    budget has left, search included. They become as many stages as there is room for, up to four, each twice as long as
    the one before, with trials of 8 steps or more: with the defaults four from 2,400 steps on, three from 1,120, two
    from 480 and one from 160. The last stage trains until the budget is used, with the last rate chosen.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
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
        controller: ``None`` before the first step, from whose cost it is planned.
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
        beside: Optimizer | SessionController,
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
            beside,
            min_lr=min_lr,
            max_lr=max_lr,
            trial_fraction=trial_fraction,
            candidates=candidates,
            kappa=kappa,
            validation=validation,
            published_forecast=published_forecast,
            seed=seed,
        )
        self.controller: AutoLRS | None = None

    @property
    def history(self) -> History:
        """What it did so far."""
        return [] if self.controller is None else self.controller.history

    def before(self) -> None:
        """Sets the rate of the first step."""
        if self.controller is None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings["min_lr"]

    def observe(self, loss: float) -> float:
        """Sets the rate of the next step; where the run goes back from a loss that is not finite, returns the last."""
        if self.controller is None:
            if math.isfinite(loss):
                self.controller = self._made(*self._plan())
            return loss
        self.controller.observe(loss)
        # Here the run has gone back from a loss that is not finite, or else observe() had raised.
        return loss if math.isfinite(loss) else self.controller.last_loss

    def state_dict(self) -> dict[str, Any]:
        """Returns the controller's state, if there is one yet."""
        return {"controller": None if self.controller is None else self.controller.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        own = state_dict["controller"]
        if own is None:
            self.controller = None
            return
        if self.controller is None:
            self.controller = self._made(own["stage"], own["longest_stage"], own["length"])
        self.controller.load_state_dict(own)

    def _made(self, stage: int, longest: int, length: int) -> AutoLRS:
        own, session = self.settings, self.session

        def validation_loss() -> float:
            session.meter.charge_forward(samples_in(session.task.validation))
            return session.evaluate("validation").loss

        return self.searches(
            self.optimizer,
            session.model,
            own["min_lr"],
            own["max_lr"],
            validate=validation_loss if own["validation"] else None,
            always_validate=own["validation"],
            trial_fraction=own["trial_fraction"],
            candidates=own["candidates"],
            kappa=own["kappa"],
            published_forecast=own["published_forecast"],
            roll_back=_SessionRollBack(self, session),
            seed=own["seed"],
            stage=stage,
            longest_stage=longest,
            length=length,
        )

    def _plan(self) -> tuple[int, int, int]:
        """Returns the lengths of the first stage, the longest and the run, from what the first step has cost."""
        session, validation = self.session, self.settings["validation"]
        fraction, candidates = self.settings["trial_fraction"], self.settings["candidates"]
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


class _SessionRollBack:
    """The session's own way back, on which the controller forgets nothing."""

    def __init__(self, controller: SearchedRate, session: Session) -> None:
        self._controller, self._session = controller, session

    def save(self) -> dict[str, Any]:
        return self._session.snapshot(aside=self._controller)

    def restore(self, saved: dict[str, Any], *, last: bool) -> None:  # noqa: ARG002  # a session can always go back
        self._session.restore(saved)
