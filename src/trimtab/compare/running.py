"""What every comparison has in common: running its plan, and keeping what it found."""

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trimtab.compare.budget import Budget, Numbers, written
from trimtab.compare.changes import definition_changes, manifest_change, remedies
from trimtab.compare.fitting import fitting
from trimtab.compare.plan import Plan
from trimtab.compare.prices import Price, predicted_seconds
from trimtab.compare.result import ComparisonResult, TaskFacts
from trimtab.compare.running_options import PRUNERS, Running
from trimtab.compare.stored import load_result
from trimtab.lab.database import Location, shown
from trimtab.lab.devices import described
from trimtab.lab.environment import environment
from trimtab.lab.errors import NoStudyError, StudyMismatchError
from trimtab.lab.executor import Executor, LocalExecutor
from trimtab.lab.starting import refuse_without_workers
from trimtab.lab.store import Store, read_store
from trimtab.lab.study import Observer, run_study
from trimtab.lab.trial import Work


class PlannedComparison(ABC):
    """A plan, how its points are run, and where its outcomes are kept.

    Args:
        plan: what is compared, and how. With a budget, its trials and seeds are the fewest, until they are chosen.
        out: directory of the study; made if missing, gone on with if it holds this study.
        reference: label of the candidate that verdicts compare with.
        running: how trials are run, and where their outcomes are kept.
        budget: the time that all of it may take.
    """

    def __init__(
        self, plan: Plan, out: Path, *, reference: str, running: Running, budget: Budget | None = None
    ) -> None:
        self.plan = plan
        self.out = out
        self.reference = reference
        self.running = running
        self.budget = budget
        self.chosen = budget is None

    @property
    def jobs(self) -> int:
        """How many trials this machine runs at once."""
        return self.running.workers

    @property
    def location(self) -> Location:
        """Where outcomes are kept."""
        return self.out if self.running.store is None else self.running.store

    @property
    def seeds(self) -> int | None:
        """Final runs of each candidate; ``None`` while they are not chosen."""
        return self.plan.seeds if self.chosen else None

    @property
    def sign(self) -> int:
        """What a loss is multiplied with to be shown."""
        return self.facts().sign

    @abstractmethod
    def work(self) -> Work:
        """Returns what a worker does with a point."""

    @abstractmethod
    def facts(self) -> TaskFacts:
        """Returns what a reader has to know of the task."""

    @abstractmethod
    def prices(self, store: Store, executor: Executor, observer: Observer | None) -> list[Price]:
        """Finds out what the candidates' runs take, with all workers of the executor busy."""

    def run(
        self, observer: Observer | None = None, planned: Callable[[Numbers], None] | None = None
    ) -> ComparisonResult:
        """Runs what has not been run yet, and analyses everything.

        Whatever ends it early, what is finished is kept: run it again to go on. Processes that share a store share the
        work, and each returns when all of it is done.

        Args:
            observer: is told what happens.
            planned: is told which numbers were chosen to fit the budget, when they are.

        Raises:
            InputError: the budget is too short.
            StudyMismatchError: the store holds another study.
            CorruptStoreError: it cannot be read.
            StoreInUseError: another process is running it in the same directory.
            StoreUnreachableError: the database does not answer.
            StoreLostError: it went away while the study ran, and stayed away.
        """
        refuse_without_workers()
        pruner = None if self.plan.pruning is None else PRUNERS[self.plan.pruning]()
        with Store(self.location, self.plan.manifest(), self.running.limits, manifest_change) as store:
            self._agree(store)
            outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
            if not self.chosen or any(point.key not in outcomes for point in self.plan.points(outcomes)):
                with self.running.make_executor(self.work(), answers=pruner is not None) as executor:
                    if not self.chosen:
                        prices = self.prices(store, executor, observer)
                        numbers = self.numbers(prices, self.places(executor))
                        self._agree(store, numbers)
                        if planned is not None:
                            planned(replace(numbers, trials=self.plan.trials, seeds=self.plan.seeds))
                    run_study(self.plan.points, store, executor, pruner=pruner, observer=observer)
        return self.running.read_patiently(lambda: load_result(self.out, self.running.store), self.location)

    def adopt(self, notes: Mapping[str, Any]) -> None:
        """Takes over the numbers of trials and seeds that a store's notes say were chosen.

        Raises:
            StudyMismatchError: they are not those that were asked for, or were chosen for another budget.
        """
        trials = notes.get("trials")
        if trials is None:
            return
        wanted: int | None = self.plan.trials
        time, time_there = None, notes.get("time")
        if self.budget is not None:
            wanted, time = self.budget.trials, written(self.budget.seconds)
        if wanted not in (None, trials) or (time is not None and time != time_there):
            there = f"trials: {trials} there" + (f", planned for --budget {time_there}" if time_there else "")
            here = f"{'as many as fit' if wanted is None else wanted} here" + (f", for --budget {time}" if time else "")
            thing = "output directory" if self.running.store is None else "database"
            raise StudyMismatchError(
                f"{shown(self.location)} holds the results of another study ({there}, {here}). Go on with --trials "
                f"{trials} --seeds {notes['seeds']}, or with more seeds; or choose another {thing}, or remove this one "
                "to start again."
            )
        if self.budget is not None and not self.chosen:
            seeds = notes["seeds"] if self.budget.seeds is None else self.budget.seeds
            self.plan = replace(self.plan, trials=trials, seeds=seeds)
            self.chosen = True

    def adopt_stored(self) -> None:
        """Takes over the numbers that were chosen for the budget in an earlier session, if there was one."""
        if not self.chosen:
            with contextlib.suppress(NoStudyError):
                stored = read_store(self.location)
                if stored.outcomes:  # what was planned without an outcome binds nobody
                    self.adopt(stored.annotation)

    def _agree(self, store: Store, numbers: Numbers | None = None) -> None:
        """Writes down what readers need, and takes over what others have chosen, or else chooses ``numbers``."""

        def notes(known: Mapping[str, Any]) -> dict[str, Any]:
            self.adopt(known)
            if numbers is not None:
                self.choose(numbers)
            return self.annotation(known)

        store.annotate(notes)  # no other process writes meanwhile

    def choose(self, numbers: Numbers) -> None:
        """Plans with these numbers of trials and seeds, unless others are chosen already."""
        if not self.chosen:
            self.plan = replace(self.plan, trials=numbers.trials, seeds=numbers.seeds)
            self.chosen = True

    def numbers(self, prices: Sequence[Price], workers: int) -> Numbers:
        """Returns how large the comparison will be: what fits the budget, or what was asked for."""
        if self.chosen or self.budget is None:
            trials, seeds = self.plan.trials, self.plan.seeds
            return Numbers(trials, seeds, predicted_seconds(prices, trials, seeds, workers))
        return fitting(self.budget, prices, workers, self.reference)

    def places(self, executor: Executor) -> int:
        """Returns how many trials an idle executor that has started runs at once."""
        return self.running.workers if isinstance(executor, LocalExecutor) else max(1, executor.free)

    def annotation(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a reader of the store needs beside the manifest.

        Raises:
            StudyMismatchError: what is known there is of other candidates.
        """
        time = None if self.budget is None else written(self.budget.seconds)
        return {
            "candidates": list(self.plan.labels()),
            "definitions": self._definitions(known.get("definitions", {})),
            "trials": self.plan.trials if self.chosen else None,
            "seeds": self.plan.seeds if self.chosen else None,
            "time": known["time"] if known.get("trials") is not None else time,
            "jobs": self.running.at_once,
            "reference": self.reference,
            "environment": {**environment(), "device": described(self.running.device)},
            "task": self.facts().to_dict(),
        }

    def _definitions(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Those of all candidates that ever took part, so that none can come back as another one."""
        ours = {c.label: json.loads(json.dumps(c.definition())) for c in self.plan.candidates}
        changed: dict[str, list[str]] = {}
        for label, definition in ours.items():
            if changes := definition_changes(known.get(label, definition), definition):
                changed.setdefault("; ".join(changes), []).append(label)
        if changed:
            words = ". ".join(f"{', '.join(labels)}: {changes}" for changes, labels in changed.items())
            raise StudyMismatchError(
                f"{shown(self.location)} holds trials of the same names from before a change, and new ones could not "
                f"be compared with them. {words}. {remedies(self.location)}."
            )
        return {**known, **ours}
