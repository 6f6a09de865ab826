"""A comparison from beginning to end: check, run, analyse."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.pruners import BasePruner

from trimtab.catalog import nearest
from trimtab.compare import DEFAULT_TRIALS
from trimtab.compare.analysis import analyse
from trimtab.compare.candidate import Candidate, parse_candidates
from trimtab.compare.environment import environment
from trimtab.compare.plan import EVALUATIONS, TUNING_SEED, Plan
from trimtab.compare.result import ComparisonResult, TaskFacts
from trimtab.compare.work import ComparisonWork
from trimtab.lab.database import Location, parse_url, shown
from trimtab.lab.errors import InputError, StudyMismatchError
from trimtab.lab.executor import Executor, LocalExecutor, threads_per_worker, usable_cores
from trimtab.lab.lease import Limits
from trimtab.lab.loading import absolute_reference, load_task, task_fingerprint
from trimtab.lab.ray_executor import RayExecutor
from trimtab.lab.session import Session
from trimtab.lab.store import Store, read_store
from trimtab.lab.study import Observer, run_study
from trimtab.lab.task import Task, check_task

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "successive-halving": optuna.pruners.SuccessiveHalvingPruner,
}

EXECUTORS = ("local", "ray")

MEASURED_STEPS = 20
"""Steps of each candidate from which the duration is estimated."""


class Comparison:
    """Tunes candidates on a task with the same budget, and compares them on fresh seeds.

    Making one checks everything that can be checked before any long work starts.

    Args:
        task: name of a task that ships, or ``path/to/task.py:name``.
        candidates: expressions such as ``"lion"`` or ``"adamw(weight_decay=0.1)"``, in one string with commas or in
            several.
        out: directory of the study, ``runs/<name of the task>`` by default; made if missing, gone on with if it holds
            this study.
        trials: quasi-random settings tried for each candidate.
        seeds: fresh seeds of the final runs; the task's own number by default.
        steps: length of a run in plain optimizer steps; the task's own by default.
        reference: label of the candidate that verdicts compare with; AdamW if it takes part, else the first.
        pruner: gives up hopeless tuning trials: ``"median"`` or ``"successive-halving"``. What is pruned then depends
            on the order in which trials finish, so that two runs of one comparison may differ.
        jobs: worker processes; one a core by default. With Ray, trials at once; as many as the cluster has CPUs.
        store: SQLAlchemy URL of the database that keeps the results, which processes on several machines can share; a
            file in ``out`` by default.
        limits: how long processes that share a store wait for each other and for the database.
        executor: where trials run: ``"local"``, in processes on this machine, or ``"ray"``.
        ray_address: of a Ray cluster that runs already; by default Ray is started on this machine.

    Raises:
        InputError: something cannot work; the message names the place and the remedy.
    """

    def __init__(
        self,
        task: str,
        candidates: str | Sequence[str],
        out: str | Path | None = None,
        *,
        trials: int = DEFAULT_TRIALS,
        seeds: int | None = None,
        steps: int | None = None,
        reference: str | None = None,
        pruner: str | None = None,
        jobs: int | None = None,
        store: str | None = None,
        limits: Limits | None = None,
        executor: str = "local",
        ray_address: str | None = None,
    ) -> None:
        text = candidates if isinstance(candidates, str) else ",".join(candidates)
        chosen = tuple(parse_candidates(text))
        if pruner is not None and pruner not in PRUNERS:
            raise InputError(f"pruner={pruner!r}: {nearest(pruner, PRUNERS)}")
        if jobs is not None and jobs < 1:
            raise InputError(f"jobs={jobs}: at least one worker is needed")
        if executor not in EXECUTORS:
            raise InputError(f"executor={executor!r}: {nearest(executor, EXECUTORS)}")
        if ray_address is not None and executor != "ray":
            raise InputError(f"ray_address={ray_address!r} is only of use with executor='ray'")
        if store is not None:
            parse_url(store)
        self._store = store
        self._limits = limits
        self._executor = executor
        self._ray_address = ray_address
        self.reference = _reference([candidate.label for candidate in chosen], reference)
        self.jobs = usable_cores() if jobs is None else jobs
        self._wanted_jobs = jobs
        self._task_reference = task
        self._task = load_task(task)
        check_task(self._task, task)
        steps = self._task.steps if steps is None else steps
        self.plan = Plan(
            task=self._task.name.replace("/", "-"),
            task_fingerprint=task_fingerprint(task),
            candidates=chosen,
            trials=trials,
            seeds=self._task.seeds if seeds is None else seeds,
            budget=steps * self._task.batch_size,
            pruning=pruner,
        )
        self.out = Path("runs") / self.plan.task if out is None else Path(out)
        self.location: Location = self.out if store is None else store
        models = [self._session(candidate).model for candidate in chosen]
        self._parameters = sum(p.numel() for p in models[0].parameters() if p.requires_grad)

    def _session(self, candidate: Candidate) -> Session:
        """Starts a run of a candidate with the first settings that it will be tried with, and takes a step."""
        settings = self.plan.tuning_points(candidate)[0].settings
        try:
            session = Session(self._task, lambda model: candidate.optimizer(model, settings), seed=TUNING_SEED)
            session.step()
        except Exception as error:
            raise InputError(
                f"{candidate.label} cannot take a step on {self._task_reference}: {type(error).__name__}: {error}"
            ) from error
        return session

    def estimated_seconds(self) -> float:
        """Measures a few steps of each candidate and returns about how long the whole comparison will take."""
        threads = torch.get_num_threads()
        torch.set_num_threads(threads_per_worker(self.jobs))
        try:
            return sum(map(self._estimated_seconds_of, self.plan.candidates)) / min(self.jobs, usable_cores())
        finally:
            torch.set_num_threads(threads)

    def _estimated_seconds_of(self, candidate: Candidate) -> float:
        session = self._session(candidate)
        start = time.perf_counter()
        session.evaluate()
        evaluation = time.perf_counter() - start
        session.seconds = 0.0
        for _ in range(MEASURED_STEPS):
            session.step()
        steps = self.plan.budget / self._task.batch_size
        trials = len(self.plan.tuning_points(candidate)) + self.plan.seeds
        return trials * (steps * session.seconds / MEASURED_STEPS + (EVALUATIONS + 1) * evaluation)

    def run(self, observer: Observer | None = None) -> ComparisonResult:
        """Runs what has not been run yet, and analyses everything.

        Whatever ends it early, what is finished is kept: run it again to go on. Processes that share a store share the
        work, and each returns when all of it is done.

        Raises:
            StudyMismatchError: the store holds another study.
            CorruptStoreError: it cannot be read.
            StoreInUseError: another process is running it in the same directory.
            StoreUnreachableError: the database does not answer.
            StoreLostError: it went away while the study ran, and stayed away.
        """
        pruner = None if self.plan.pruning is None else PRUNERS[self.plan.pruning]()
        with Store(self.location, self.plan.manifest(), self._limits) as store:
            store.annotate(self._annotation())
            outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
            if any(point.key not in outcomes for point in self.plan.points(outcomes)):
                with self._make_executor(answers=pruner is not None) as executor:
                    run_study(self.plan.points, store, executor, pruner=pruner, observer=observer)
        return load_result(self.out, self._store)

    def _make_executor(self, *, answers: bool) -> Executor:
        work = ComparisonWork(absolute_reference(self._task_reference), self.plan.budget)
        if self._executor == "ray":
            return RayExecutor(work, address=self._ray_address, jobs=self._wanted_jobs, answers=answers)
        return LocalExecutor(work, jobs=self.jobs, answers=answers)

    def _annotation(self) -> dict[str, Any]:
        """What a reader of the store needs beside the manifest."""
        return {
            "candidates": list(self.plan.labels()),
            "seeds": self.plan.seeds,
            "reference": self.reference,
            "environment": environment(),
            "task": asdict(_facts(self._task, self._task_reference, self._parameters)),
        }


def _reference(labels: list[str], wanted: str | None) -> str:
    if wanted is None:
        return "adamw" if "adamw" in labels else labels[0]
    if wanted not in labels:
        raise InputError(f"reference={wanted!r} is not among the candidates: {nearest(wanted, labels)}")
    return wanted


def _facts(task: Task, reference: str, parameters: int) -> TaskFacts:
    sizes = {split: len(getattr(task, split)) for split in ("train", "validation", "test")}
    metric = task.metric
    return TaskFacts(
        task.name, reference, metric.name, metric.direction, metric.target, sizes, parameters, task.batch_size
    )


def load_result(out: str | Path, store: str | None = None) -> ComparisonResult:
    """Analyses whatever is finished of a comparison, running or not.

    Args:
        out: its directory.
        store: the SQLAlchemy URL of its database, if that is not in the directory.

    Raises:
        StudyMismatchError: there is no study in it.
        CorruptStoreError: it cannot be read.
        StoreUnreachableError: the database does not answer.
    """
    location: Location = Path(out) if store is None else store
    stored = read_store(location)
    notes = stored.annotation
    if not notes:
        raise StudyMismatchError(f"the comparison in {shown(location)} was stopped before it began; run it again")
    plan = Plan(
        task=stored.manifest["task"],
        task_fingerprint=stored.manifest["task_fingerprint"],
        candidates=tuple(parse_candidates(",".join(notes["candidates"]))),
        trials=stored.manifest["trials"],
        seeds=notes["seeds"],
        budget=stored.manifest["budget"],
        pruning=stored.manifest["pruning"],
    )
    return analyse(
        plan,
        stored.outcomes,
        TaskFacts(**notes["task"]),
        reference=notes["reference"],
        environment=notes["environment"],
    )
