"""A comparison of optimizers on a task: what is checked before it runs, and what it takes."""

import time
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

from trimtab.compare.budget import Budget, Numbers, parse_duration, starting_numbers
from trimtab.compare.candidate import Candidate, parse_candidates
from trimtab.compare.measuring import run_measurements
from trimtab.compare.plan import TUNING_SEED, Plan
from trimtab.compare.prices import Price
from trimtab.compare.result import TaskFacts
from trimtab.compare.running import PlannedComparison
from trimtab.compare.running_options import Running, chosen_reference
from trimtab.compare.stored import load_result
from trimtab.compare.work import ComparisonWork
from trimtab.lab.devices import as_the_only_one
from trimtab.lab.loading import absolute_reference, load_task, task_fingerprint
from trimtab.lab.session import Session
from trimtab.lab.task import check_task, samples_in
from trimtab.study.checks import check_path, check_texts, check_whole
from trimtab.study.errors import Faults, InputError
from trimtab.study.executor import Executor
from trimtab.study.lease import Limits
from trimtab.study.point import Point
from trimtab.study.running import Observer
from trimtab.study.store import Store

__all__ = ["Comparison", "load_result"]


class Comparison(PlannedComparison):
    """Tunes candidates on a task with the same budget, and compares them on fresh seeds.

    Making one checks everything that can be checked before any long work starts.

    Args:
        task: name of a task that ships, or ``path/to/task.py:name``.
        candidates: expressions such as ``"lion"`` or ``"adamw(weight_decay=0.1)"``, in one string with commas or in
            several.
        out: directory of the study, ``runs/<name of the task>`` by default; made if missing, gone on with if it holds
            this study.
        trials: quasi-random settings tried for each candidate; 16 by default, or as many as fit the budget.
        seeds: fresh seeds of the final runs; the task's own number by default, or as many as fit the budget.
        steps: length of a run in plain optimizer steps; the task's own by default.
        budget: wall-clock time for all of it, such as ``"20m"`` or ``"1h30m"``, for which trials and seeds are chosen.
        reference: label of the candidate that verdicts compare with; AdamW if it takes part, else the first.
        pruner: gives up hopeless tuning trials: ``"median"`` or ``"successive-halving"``. What is pruned then depends
            on the order in which trials finish, so that two runs of one comparison may differ.
        jobs: worker processes; one a core by default, or one a CUDA device. With Ray, trials at once.
        store: SQLAlchemy URL of the database that keeps the results, which processes on several machines can share; a
            file in ``out`` by default.
        limits: how long processes that share a store wait for each other and for the database.
        executor: where trials run: ``"local"``, in processes on this machine, or ``"ray"``.
        ray_address: of a Ray cluster that runs already; by default Ray is started on this machine.
        device: where models and batches are: ``"cpu"``, ``"cuda"``, of which every worker sees one device alone,
            ``"cuda:1"`` or ``"mps"``.

    Raises:
        InputError: something cannot work; the message names the place and the remedy.
    """

    def __init__(
        self,
        task: str,
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
        start = time.monotonic()
        if not isinstance(candidates, str):
            check_texts("candidates", candidates)
        if steps is not None:
            check_whole("steps", steps)
        if out is not None:
            check_path("out", out)
        faults = Faults()
        with faults:
            seconds = None if budget is None else parse_duration(budget)
        with faults:
            text = candidates if isinstance(candidates, str) else ",".join(candidates)
            chosen = tuple(parse_candidates(text))
            against = chosen_reference([candidate.label for candidate in chosen], reference)
        with faults:
            running = Running(pruner, jobs, store, limits, executor, ray_address, device)
        with faults:
            self._task_reference = task
            self._task = load_task(task)
            check_task(self._task, task)
        faults.raise_any()
        allowed = None if seconds is None else Budget(seconds, trials, seeds, self._task.seeds, start)
        counts = starting_numbers(allowed, trials, self._task.seeds if seeds is None else seeds)
        plan = Plan(
            task=self._task.name.replace("/", "-"),
            task_fingerprint=task_fingerprint(task),
            candidates=chosen,
            trials=counts.trials,
            seeds=counts.seeds,
            budget=(self._task.steps if steps is None else steps) * self._task.batch_size,
            pruning=pruner,
            definition={"device": as_the_only_one(running.device)},
        )
        out = Path("runs") / plan.task if out is None else Path(out)
        super().__init__(plan, out, reference=against, running=running, budget=allowed)
        models = []
        for candidate in chosen:
            with faults:
                models.append(self._session(candidate).model)
        faults.raise_any()
        self._parameters = sum(p.numel() for p in models[0].parameters() if p.requires_grad)

    def _session(self, candidate: Candidate) -> Session:
        """Starts a run of a candidate with the first settings that it will be tried with, and takes a step."""
        settings = self.plan.tuning_points(candidate)[0].settings
        try:
            session = Session(
                self._task,
                lambda model: candidate.optimizer(model, settings),
                seed=TUNING_SEED,
                budget=self.plan.budget,
                device=self.running.device_here,
            )
            session.step()
        except Exception as error:
            raise InputError(
                f"{candidate.label} cannot take a step on {self._task_reference}: {type(error).__name__}: {error}"
            ) from error
        return session

    def prices(self, store: Store, executor: Executor, observer: Observer | None) -> list[Price]:
        """Finds out what runs take by :meth:`measured`."""
        del observer  # nothing of this is a trial
        return self.measured(executor, store.outcomes())

    def measured(self, executor: Executor, known: Container[str] = ()) -> list[Price]:
        """Measures a few steps and evaluations of each candidate; ``known`` are the keys of trials with an outcome."""
        points = {
            candidate.label: Point(
                self.plan.task,
                "measure",
                candidate.label,
                0,
                self.plan.tuning_points(candidate)[0].settings,
                TUNING_SEED,
            )
            for candidate in self.plan.candidates
        }
        measured = run_measurements(executor, list(points.values()))
        test = samples_in(self._task.test) / samples_in(self._task.validation)
        prices = []
        for candidate in self.plan.candidates:
            found = measured[points[candidate.label].key].measures
            done = sum(point.key in known for point in self.plan.tuning_points(candidate))
            final = found["run"] + test * found["evaluation"]
            tuned = bool(candidate.tunables)
            prices.append(Price(candidate.label, tuned, found["run"], final, found["first"], done))
        return prices

    def estimate(self) -> Numbers:
        """Measures a few steps of each candidate, and returns how large the comparison will be and how long it takes.

        Raises:
            InputError: the budget is too short.
        """
        self.adopt_stored()
        start = time.monotonic()
        with self.running.make_executor(self.work(), answers=False) as executor:
            while not executor.free:
                executor.wait()
            ready = time.monotonic() - start
            numbers = self.numbers(self.measured(executor), self.places(executor))
        return replace(numbers, seconds=numbers.seconds + (ready if self.budget is None else self.budget.spent))

    def work(self) -> ComparisonWork:
        """Returns what a worker does with a point."""
        device = as_the_only_one(self.running.device)
        return ComparisonWork(absolute_reference(self._task_reference), self.plan.budget or 0, device)

    def facts(self) -> TaskFacts:
        """Returns what a reader has to know of the task."""
        task = self._task
        sizes = {split: len(getattr(task, split)) for split in ("train", "validation", "test")}
        metric = task.metric
        return TaskFacts(
            task.name,
            self._task_reference,
            metric.name,
            metric.direction,
            metric.target,
            sizes,
            self._parameters,
            task.batch_size,
            bounds=metric.bounds,
        )
