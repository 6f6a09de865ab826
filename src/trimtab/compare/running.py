"""What every comparison has in common: running its plan, keeping what it found, and reading it again."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
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
from trimtab.lab.environment import environment
from trimtab.lab.errors import InputError, StudyMismatchError
from trimtab.lab.executor import LocalExecutor, usable_cores
from trimtab.lab.store import Store, StoredStudy, read_store
from trimtab.lab.study import Observer, run_study
from trimtab.lab.trial import Work

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "successive-halving": optuna.pruners.SuccessiveHalvingPruner,
}


def chosen_reference(labels: list[str], wanted: str | None) -> str:
    """Returns the candidate that verdicts compare with: the one that is wanted, else AdamW, else the first.

    Raises:
        InputError: the one that is wanted does not take part.
    """
    if wanted is None:
        return "adamw" if "adamw" in labels else labels[0]
    if wanted not in labels:
        raise InputError(f"reference={wanted!r} is not among the candidates: {nearest(wanted, labels)}")
    return wanted


def check_running(pruner: str | None, jobs: int | None) -> None:
    """Raises InputError when there is no such pruner, or no worker."""
    if pruner is not None and pruner not in PRUNERS:
        raise InputError(f"pruner={pruner!r}: {nearest(pruner, PRUNERS)}")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs={jobs}: at least one worker is needed")


class PlannedComparison(ABC):
    """A plan, how its points are run, and where its outcomes are kept.

    Args:
        plan: what is compared, and how.
        out: directory of the study; made if missing, gone on with if it holds this study.
        reference: label of the candidate that verdicts compare with.
        jobs: worker processes; one a core by default.
    """

    def __init__(self, plan: Plan, out: Path, *, reference: str, jobs: int | None) -> None:
        self.plan = plan
        self.out = out
        self.reference = reference
        self.jobs = usable_cores() if jobs is None else jobs

    @abstractmethod
    def work(self) -> Work:
        """Returns what a worker does with a point."""

    @abstractmethod
    def facts(self) -> TaskFacts:
        """Returns what a reader has to know of the task."""

    def run(self, observer: Observer | None = None) -> ComparisonResult:
        """Runs what has not been run yet, and analyses everything.

        Whatever ends it early, what is finished is kept: run it again to go on.

        Raises:
            StudyMismatchError: the directory holds another study.
            CorruptStoreError: its store cannot be read.
            StoreInUseError: another process is running it.
        """
        pruner = None if self.plan.pruning is None else PRUNERS[self.plan.pruning]()
        with Store(self.out, self.plan.manifest()) as store:
            store.annotate(self._annotation(read_store(self.out).annotation.get("definitions", {})))
            outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
            if any(point.key not in outcomes for point in self.plan.points(outcomes)):
                with LocalExecutor(self.work(), jobs=self.jobs, answers=pruner is not None) as executor:
                    run_study(self.plan.points, store, executor, pruner=pruner, observer=observer)
        return load_result(self.out)

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
                raise StudyMismatchError(
                    f"{self.out} holds results of another candidate {label} ({'; '.join(changes)}). Give this one "
                    "another name, choose another output directory, or remove this one to start again."
                )
        return {**known, **ours}


def load_result(out: str | Path) -> ComparisonResult:
    """Analyses whatever is finished in the directory of a comparison, running or not.

    Args:
        out: the directory.

    Raises:
        StudyMismatchError: there is no study in it.
        CorruptStoreError: its store cannot be read.
    """
    stored = read_store(Path(out))
    notes = stored.annotation
    if not notes:
        raise StudyMismatchError(f"the comparison in {out} was stopped before it began; run it again")
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
