"""A comparison of optimizers over several tasks: one study, with a plan for each task."""

import contextlib
import time
import zlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trimtab.compare.beside import beside
from trimtab.compare.budget import Numbers
from trimtab.compare.changes import manifest_change, manifest_changes, remedies
from trimtab.compare.comparison import Comparison
from trimtab.compare.over_tasks.analysis import analyse_over_tasks
from trimtab.compare.over_tasks.result import AnyResult, ResultOverTasks
from trimtab.compare.over_tasks.work import WorkOverTasks
from trimtab.compare.plan import EVALUATIONS
from trimtab.compare.prices import predicted_seconds
from trimtab.compare.running_options import PRUNERS
from trimtab.compare.stored import analyse_stored, stored_plan, stored_result
from trimtab.lab.checks import LONGEST_FILE_NAME, check_path, check_texts
from trimtab.lab.database import Location, shown
from trimtab.lab.errors import Faults, InputError, NoStudyError, StudyMismatchError
from trimtab.lab.executor import Executor
from trimtab.lab.lease import Limits
from trimtab.lab.starting import refuse_without_workers
from trimtab.lab.store import Store, StoredStudy, read_store
from trimtab.lab.study import Observer, Outcomes, run_study
from trimtab.lab.trial import Point

_KIND = "comparison over several tasks"


class ComparisonOverTasks:
    """Tunes the same candidates on each of several tasks, and compares them on each and over all.

    It is one study, with one store and one set of workers. Every task is compared as by
    :class:`~trimtab.compare.comparison.Comparison`; what is said over all of them are performance profiles. Candidates,
    seeds and tasks may be added later to the same directory.

    Making one checks everything that can be checked before any long work starts.

    Args:
        tasks: names of tasks that ship, or ``path/to/task.py:name``; each has its own name.
        candidates: expressions such as ``"lion"`` or ``"adamw(weight_decay=0.1)"``, in one string with commas or in
            several.
        out: directory of the study, ``runs/<names of the tasks>`` by default.
        trials: quasi-random settings tried for each candidate on each task; 16 by default, or as many as fit the
            budget.
        seeds: fresh seeds of the final runs; each task's own number by default, or as many as fit the budget.
        steps: length of a run in plain optimizer steps; each task's own by default.
        budget: wall-clock time for all tasks together, such as ``"20m"``; the trials and seeds that are chosen to fit
            it are the same for all of them.
        reference: label of the candidate that verdicts compare with; AdamW if it takes part, else the first.
        pruner: gives up hopeless tuning trials: ``"median"`` or ``"successive-halving"``.
        jobs: worker processes; one a core by default, or one a CUDA device.
        store: SQLAlchemy URL of the database that keeps the results; a file in ``out`` by default.
        limits: how long processes that share a store wait for each other and for the database.
        executor: where trials run: ``"local"`` or ``"ray"``.
        ray_address: of a Ray cluster that runs already.
        device: where models and batches are: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises:
        InputError: something cannot work; the message names the place and the remedy.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        candidates: str | Sequence[str],
        out: str | Path | None = None,
        *,
        trials: int | None = None,
        seeds: int | None = None,
        steps: int | None = None,
        budget: str | None = None,
        reference: str | None = None,
        pruner: str | None = None,
        jobs: int | None = None,
        store: str | None = None,
        limits: Limits | None = None,
        executor: str = "local",
        ray_address: str | None = None,
        device: str = "cpu",
    ) -> None:
        check_texts("tasks", tasks)
        if out is not None:
            check_path("out", out)
        if not tasks:
            raise InputError("tasks is empty: at least one task is needed")
        self.comparisons: dict[str, Comparison] = {}
        faults = Faults()
        for task in tasks:
            with faults:
                comparison = Comparison(
                    task,
                    candidates,
                    trials=trials,
                    seeds=seeds,
                    steps=steps,
                    budget=budget,
                    reference=reference,
                    pruner=pruner,
                    jobs=jobs,
                    store=store,
                    limits=limits,
                    executor=executor,
                    ray_address=ray_address,
                    device=device,
                )
                name = comparison.plan.task
                if name in self.comparisons:
                    raise InputError(f"{task} is a second task with the name {name}; results are kept under that name")
                self.comparisons[name] = comparison
        faults.raise_any()
        self.out = Path("runs") / directory_name(list(self.comparisons)) if out is None else Path(out)
        for comparison in self.comparisons.values():
            comparison.out = self.out
        self._any = next(iter(self.comparisons.values()))
        self.reference = self._any.reference
        self.running = self._any.running
        self.budget = self._any.budget
        self.sign = 1

    @property
    def jobs(self) -> int:
        """How many trials this machine runs at once."""
        return self.running.workers

    @property
    def location(self) -> Location:
        """Where outcomes are kept."""
        return self._any.location

    @property
    def seeds(self) -> dict[str, int] | None:
        """Final runs of each candidate, by task; ``None`` while they are not chosen."""
        if not self.chosen:
            return None
        return {name: comparison.plan.seeds for name, comparison in self.comparisons.items()}

    @property
    def chosen(self) -> bool:
        """Whether the numbers of trials and seeds are known for every task."""
        return all(comparison.chosen for comparison in self.comparisons.values())

    def manifest(self) -> dict[str, Any]:
        """Returns what may not change when the study goes on; what each task may not change is in the annotation."""
        return {"kind": _KIND, "pruning": self.running.pruner, "evaluations": EVALUATIONS}

    def points(self, outcomes: Outcomes) -> list[Point]:
        """Returns every point that is known, task by task."""
        return [point for comparison in self.comparisons.values() for point in comparison.plan.points(outcomes)]

    def work(self) -> WorkOverTasks:
        """Returns what a worker does with a point."""
        return WorkOverTasks({name: comparison.work() for name, comparison in self.comparisons.items()})

    def run(
        self, observer: Observer | None = None, planned: Callable[[Numbers], None] | None = None
    ) -> ResultOverTasks:
        """Runs what has not been run yet, and analyses everything.

        Whatever ends it early, what is finished is kept: run it again to go on.

        Args:
            observer: is told what happens.
            planned: is told which numbers were chosen to fit the budget, when they are.

        Raises:
            InputError: the budget is too short.
            StudyMismatchError: the store holds another study, or another task of the same name.
            CorruptStoreError: it cannot be read.
            StoreInUseError: another process is running it in the same directory.
            StoreUnreachableError: the database does not answer.
            StoreLostError: it went away while the study ran, and stayed away.
        """
        refuse_without_workers()
        pruner = None if self.running.pruner is None else PRUNERS[self.running.pruner]()
        with Store(self.location, self.manifest(), self.running.limits, manifest_change) as store:
            self._agree(store)
            outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
            if not self.chosen or any(point.key not in outcomes for point in self.points(outcomes)):
                with self.running.make_executor(self.work(), answers=pruner is not None) as executor:
                    if not self.chosen:
                        numbers = self._numbers(executor, outcomes)
                        self._agree(store, numbers)
                        if planned is not None:
                            planned(numbers)
                    run_study(self.points, store, executor, pruner=pruner, observer=observer)
        return self.running.read_patiently(lambda: _result(read_store(self.location), self.location), self.location)

    def estimate(self) -> Numbers:
        """Measures a few steps of each candidate on each task, and returns how large all of it will be.

        Raises:
            InputError: the budget is too short.
        """
        if not self.chosen:
            with contextlib.suppress(NoStudyError):
                stored = read_store(self.location)
                there = stored.annotation.get("tasks", {}) if stored.outcomes else {}
                for name, comparison in self.comparisons.items():
                    comparison.adopt(there.get(name, {}))
        start = time.monotonic()
        with self.running.make_executor(self.work(), answers=False) as executor:
            while not executor.free:
                executor.wait()
            ready = time.monotonic() - start
            numbers = self._numbers(executor)
        return replace(numbers, seconds=numbers.seconds + (ready if self.budget is None else self.budget.spent))

    def _numbers(self, executor: Executor, known: Container[str] = ()) -> Numbers:
        """What fits the budget, or what tasks that took part earlier have, or what was asked for."""
        prices = {name: comparison.measured(executor, known) for name, comparison in self.comparisons.items()}
        workers = self._any.places(executor)
        first = next((comparison for comparison in self.comparisons.values() if comparison.chosen), None)
        if first is None:
            return self._any.numbers([price for found in prices.values() for price in found], workers)
        trials, seeds = first.plan.trials, first.plan.seeds
        seconds = sum(
            predicted_seconds(prices[name], trials, comparison.plan.seeds if comparison.chosen else seeds, workers)
            for name, comparison in self.comparisons.items()
        )
        return Numbers(trials, seeds, seconds)

    def _agree(self, store: Store, numbers: Numbers | None = None) -> None:
        """Writes down what readers need, and takes over what others have chosen, or else chooses ``numbers``."""
        store.annotate(lambda known: self._annotation(known, numbers))  # no other process writes meanwhile

    def _annotation(self, known: Mapping[str, Any], numbers: Numbers | None) -> dict[str, Any]:
        """The tasks of this run, and what is known of every task that ever took part."""
        tasks: dict[str, Any] = dict(known.get("tasks", {}))
        for name, comparison in self.comparisons.items():
            there, manifest = tasks.get(name, {}), comparison.plan.manifest()
            before = there.get("manifest", manifest)
            if changes := manifest_changes(before, manifest):
                raise StudyMismatchError(
                    f"{shown(self.location)} holds trials on {name} as it was before, and new ones could not be "
                    f"compared with them: {'; '.join(changes)}. {remedies(self.location)}."
                )
            comparison.adopt(there)
            if numbers is not None:
                comparison.choose(numbers)
            tasks[name] = {**comparison.annotation(there), "manifest": manifest}
        return {
            "compared": list(self.comparisons),
            "candidates": list(self._any.plan.labels()),
            "trials": self._any.plan.trials if self.chosen else None,
            "seeds": self.seeds,
            "jobs": self.running.at_once,
            "time": tasks[self._any.plan.task]["time"],
            "reference": self.reference,
            "tasks": tasks,
        }


def directory_name(tasks: Sequence[str]) -> str:
    """Returns what a directory of results on these tasks is called: their names with a plus, if there is room."""
    name = "+".join(tasks)
    if len(name.encode()) <= LONGEST_FILE_NAME:
        return name
    return f"{tasks[0].encode()[:100].decode(errors='ignore')}+{len(tasks) - 1}-{zlib.crc32(name.encode()):08x}"


def _result(stored: StoredStudy, location: Location) -> ResultOverTasks:
    if not stored.annotation:
        raise StudyMismatchError(f"the comparison in {shown(location)} was stopped before it began; run it again")
    tasks, unfinished, seeds = {}, [], {}
    for name in stored.annotation["compared"]:
        notes = stored.annotation["tasks"][name]
        if notes["trials"] is None:
            raise StudyMismatchError(
                f"the comparison in {shown(location)} is not planned yet: that follows when each candidate has been "
                "tried"
            )
        plan = stored_plan(notes["manifest"], notes)
        tasks[name] = analyse_stored(plan, stored.outcomes, notes)
        seeds[name] = plan.seeds
        if any(point.key not in stored.outcomes for point in plan.points(stored.outcomes)):
            unfinished.append(name)
    result = analyse_over_tasks(tasks, unfinished, stored.annotation["reference"])
    return replace(result, beside=beside(stored.outcomes, stored.annotation["candidates"], seeds))


def load_any(out: str | Path, store: str | None = None) -> AnyResult:
    """Analyses whatever is finished of a comparison, on one task or over several.

    Args:
        out: its directory.
        store: the SQLAlchemy URL of its database, if that is not in the directory.

    Raises:
        StudyMismatchError: there is no study in it.
        CorruptStoreError: it cannot be read.
        StoreUnreachableError: the database does not answer.
    """
    check_path("out", out)
    location: Location = Path(out) if store is None else store
    stored = read_store(location)
    return _result(stored, location) if _is_over_tasks(stored) else stored_result(stored, location)


def _is_over_tasks(stored: StoredStudy) -> bool:
    return stored.manifest.get("kind") == _KIND
