"""What every comparison has in common: running its plan, keeping what it found, and reading it again."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner

from trimtab.catalog import nearest
from trimtab.compare.analysis import analyse
from trimtab.compare.candidate import parse_candidates
from trimtab.compare.command.candidate import CommandCandidate
from trimtab.compare.plan import CandidateLike, Plan
from trimtab.compare.result import ComparisonResult, TaskFacts
from trimtab.lab.checks import MANY_WORKERS, check_path, check_text, check_whole
from trimtab.lab.contact import Contact
from trimtab.lab.database import Location, parse_url, shown
from trimtab.lab.environment import environment
from trimtab.lab.errors import InputError, StoreAwayError, StoreUnreachableError, StudyMismatchError
from trimtab.lab.executor import Executor, LocalExecutor, usable_cores
from trimtab.lab.lease import Limits
from trimtab.lab.ray_executor import RayExecutor
from trimtab.lab.store import Store, StoredStudy, read_store
from trimtab.lab.study import Observer, run_study
from trimtab.lab.trial import Work

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "successive-halving": optuna.pruners.SuccessiveHalvingPruner,
}

EXECUTORS = ("local", "ray")


def chosen_reference(labels: list[str], wanted: str | None) -> str:
    """Returns the candidate that verdicts compare with: the one that is wanted, else AdamW, else the first.

    Raises:
        InputError: the one that is wanted does not take part.
    """
    if not labels:
        raise InputError(f"labels={labels!r}: there are no candidates")
    if wanted is not None:
        check_text("reference", wanted)
    if wanted is None:
        return "adamw" if "adamw" in labels else labels[0]
    if wanted not in labels:
        raise InputError(f"reference={wanted!r} is not among the candidates: {nearest(wanted, labels)}")
    return wanted


@dataclass(frozen=True)
class Running:
    """How trials are run, and where their outcomes are kept.

    Args:
        pruner: gives up hopeless tuning trials: ``"median"``, ``"successive-halving"`` or none.
        jobs: worker processes; one a core by default. With Ray, trials at once; as many as the cluster has CPUs.
        store: SQLAlchemy URL of the database that keeps the outcomes; a file in the output directory by default.
        limits: how long processes that share a store wait for each other and for the database.
        executor: ``"local"`` or ``"ray"``.
        ray_address: of a Ray cluster that runs already; by default Ray is started on this machine.

    Raises:
        InputError: one of them cannot be.
    """

    pruner: str | None
    jobs: int | None
    store: str | None
    limits: Limits | None
    executor: str
    ray_address: str | None

    def __post_init__(self) -> None:
        for name in ("pruner", "executor", "ray_address"):
            if getattr(self, name) is not None:
                check_text(name, getattr(self, name))
        if self.pruner is not None and self.pruner not in PRUNERS:
            raise InputError(f"pruner={self.pruner!r}: {nearest(self.pruner, PRUNERS)}")
        if self.jobs is not None:
            check_whole("jobs", self.jobs, most=MANY_WORKERS)
        if self.limits is not None and not isinstance(self.limits, Limits):
            raise InputError(f"limits={self.limits!r}: Limits are needed")
        if self.executor not in EXECUTORS:
            raise InputError(f"executor={self.executor!r}: {nearest(self.executor, EXECUTORS)}")
        if self.ray_address is not None and self.executor != "ray":
            raise InputError(f"ray_address={self.ray_address!r} is only of use with executor='ray'")
        if self.store is not None:
            parse_url(self.store)

    @property
    def workers(self) -> int:
        """How many trials this machine runs at once."""
        return usable_cores() if self.jobs is None else self.jobs

    def make_executor(self, work: Work, *, answers: bool) -> Executor:
        """Returns what runs trials; ``answers`` says whether these wait for answers to their reports."""
        if self.executor == "ray":
            return RayExecutor(work, address=self.ray_address, jobs=self.jobs, answers=answers)
        return LocalExecutor(work, jobs=self.workers, answers=answers)


class PlannedComparison(ABC):
    """A plan, how its points are run, and where its outcomes are kept.

    Args:
        plan: what is compared, and how.
        out: directory of the study; made if missing, gone on with if it holds this study.
        reference: label of the candidate that verdicts compare with.
        running: how trials are run, and where their outcomes are kept.
    """

    def __init__(self, plan: Plan, out: Path, *, reference: str, running: Running) -> None:
        self.plan = plan
        self.out = out
        self.reference = reference
        self.running = running

    @property
    def jobs(self) -> int:
        """How many trials this machine runs at once."""
        return self.running.workers

    @property
    def location(self) -> Location:
        """Where outcomes are kept."""
        return self.out if self.running.store is None else self.running.store

    @abstractmethod
    def work(self) -> Work:
        """Returns what a worker does with a point."""

    @abstractmethod
    def facts(self) -> TaskFacts:
        """Returns what a reader has to know of the task."""

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
        with Store(self.location, self.plan.manifest(), self.running.limits) as store:
            store.annotate(lambda known: self._annotation(known.get("definitions", {})))
            outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
            if any(point.key not in outcomes for point in self.plan.points(outcomes)):
                with self.running.make_executor(self.work(), answers=pruner is not None) as executor:
                    run_study(self.plan.points, store, executor, pruner=pruner, observer=observer)
        return self._result()

    def _result(self) -> ComparisonResult:
        """Reads what was found, with as much patience as it was written with."""
        limits = Limits() if self.running.limits is None else self.running.limits
        contact = Contact(shown(self.location), limits.patience)
        while True:
            try:
                return load_result(self.out, self.running.store)
            except StoreUnreachableError as error:
                contact.failed(StoreAwayError(str(error)), unwritten=0)
                time.sleep(contact.seconds_left)

    def _annotation(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """What a reader of the store needs beside the manifest."""
        return {
            "candidates": list(self.plan.labels()),
            "definitions": self._definitions(known),
            "seeds": self.plan.seeds,
            "reference": self.reference,
            "environment": environment(),
            "task": self.facts().to_dict(),
        }

    def _definitions(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Those of all candidates that ever took part, so that none can come back as another one."""
        ours = {c.label: json.loads(json.dumps(c.definition())) for c in self.plan.candidates}
        for label, definition in ours.items():
            before = known.get(label, definition)
            changes = [
                f"{key}: {before.get(key)!r} there, {definition.get(key)!r} here"
                for key in {**before, **definition}
                if before.get(key) != definition.get(key)
            ]
            if changes:
                thing = "output directory" if self.running.store is None else "database"
                raise StudyMismatchError(
                    f"{shown(self.location)} holds results of another candidate {label} ({'; '.join(changes)}). Give "
                    f"this one another name, choose another {thing}, or remove this one to start again."
                )
        return {**known, **ours}


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
    check_path("out", out)
    location: Location = Path(out) if store is None else store
    stored = read_store(location)
    notes = stored.annotation
    if not notes:
        raise StudyMismatchError(f"the comparison in {shown(location)} was stopped before it began; run it again")
    facts = TaskFacts(**notes["task"])
    plan = Plan(
        task=stored.manifest["task"],
        task_fingerprint=stored.manifest["task_fingerprint"],
        candidates=_stored_candidates(stored, facts),
        trials=stored.manifest["trials"],
        seeds=notes["seeds"],
        budget=stored.manifest["budget"],
        pruning=stored.manifest["pruning"],
    )
    return analyse(plan, stored.outcomes, facts, reference=notes["reference"], environment=notes["environment"])


def _stored_candidates(stored: StoredStudy, facts: TaskFacts) -> tuple[CandidateLike, ...]:
    labels = stored.annotation["candidates"]
    if facts.kind == "task":
        return tuple(parse_candidates(",".join(labels)))
    definitions = stored.annotation["definitions"]
    return tuple(CommandCandidate.from_definition(label, definitions[label]) for label in labels)
