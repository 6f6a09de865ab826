"""A search: one run of a sampler on a black box."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from trimtab.lab.blackbox.kept import KeptEvaluations
from trimtab.lab.blackbox.observation import Observation
from trimtab.lab.blackbox.pool import Pool
from trimtab.lab.blackbox.sampler_clock import SamplerClock
from trimtab.lab.blackbox.spaces import Params, middle, spread
from trimtab.lab.meter import CostMeter
from trimtab.study.errors import InputError
from trimtab.study.metric import Evaluation, Split

if TYPE_CHECKING:
    from trimtab.lab.blackbox.problem import BlackBox

MakeSampler: TypeAlias = Callable[[int], BaseSampler]
"""What a candidate fills the slot with: makes a sampler of a seed."""

# one line a run on a screen that shows progress says nothing; trimtab.study.database does the same for its own studies
optuna.logging.set_verbosity(optuna.logging.WARNING)

SUGGESTION = "suggestion seconds"
"""Wall-clock seconds that a sampler takes for an evaluation of its own choice: to ask, and to be told."""

FEASIBLE = "feasible"
"""1 where the settings that are recommended in the end meet all constraints, and 0 elsewhere."""

COVERED = "covered"
"""1 where the interval that a sampler gives for its recommendation holds what that is worth, and 0 elsewhere."""


@dataclass(frozen=True)
class Recommended:
    """Settings that are recommended.

    Args:
        params: they.
        interval: within which the sampler takes their value to be, if it says so.
    """

    params: Params
    interval: tuple[float, float] | None = None


class Search:
    """One search in progress.

    Args:
        problem: what is searched, as the seed has it.
        build: makes the sampler.
        seed: of the sampler, of the noise, of the first points and of who is done first.
        budget: evaluations.
        kept: evaluations that were paid for before.

    Raises:
        InputError: what was built is no sampler.
    """

    def __init__(
        self, problem: "BlackBox", build: MakeSampler, *, seed: int, budget: int, kept: KeptEvaluations | None = None
    ) -> None:
        sampler_seed, self._noise, place, first, pool = np.random.SeedSequence(seed).spawn(5)
        self._problem = problem.placed(np.random.default_rng(place))
        self._sign = -1 if problem.direction == "maximize" else 1
        sampler = build(int(sampler_seed.generate_state(1)[0]))
        if not isinstance(sampler, BaseSampler):
            raise InputError(f"{sampler!r} is no optuna.samplers.BaseSampler")
        pruner = optuna.pruners.NopPruner()  # what an evaluation costs does not depend on the others
        self._study = optuna.create_study(sampler=sampler, direction=problem.direction, pruner=pruner)
        self._space, self._first = dict(self._problem.distributions), self._problem.points_before(budget)
        for params in spread(self._space, self._first, int(first.generate_state(1)[0])):
            self._study.enqueue_trial(params)
        self._pool = Pool[tuple[Trial, Observation | Exception]](self._problem.workers, pool)
        self._kept = KeptEvaluations(None) if kept is None else kept
        self._clock = SamplerClock(sampler, self._first)
        self._asked = 0
        self._error: Exception | None = None
        self._worth: dict[tuple[Split, bool], tuple[Params, Observation]] = {}
        self._recommended: tuple[int, Recommended] | None = None
        self.meter, self.steps = CostMeter(budget), 0

    def step(self) -> float:
        """Asks for settings, evaluates, tells the value, and returns the loss.

        The first step goes on until all first points are through, which are the same for all, and something has a
        value.

        Raises:
            Exception: what the first evaluation raised, if none had a value and the budget is used up.
        """
        while True:
            trial, found = self._next()
            self.meter.charge(1)
            self.steps += 1
            self._tell(trial, found)
            if not self._begun():
                self._error = self._error or (found if isinstance(found, Exception) else None)
                continue
            if isinstance(found, Observation):
                return self._sign * found.value
            if any(each.state == TrialState.COMPLETE for each in self._study.get_trials(deepcopy=False)):
                return self._last()
            self._error = self._error or found
            if self.meter.exhausted:
                raise self._error

    def _begun(self) -> bool:
        """Returns whether all first points are through."""
        first = self._study.get_trials(deepcopy=False)[: self._first]
        return len(first) == self._first and all(each.state.is_finished() for each in first)

    def attempt(self) -> None:
        """Has the sampler choose settings, which are not evaluated, and asks whether it can do with their space.

        It is asked where it has a method ``check_space`` of a mapping of names to distributions, which raises.
        """
        # in a study without first points, which it would not choose
        study = optuna.create_study(sampler=self._study.sampler, direction=self._problem.direction)
        trial = self._problem.ask(study)
        study.tell(trial, state=TrialState.FAIL)
        check = getattr(self._study.sampler, "check_space", None)
        if check is not None:  # one that begins at random would else refuse when that has been paid for
            check(trial.distributions)

    def _next(self) -> tuple[Trial, Observation | Exception]:
        while self._pool.free and self._asked < self.meter.budget:
            trial = self._problem.ask(self._study)
            # a generator for each evaluation: how much one draws may depend on the settings
            noise = np.random.default_rng(self._noise.spawn(1)[0])
            self._pool.begin((trial, self._evaluated(trial, noise)))
            self._asked += 1
        return self._pool.finish()

    def _evaluated(self, trial: Trial, noise: np.random.Generator) -> Observation | Exception:
        try:
            observe = partial(self._problem.observe, trial, noise)
            return self._kept.get(self._asked, trial, observe, lambda: self._clock.seconds)
        except Exception as error:  # it loses this evaluation, and not the run
            return error

    def _tell(self, trial: Trial, found: Observation | Exception) -> None:
        if isinstance(found, Exception):
            pruned = isinstance(found, optuna.TrialPruned)
            self._study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
            return
        for name, value in found.named_constraints():
            if name not in trial.constraints:  # an objective has told them itself
                trial.set_constraint(name, value)
        if found.variance is not None:
            trial.set_user_attr("variance", found.variance)
        self._study.tell(trial, found.value)

    def _last(self) -> float:
        """Returns the loss of the last evaluation that had one."""
        known = [each for each in self._study.get_trials(deepcopy=False) if each.value is not None]
        return self._sign * cast(float, known[-1].value)

    def evaluate(self, split: Split = "validation") -> Evaluation:
        """Scores what would be recommended so far: the middle of the space before anything was evaluated."""
        params = self.recommended().params
        key = split, self._problem.judged_last and self.meter.exhausted
        if key not in self._worth or self._worth[key][0] != params:  # mostly they are those of the last look
            self._worth[key] = params, self._truth(params, split)
        return self._problem.scored(self._value(self._worth[key][1]))

    def _truth(self, params: Params, split: Split) -> Observation:
        known = self._observed(params)
        last = self._problem.judged_last
        if known is not None and (self._problem.exact or (last and not self.meter.exhausted)):
            return known
        return self._problem.settled(params, split, known)

    def _observed(self, params: Params) -> Observation | None:
        """Returns what was observed of settings, the first time."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.params == params and trial.value is not None:
                # of a problem without constraints, a sampler may have some of its own, which are not the truth
                found = constraints_of(trial) if self._problem.constraint_count else {}
                return Observation(trial.value, tuple(found.values()))
        return None

    def _value(self, found: Observation) -> float:
        """Returns what an observation counts as: where constraints are missed, as worse than all of the first points.

        What misses a constraint is often better than whatever keeps it, so the worst value would be no penalty.
        """
        if not found.violation:
            return found.value
        first = [each.value for each in self._study.get_trials(deepcopy=False)[: self._first]]
        losses = [self._sign * value for value in first if value is not None] or [self._sign * found.value]
        return self._sign * (2 * max(losses) - min(losses))

    def recommended(self) -> Recommended:
        """Returns the settings that would be recommended so far."""
        if self._recommended is None or self._recommended[0] != self.steps:
            self._recommended = self.steps, self._recommend()
        return self._recommended[1]

    def _recommend(self) -> Recommended:
        if not self.steps:
            return Recommended(middle(self._space))
        try:
            best = self._study.best_params
        except ValueError:  # nothing has met all constraints so far, of which nothing can be recommended
            known = [each for each in self._study.get_trials(deepcopy=False) if each.value is not None]
            return Recommended(min(known, key=self._how_bad).params)
        recommend = getattr(self._study.sampler, "recommend", None)
        if recommend is None:
            return Recommended(best)
        found = recommend(self._study)
        return Recommended(dict(getattr(found, "params", found)), getattr(found, "interval", None))

    def _how_bad(self, trial: FrozenTrial) -> tuple[float, float]:
        violation = sum(max(0.0, each) for each in constraints_of(trial).values())
        return violation, self._sign * cast(float, trial.value)

    def measures(self) -> Mapping[str, float]:
        """Returns the time that the sampler takes, and what is said of its last recommendation."""
        chosen = self._asked - self._first
        found = {SUGGESTION: self._clock.chosen / chosen} if chosen > 0 else {}
        worths = [self._worth[key] for key in (("validation", True), ("validation", False)) if key in self._worth]
        if not worths:
            return found
        params, worth = worths[0]
        if self._problem.constraint_count:
            found[FEASIBLE] = float(not worth.violation)
        recommended = self.recommended()
        if recommended.interval is not None and recommended.params == params:
            low, high = recommended.interval
            found[COVERED] = float(low <= worth.value <= high)
        return found

    def watched(self) -> Mapping[str, float]:
        """Returns how long the sampler has taken so far, in seconds."""
        return {SUGGESTION: self._clock.chosen}


def constraints_of(trial: FrozenTrial) -> Mapping[Any, float]:
    """Returns the constraints that a trial has been told, by name, or by their places as Optuna 4 keeps them."""
    return getattr(trial, "constraints", {}) or dict(enumerate(trial.system_attrs.get("constraints") or ()))
