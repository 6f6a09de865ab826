"""How large a comparison is, and how long it takes: candidates are tried, runs priced, trials and seeds chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.catalog.ranges import parse_tunes
from trimtab.compare.budget import Budget, Numbers
from trimtab.compare.fitting import fitting
from trimtab.compare.measuring import run_checks
from trimtab.compare.options import Options
from trimtab.compare.part import Part
from trimtab.compare.prices import Price, predicted_seconds
from trimtab.compare.pricing import each_has_run, first_point, known_prices, measured_prices, piloted_prices
from trimtab.lab.problem import SteppedProblem
from trimtab.study.executor import Executor
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.running import Observer, Outcomes
from trimtab.study.store import Store


@dataclass(frozen=True)
class Sizing:
    """Finds out what the runs of a comparison take, and how large it can be.

    Args:
        parts: the problems with their plans, by name.
        options: of the comparison.
        budget: the time that all of it may take; ``None`` where trials and seeds are as many as were asked for.
        reference: label of the candidate that verdicts compare with.
    """

    parts: Mapping[str, Part]
    options: Options
    budget: Budget | None
    reference: str

    @property
    def in_steps(self) -> bool:
        """Whether all runs go in steps, a few of which tell how long the others take."""
        return all(isinstance(part.problem, SteppedProblem) for part in self.parts.values())

    def check(self, executor: Executor, outcomes: Outcomes) -> None:
        """Has each candidate that is new do as little as shows whether it can run, where a problem knows how.

        Raises:
            InputError: some of them cannot.
        """
        points = [
            first_point(part, candidate, "check")
            for part in self.parts.values()
            for candidate in part.plan.candidates
            if part.problem.tried and part.plan.first_points(candidate)[0].key not in outcomes
        ]
        run_checks(executor, points, typed=[tune.setting for tune in parse_tunes(self.options.tune)])

    def known(self, outcomes: Outcomes) -> Numbers | None:
        """Returns what follows from runs that have ended; ``None`` until each candidate has run once everywhere.

        Raises:
            InputError: the budget is too short.
        """
        if not each_has_run(list(self.parts.values()), outcomes):
            return None
        prices = {name: known_prices(part, outcomes) for name, part in self.parts.items()}
        return self._numbers(prices, self.options.workers)

    def measured(self, executor: Executor) -> Numbers:
        """Returns what follows from a few steps of each candidate, of which nothing is kept.

        Raises:
            InputError: a candidate cannot be measured, or the budget is too short.
        """
        prices = {name: measured_prices(part, executor) for name, part in self.parts.items()}
        return self._numbers(prices, self._places(executor))

    def chosen(self, store: Store, executor: Executor, observer: Observer | None) -> Numbers | None:
        """Finds out what runs take, with all workers busy, and fits trials and seeds to the budget.

        Args:
            store: keeps the first trials, where runs do not go in steps.
            executor: runs them.
            observer: is told what happens.

        Returns:
            ``None`` where nothing is left to be chosen.

        Raises:
            InputError: nothing could be measured, or the budget is too short.
        """
        if self.budget is None or all(part.chosen for part in self.parts.values()):
            return None
        prices = {
            name: measured_prices(part, executor, store.outcomes())
            if isinstance(part.problem, SteppedProblem)
            else piloted_prices(part, self.budget, store, executor, places=self._places(executor), observer=observer)
            for name, part in self.parts.items()
        }
        return self._numbers(prices, self._places(executor))

    def _numbers(self, prices: Mapping[str, Sequence[Price]], workers: int) -> Numbers:
        """What fits the budget, or what problems that took part earlier have, or what was asked for."""
        there = next((part for part in self.parts.values() if part.chosen), None)
        if there is None and self.budget is not None:
            return fitting(
                self.budget, [price for found in prices.values() for price in found], workers, self.reference
            )
        plan = next(iter(self.parts.values())).plan if there is None else there.plan
        seconds = sum(
            predicted_seconds(prices[name], plan.trials, part.plan.seeds if part.chosen else plan.seeds, workers)
            for name, part in self.parts.items()
        )
        return Numbers(plan.trials, plan.seeds, seconds)

    def _places(self, executor: Executor) -> int:
        """Returns how many trials an idle executor that has started runs at once."""
        return self.options.workers if isinstance(executor, LocalExecutor) else max(1, executor.free)
