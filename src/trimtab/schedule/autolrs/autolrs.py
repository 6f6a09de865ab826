"""AutoLRS: a learning rate for each stage, found in the middle of the run (Jin et al., 2021, arXiv:2105.10762).

Adapts   the learning rate of the next steps.
Signal   the loss that is forecast for the end of a stage, from short trials that start at the same point.
"""

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from trimtab.lab.controller import History
from trimtab.primitives.hyperparameters import NON_NEGATIVE, POSITIVE, Interval, flag, optional, whole_number
from trimtab.schedule.autolrs.forecast import exponential_forecast
from trimtab.schedule.autolrs.rate_search import next_rate
from trimtab.schedule.autolrs.roll_back import ReplayedBatches, RollBack, loop_roll_back
from trimtab.schedule.autolrs.stages import (
    SHORTEST_TRIAL,
    rate_ratios,
    shortest_stage,
    stage_lengths,
    trial_steps,
    write_rates,
)
from trimtab.study.errors import DivergedError

Phase: TypeAlias = Literal["warmup", "search", "training"]

VALIDATIONS = 16
"""Validations a trial; the released code's."""
DIVERGED = math.inf
"""The forecast of a trial whose losses are not finite."""

_COUNTERS = (
    *("phase", "lr", "stage", "longest_stage", "length", "total_steps", "useful_steps", "last_loss", "history"),
    *("_stages", "_trial", "_left", "_trained", "_steps_in_trial", "_safe", "_validating", "_first_loss"),
    *("_rates", "_forecasts", "_losses", "_saved", "_factors"),
)


class AutoLRS:
    r"""Automatic learning-rate schedule, beside any optimizer.

    The run is cut into stages of :math:`\tau` steps. A stage begins with trials of :math:`\tau' = \tau / 10` steps,
    each with another learning rate and each from the same point; the losses of a trial are extended to :math:`\tau` by
    :func:`~trimtab.schedule.autolrs.forecast.exponential_forecast`. The rates come from a Gaussian process over
    :math:`\log \eta` and the bound :math:`\mu(\eta) - \kappa \sigma(\eta)`; the first is random. Then the run goes back
    once more and takes :math:`\tau` steps with the tried rate whose forecast is lowest. Stages double in length up to
    ``longest_stage``; from the one after that on, forecasts are of validation losses if there is ``validate``.

    With the defaults a run takes twice as many steps as it keeps: ``total_steps`` counts all of them, ``useful_steps``
    those that are kept. Compare it with other schedules by the former. In a loop of one's own::

        batches = ReplayedBatches(loader)
        autolrs = AutoLRS(optimizer, model, 1e-4, 1.0, batches=batches, length=steps)
        while autolrs.total_steps < steps:
            for inputs, targets in batches:
                optimizer.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                optimizer.step()
                autolrs.observe(loss.item())
                if autolrs.total_steps == steps:
                    break

    Make it when model and optimizer are as they shall be at the first step: the first trial comes back to that. The
    copy stays during a stage, as large as model and optimizer state.

    Without ``batches`` the data are not taken back: trials see different batches, which makes their forecasts noisier,
    and what they saw is not seen again before the next epoch; a warning says so. All else comes back bit for bit:
    parameters, buffers, optimizer state, torch's random state and ``extra_state``.

    A trial whose loss is not finite ends there, and has an infinite forecast. Where all of a stage's trials do, or the
    training after them, the stage is abandoned: the run goes back to its beginning (the data do not, after training),
    and takes the stage's steps with the last rate that went well, or else with ``min_lr``; ``history`` says
    ``"abandoned"``, and a warning says so once a process.

    Nothing depends on the unit of the loss, and losses may be negative: only whether they are finite, and where they
    lie among each other.

    Differences: a trial that diverged is taken for as much above the worst other as that is above the best, where the
    code takes 1e6, as it does for every forecast that is not finite; and no loss that is finite counts as diverged,
    however large. The forecast is a corrected one (``published_forecast=True`` for the code's); there is no server and
    no second process; trials see the same batches; the released example validates on 10 images of the test set, ours is
    up to you; without ``validate`` training losses serve to the end; the bound is minimised over a grid that leaves out
    what was tried. With the released code's ``kappa``, the default, rates spread evenly over the logarithmic scale; the
    paper is said to have 1,000, which does the same.

    Args:
        optimizer: whose learning rates it sets.
        model: whose parameters and buffers it takes back.
        min_lr: the lowest rate to try, > 0; of the first parameter group.
        max_lr: the highest, >= ``min_lr``. If they are equal, nothing is searched, and no step is spent on it.
        validate: returns a validation loss, without an effect on the run; some batches of validation data are enough.
        always_validate: forecasts validation losses from the first stage on.
        stage: steps of the first stage. The default is the code's.
        longest_stage: steps of the longest. The default is the code's.
        trial_fraction: length of a trial in stages, in (0, 1]; a trial has at least 8 steps. The default is the code's.
        candidates: trials a stage, >= 2. The default is the code's.
        kappa: how much uncertainty counts, >= 0. The default is the code's.
        warmup_steps: steps before the first stage, in which the rate rises linearly.
        warmup_lr: the rate at the end of these; ``max_lr`` by default.
        length: steps of the whole run, search included, if they are known: stages then end with the run.
        scale_groups: whether parameter groups with different rates keep their ratios.
        extra_state: see :class:`~trimtab.schedule.autolrs.roll_back.LoopRollBack`.
        batches: what the loop iterates over, in the place of the loader; a loop that does not is refused at the end of
            the first trial. Those that it keeps are part of this one's state.
        copy_on_cpu: whether the copy is kept in the main memory.
        published_forecast: whether to forecast as the released code does.
        roll_back: another way back, in the place of ``extra_state``, ``batches`` and ``copy_on_cpu``.
        seed: draws each stage's first rate.

    Attributes:
        phase: ``"warmup"``, ``"search"`` or ``"training"``; what the next step belongs to.
        lr: the rate of the next step.
        stage: steps of the current stage.
        total_steps: steps observed.
        useful_steps: those of them that the model still has in it.
        last_loss: the last that was finite.
        history: a record for each rate: of a trial with ``"trial"``, and with its ``"forecast"`` when that is known; of
            training with ``"useful_step"``, and with ``"abandoned"`` where that is what it is.

    Warns:
        RuntimeWarning: a stage was abandoned.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range, or parameter groups have different rates.
    """

    history: History

    def __init__(
        self,
        optimizer: Optimizer,
        model: nn.Module,
        min_lr: float,
        max_lr: float,
        *,
        validate: Callable[[], float] | None = None,
        always_validate: bool = False,
        stage: int = 1000,
        longest_stage: int = 8000,
        trial_fraction: float = 0.1,
        candidates: int = 10,
        kappa: float = 1e6,
        warmup_steps: int = 0,
        warmup_lr: float | None = None,
        length: int | None = None,
        scale_groups: bool = False,
        extra_state: Sequence[Any] = (),
        batches: ReplayedBatches | None = None,
        copy_on_cpu: bool = False,
        published_forecast: bool = False,
        roll_back: RollBack | None = None,
        seed: int = 0,
    ) -> None:
        self.optimizer = optimizer
        self.min_lr, self.max_lr = POSITIVE("min_lr", min_lr), Interval(0.0, math.inf, open=True)("max_lr", max_lr)
        if self.max_lr < self.min_lr:
            raise ValueError(f"min_lr={min_lr!r}, max_lr={max_lr!r}: min_lr <= max_lr is needed")
        if validate is not None and not callable(validate):
            raise TypeError(f"validate={validate!r} must be a function that returns a loss, or None")
        if flag("always_validate", always_validate) and validate is None:
            raise ValueError("always_validate=True needs validate, a function that returns a loss")
        self._validate = validate
        self.stage = whole_number(1)("stage", stage)
        self.longest_stage = whole_number(self.stage)("longest_stage", longest_stage)
        self.trial_fraction = Interval(0.0, 1.0, open=True, closed=True)("trial_fraction", trial_fraction)
        if trial_steps(stage, trial_fraction) < SHORTEST_TRIAL:
            raise ValueError(
                f"stage={stage!r} * trial_fraction={trial_fraction!r}: a trial needs at least {SHORTEST_TRIAL} steps "
                "for a forecast"
            )
        self.candidates = whole_number(2)("candidates", candidates)
        self.kappa = NON_NEGATIVE("kappa", kappa)
        self.warmup_steps = whole_number(0)("warmup_steps", warmup_steps)
        self.warmup_lr = self.max_lr if warmup_lr is None else POSITIVE("warmup_lr", warmup_lr)
        self.length = optional(whole_number(1))("length", length)
        least = self.warmup_steps + shortest_stage(self.trial_fraction, self.candidates)
        if self.length is not None and self.length < least and self.min_lr < self.max_lr:
            raise ValueError(
                f"length={length!r}: {candidates} trials of {SHORTEST_TRIAL} steps and the training after them need at "
                f"least {least} steps; fewer candidates need fewer"
            )
        self.published_forecast = flag("published_forecast", published_forecast)
        self._generator = torch.Generator().manual_seed(whole_number(0)("seed", seed))
        self._factors = rate_ratios(optimizer, scale=flag("scale_groups", scale_groups))
        self._roll_back = roll_back or loop_roll_back(
            model, optimizer, extra_state, batches, on_cpu=flag("copy_on_cpu", copy_on_cpu)
        )
        self._batches = None if roll_back else batches
        self._begin(always_validate)

    def _begin(self, validating: bool) -> None:
        self.history = []
        self.total_steps = self.useful_steps = 0
        self._stages = self._trial = self._left = self._trained = self._steps_in_trial = 0
        self._safe: float | None = None
        self._validating, self._first_loss, self.last_loss = validating, math.nan, math.nan
        self._rates: list[float] = []
        self._forecasts: list[float] = []
        self._losses: list[float] = []
        self._saved: Any = None
        self.phase: Phase = "warmup"
        self.lr = self.warmup_lr / max(1, self.warmup_steps)
        if self.warmup_steps:
            self._note()
        else:
            self._begin_stage()
        write_rates(self.optimizer, self.lr, self._factors)

    def observe(self, loss: float) -> None:
        """Takes note of a step, and sets the rate of the next; goes back where a trial is over.

        Args:
            loss: of the batch, before the step; not what a gradient scaler has made of it.

        Raises:
            DivergedError: the loss is not finite, and there is no lower rate to go on with.
            RuntimeError: a trial is over, and the loop has taken no batch from ``batches`` in it.
        """
        loss = float(loss)
        self.total_steps += 1
        if math.isnan(self._first_loss):
            self._first_loss = loss
        if math.isfinite(loss):
            self.last_loss = loss
        if self.phase == "search":
            self._observe_trial(loss)
        elif not math.isfinite(loss):
            self._abandon_training(loss)
        else:
            self.useful_steps += 1
            self._advance()
        write_rates(self.optimizer, self.lr, self._factors)

    def _advance(self) -> None:
        if self.phase == "warmup":
            if self.useful_steps < self.warmup_steps:
                self.lr = self.warmup_lr * (self.useful_steps + 1) / self.warmup_steps
                self._note()
            else:
                self._begin_stage()
            return
        self._trained += 1
        self._left -= 1
        if self._left == 0:
            self._safe = self.lr
            if self.stage < self.longest_stage:
                self.stage = min(2 * self.stage, self.longest_stage)
            else:
                self._validating = self._validate is not None
            self._begin_stage()

    def _begin_stage(self) -> None:
        left = None if self.length is None else self.length - self.total_steps
        lengths = stage_lengths(self.stage, left, self.trial_fraction, self.candidates)
        if lengths is None or self.min_lr == self.max_lr:
            self.phase, self._left, self._trained, self._saved = "training", -1, 0, None
            self.lr = self.min_lr if self._safe is None else self._safe
            self._note()
            return
        self._trial, self._left = lengths
        self._stages += 1
        self._saved = None  # two copies at once would take twice the memory
        self._saved = self._roll_back.save()
        self._rates, self._forecasts = [], []
        self.phase = "search"
        self._begin_trial()

    def _begin_trial(self) -> None:
        self._losses, self._steps_in_trial = [], 0
        self.lr = next_rate(
            self._rates, self._forecasts, (self.min_lr, self.max_lr), kappa=self.kappa, generator=self._generator
        )
        self._note(trial=float(len(self._rates) + 1))

    def _observe_trial(self, loss: float) -> None:
        self._steps_in_trial += 1
        every = max(1, self._trial // VALIDATIONS)
        if not self._validating or not math.isfinite(loss):
            self._losses.append(loss)
        elif self._steps_in_trial % every == 0:
            assert self._validate is not None  # noqa: S101  # or it would not validate
            self._losses.append(float(self._validate()))
        finite = not self._losses or math.isfinite(self._losses[-1])
        if finite and self._steps_in_trial < self._trial:
            return
        self._check_batches()
        forecast = self._forecast(every) if finite else DIVERGED
        self._rates.append(self.lr)
        self._forecasts.append(forecast)
        self.history[-1]["forecast"] = forecast
        if len(self._rates) < self.candidates:
            self._roll_back.restore(self._saved, last=False)
            self._begin_trial()
        else:
            self._choose()

    def _check_batches(self) -> None:
        # the first step's batch may have been taken before this controller was made
        if self._batches is not None and self._steps_in_trial > 1 and self._batches.untouched:
            raise RuntimeError(
                f"no batch was taken from batches= in a trial of {self._steps_in_trial} steps, so that data cannot be "
                "taken back: iterate over the ReplayedBatches itself (for inputs, targets in batches), not over the "
                "loader that it was made of"
            )

    def _forecast(self, every: int) -> float:
        if not self._validating:
            found = exponential_forecast(self._losses, self._left, published=self.published_forecast)
        elif max(self._losses) >= self._first_loss:
            return self._losses[-1]
        else:
            # The first validation comes after as many steps as lie between two.
            horizon = max(self._left / every - 1, len(self._losses) - 1, 1)
            found = exponential_forecast(self._losses, horizon, "validation", self.published_forecast)
        return found if math.isfinite(found) else DIVERGED

    def _choose(self) -> None:
        self._roll_back.restore(self._saved, last=True)
        self.phase, self._trained, self._losses = "training", 0, []
        best = min(range(self.candidates), key=self._forecasts.__getitem__)
        if self._forecasts[best] == DIVERGED:
            self.lr = self.min_lr if self._safe is None else self._safe
            self._abandon()
        else:
            self.lr = self._rates[best]
            self._note(forecast=self._forecasts[best])

    def _abandon_training(self, loss: float) -> None:
        if self._saved is None or self.lr <= self.min_lr:
            raise DivergedError(self.total_steps, loss)
        self._roll_back.restore(self._saved, last=True)
        self._left += self._trained
        self.useful_steps -= self._trained
        self._trained = 0
        self.lr = self._safe if self._safe is not None and self._safe < self.lr else self.min_lr
        self._abandon()

    def _abandon(self) -> None:
        self._note(abandoned=1.0)
        # Always the same words, which Python shows once: a run may abandon many stages, and a study have many runs.
        warnings.warn(
            "AutoLRS has abandoned a stage, because losses were not finite in all of its trials or in its training: "
            "it is trained with the last rate that went well, or else with min_lr. A lower max_lr leaves more of the "
            "search; history says 'abandoned' where it happens",
            RuntimeWarning,
            stacklevel=4,
        )

    def _note(self, **more: float) -> None:
        place = {"step": float(self.total_steps), "lr": self.lr, "stage": float(self._stages)}
        useful = {} if "trial" in more else {"useful_step": float(self.useful_steps)}
        self.history.append({**place, **useful, **more})

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that the future depends on, with the copy and the batches that trials go back to."""
        own = {name: getattr(self, name) for name in _COUNTERS}
        return {
            **{name: value if name == "_saved" else copy.deepcopy(value) for name, value in own.items()},
            "generator": self._generator.get_state(),
            **({} if self._batches is None else {"batches": self._batches.state_dict()}),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned, and sets the rate; load model and optimizer as well.

        The kept batches are set here too: a stage that began when this was made has left a mark among others.

        Raises:
            ValueError: it is no such state. Nothing was changed.
        """
        if not isinstance(state_dict, dict) or state_dict.keys() - {"batches"} != {*_COUNTERS, "generator"}:
            raise ValueError(f"state_dict={type(state_dict).__name__}: what AutoLRS.state_dict() returned is needed")
        if len(state_dict["_factors"]) != len(self.optimizer.param_groups):
            raise ValueError(f"state_dict is of {len(state_dict['_factors'])} parameter groups")
        for name in _COUNTERS:
            setattr(self, name, state_dict[name] if name == "_saved" else copy.deepcopy(state_dict[name]))
        self._generator.set_state(state_dict["generator"])
        if self._batches is not None and "batches" in state_dict:
            self._batches.load_state_dict(state_dict["batches"])
        write_rates(self.optimizer, self.lr, self._factors)
