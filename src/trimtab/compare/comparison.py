"""A comparison: candidates on problems, tuned with the same budget and compared on fresh seeds."""

import contextlib
import functools
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.pruners import BasePruner

from trimtab.catalog.fillings import Given
from trimtab.compare import LIKELY_OF_TASKS
from trimtab.compare.agreement import agree, annotation, manifest
from trimtab.compare.asking import asked
from trimtab.compare.budget import Budget, Numbers, parse_duration
from trimtab.compare.changes import manifest_changes
from trimtab.compare.options import PRUNERS, Options
from trimtab.compare.over_problems.result import AnyResult
from trimtab.compare.part import Part
from trimtab.compare.plan import Plan
from trimtab.compare.sizing import Sizing
from trimtab.compare.stored import load_any
from trimtab.compare.work import Work
from trimtab.lab.devices import as_the_only_one
from trimtab.lab.problem import Problem, Workplace
from trimtab.study.again import runs_again
from trimtab.study.callbacks import Callback, Callbacks, Observers, StudyAbout, check_callbacks
from trimtab.study.checks import LONGEST_FILE_NAME
from trimtab.study.cores import threads_per_worker
from trimtab.study.errors import NoStudyError
from trimtab.study.executor import Executor
from trimtab.study.facts import Facts
from trimtab.study.ledger import Again
from trimtab.study.location import Location
from trimtab.study.notes import RACED
from trimtab.study.point import Point
from trimtab.study.running import Observer, Outcomes, run_study
from trimtab.study.starting import refuse_without_workers
from trimtab.study.store import Store
from trimtab.study.stored_study import read_store


class Comparison:
    """Tunes candidates on problems with the same budget, and compares them on fresh seeds.

    Making one checks everything that can be checked without running anything.

    Args:
        problems: one problem: the name of one that ships, ``path/to/file.py:name``, a table, or a
            :class:`~trimtab.lab.commands.problem.CommandProblem`. A list of problems is one study with one store and
            one set of workers: each is compared by itself, and what is said over all of them are performance profiles.
            Candidates, seeds and problems may be added later to the same directory.
        candidates: what fits the problems: of tasks, expressions such as ``"lion"`` or ``"adamw(weight_decay=0.1)"``;
            of commands, names, or names with commands of their own. In one string with commas or in several; the usual
            ones by default.
        out: directory of the study; see :class:`~trimtab.compare.options.Options`.
        target: of every table among the problems that does not say it in brackets, the column that is to be learned:
            ``Comparison("data.csv", "adamw,lion", target="price")``.
        options: how large it is, how trials are run, and where their outcomes are kept.
        **more: options by name, as in ``Comparison("digits", "adamw,lion", trials=8)``.

    Attributes:
        parts: the problems with their plans, by name.
        out: directory of the study.
        reference: label of the candidate that verdicts compare with.
        budget: the time that all of it may take.

    Raises:
        InputError: something cannot work; the message names the place and the remedy.
    """

    def __init__(
        self,
        problems: str | Problem | Sequence[str | Problem],
        candidates: Given | None = None,
        out: str | Path | None = None,
        *,
        target: str | None = None,
        options: Options | None = None,
        **more: Any,
    ) -> None:
        start = time.monotonic()
        more |= {} if out is None else {"out": out}
        found = asked(problems, candidates, target, options, more)
        posed, chosen = found.problems, found.options
        self.options, self.reference = chosen, found.reference
        self.several = not isinstance(problems, str | Problem) or len(posed) > 1
        names = [each.name for each in posed]
        self.out = Path("runs") / directory_name(names) if chosen.out is None else Path(chosen.out)
        self.budget = None
        if chosen.budget is not None:
            seconds, usual = parse_duration(chosen.budget), posed[0].problem.seeds
            trials = chosen.trials if posed[0].problem.tuned else 0
            self.budget = Budget(seconds, trials, chosen.seeds, usual, start)
        self.parts = {
            each.name: Part(
                each,
                taking_part,
                kept=self.reference,
                options=chosen,
                budget=self.budget,
                location=self.location,
            )
            for each, taking_part in zip(posed, found.candidates, strict=True)
        }
        self._sources = {each.name: each.source for each in posed}
        self._sizing = Sizing(self.parts, chosen, self.budget, self.reference)

    @property
    def location(self) -> Location:
        """Where outcomes are kept."""
        return self.out if self.options.store is None else self.options.store

    @property
    def first(self) -> Part:
        """One of the parts; all have the same candidates."""
        return next(iter(self.parts.values()))

    @property
    def chosen(self) -> bool:
        """Whether the numbers of trials and seeds are known for every problem."""
        return all(part.chosen for part in self.parts.values())

    @property
    def seeds(self) -> int | dict[str, int] | None:
        """Final runs of each candidate, of several problems by name; ``None`` while they are not chosen."""
        if not self.chosen:
            return None
        found = {name: part.plan.seeds for name, part in self.parts.items()}
        return found if self.several else self.first.plan.seeds

    @property
    def most(self) -> int | None:
        """How many trials there are at most, a race having fewer; ``None`` while that is not chosen."""
        return sum(part.plan.most_trials for part in self.parts.values()) if self.chosen else None

    def again(self, problem: str) -> Again:
        """Returns what tells how many tuning trials with further seeds a candidate has on a problem."""
        seeds = self.parts[problem].plan.tuning_seeds if problem in self.parts and not self.options.race else 1
        return functools.partial(runs_again, seeds=seeds)

    @property
    def sign(self) -> int:
        """What a loss is multiplied with to be shown."""
        return self.first.facts.sign

    @property
    def _facts(self) -> dict[str, Facts]:
        return {part.plan.problem: part.facts for part in self.parts.values()}

    @property
    def place(self) -> Workplace:
        """Where runs take place."""
        device, threads = as_the_only_one(self.options.device), threads_per_worker(self.options.workers)
        return Workplace((self.out / "trials").resolve(), device, threads, Path.cwd(), self.several)

    def points(self, outcomes: Outcomes) -> list[Point]:
        """Returns every point that is known, problem by problem."""
        return [point for part in self.parts.values() for point in part.plan.points(outcomes)]

    def work(self) -> Work:
        """Returns what a worker does with a point."""
        modules = dict.fromkeys(module for part in self.parts.values() for module in part.problem.modules)
        likely = [name for name in LIKELY_OF_TASKS if name in sys.modules and "torch" in modules]
        return Work(
            self._sources,
            {name: {each.label: each for each in part.plan.candidates} for name, part in self.parts.items()},
            {name: part.plan.budget for name, part in self.parts.items()},
            self.place,
            (*modules, *likely, "trimtab.compare.work"),
        )

    def run(
        self,
        observer: Observer | None = None,
        planned: Callable[[Numbers], None] | None = None,
        *,
        callbacks: Sequence[Callback] = (),
    ) -> AnyResult:
        """Runs what has not been run yet, and analyses everything.

        Whatever ends it early, what is finished is kept: run it again to go on. Processes that share a store share the
        work, and each returns when all of it is done.

        Args:
            observer: is told what happens.
            planned: is told which numbers were chosen to fit the budget, when they are.
            callbacks: are told what happens as well, and of trials that were finished before; what they raise is a
                warning. See :class:`~trimtab.study.callbacks.Callbacks`.

        Raises:
            InputError: a candidate cannot run, the budget is too short, or a callback refuses the comparison.
            StudyMismatchError: the store holds another study, or another problem of the same name.
            CorruptStoreError: it cannot be read.
            StoreInUseError: another process is running it in the same directory.
            StoreUnreachableError: the database does not answer.
            StoreLostError: it went away while the study ran, and stayed away.
        """
        check_callbacks(callbacks)
        refuse_without_workers()
        pruner = None if self.options.pruner is None else PRUNERS[self.options.pruner]()
        with Store(self.location, manifest(self), self.options.limits, self._changes) as store:
            ranges = store.ranges()
            for part in self.parts.values():
                part.adopt_ranges(ranges)
            about = StudyAbout(agree(self, store), directory_name(list(self.parts)), self.out, self._facts)
            with Callbacks(callbacks, about) as told, contextlib.ExitStack() as leaving:
                leaving.callback(store.give_back)  # before callbacks are waited for: other machines may go on at once
                watching: Observer = told if observer is None else Observers(observer, told)
                outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
                if not self.chosen or any(point.key not in outcomes for point in self.points(outcomes)):
                    answers = pruner is not None or self.options.race
                    with self.options.make_executor(self.work(), answers=answers) as executor:
                        self._sizing.check(executor, outcomes)
                        self._choose(store, executor, watching, planned)
                        judge = self._hopeless if self.options.race else None
                        if pruner is not None:
                            judge = functools.partial(self._pruned, store, pruner)
                        run_study(self.points, store, executor, hopeless=judge, observer=watching)
                else:
                    told.planned(self.points(outcomes), outcomes)
            if self.options.race:
                ended = self._raced({key: outcome for key, (_, outcome) in store.outcomes().items()})
                noted = functools.partial(store.annotate, lambda known: {**known, RACED: ended})
                self.options.patiently(noted, self.location)  # readers cannot tell without playing it
        return self.options.patiently(lambda: load_any(self.out, self.options.store), self.location)

    def _raced(self, outcomes: Outcomes) -> dict[str, Any]:
        """What a store notes of a race that has ended."""
        return {part.plan.problem: part.plan.raced(outcomes).noted() for part in self.parts.values()}

    def _hopeless(self, outcomes: Outcomes, point: Point, cost: int, loss: float) -> bool:
        return self._plan_of(point).hopeless(outcomes, point, cost, loss)

    def _pruned(
        self, store: Store, pruner: BasePruner, _outcomes: Outcomes, point: Point, cost: int, loss: float
    ) -> bool:
        return self._plan_of(point).may_be_pruned(point) and store.hopeless(point, cost, loss, pruner)

    def _plan_of(self, point: Point) -> Plan:
        return next(part.plan for part in self.parts.values() if part.plan.problem == point.problem)

    def _choose(
        self,
        store: Store,
        executor: Executor,
        observer: Observer | None,
        planned: Callable[[Numbers], None] | None,
    ) -> None:
        """Fits trials and seeds to the budget, unless they are chosen already, and agrees on them with others."""
        numbers = self._sizing.chosen(store, executor, observer)
        if numbers is None:
            return
        agree(self, store, numbers)
        if planned is not None:
            plan = self.first.plan
            planned(replace(numbers, trials=plan.trials, seeds=numbers.seeds if self.several else plan.seeds))

    def _changes(self, there: Mapping[str, Any], here: Mapping[str, Any], noted: Mapping[str, Any]) -> str:
        ours: dict[str, Any] = {"tasks": {name: {} for name in self.parts}} if self.several else {}
        return "; ".join(manifest_changes(there, here, noted, {**self.first.identity(), **ours}))

    def estimate(self) -> Numbers | None:
        """Returns how large the comparison will be and how long it takes.

        Where runs go in steps, each candidate takes a few on the workers. Where they do not, that is known once each
        candidate has run.

        Raises:
            InputError: a candidate cannot run, or the budget is too short.
            StudyMismatchError: the store holds another study, or another problem of the same name.
        """
        outcomes = self._stored_outcomes()
        if not self._sizing.in_steps:
            numbers = self._sizing.known(outcomes)
            if numbers is None and any(part.problem.tried for part in self.parts.values()):
                with self.options.make_executor(self.work(), answers=False) as executor:
                    self._sizing.check(executor, outcomes)
            return numbers
        start = time.monotonic()
        with self.options.make_executor(self.work(), answers=False) as executor:
            while not executor.free:
                executor.wait()
            ready = time.monotonic() - start
            self._sizing.check(executor, {})
            size = self._sizing.measured(executor)
        return replace(size, seconds=size.seconds + (ready if self.budget is None else self.budget.spent))

    def _stored_outcomes(self) -> Outcomes:
        """Reads what the store holds, and takes over the numbers that were chosen, as a run does but writing nothing.

        Raises:
            StudyMismatchError: a run would be refused.
        """
        outcomes: Outcomes = {}
        with contextlib.suppress(NoStudyError):
            stored = read_store(self.location)
            stored.check(manifest(self), self._changes)
            outcomes = stored.outcomes
            if outcomes:  # what was planned without an outcome binds nobody
                for part in self.parts.values():
                    part.adopt_ranges(stored.ranges)
                annotation(self, stored.annotation, None)
        return outcomes

    def previews(self) -> list[str]:
        """Returns each candidate's first trial as a line to paste, of problems that have such lines."""
        lines = []
        for part in self.parts.values():
            for candidate in part.plan.candidates:
                point = part.plan.first_points(candidate)[0]
                line = part.problem.preview(candidate.build(point.settings), point, self.place)
                lines += [] if line is None else [line]
        return lines


def directory_name(problems: Sequence[str]) -> str:
    """Returns what a directory of results on these is called: their names with a plus, if there is room."""
    name = "+".join(problems)
    if len(name.encode()) <= LONGEST_FILE_NAME:
        return name
    return f"{problems[0].encode()[:100].decode(errors='ignore')}+{len(problems) - 1}-{zlib.crc32(name.encode()):08x}"
