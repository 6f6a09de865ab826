"""Reading a comparison again, running or not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trimtab.compare.analysis import analyse
from trimtab.compare.beside import beside
from trimtab.compare.candidate import parse_candidates
from trimtab.compare.command.candidate import CommandCandidate
from trimtab.compare.plan import CandidateLike, Plan
from trimtab.compare.result import ComparisonResult, TaskFacts
from trimtab.lab.checks import check_path
from trimtab.lab.database import Location, shown
from trimtab.lab.errors import StudyMismatchError
from trimtab.lab.store import StoredStudy, read_store
from trimtab.lab.study import Outcomes


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
    return stored_result(read_store(location), location)


def stored_result(stored: StoredStudy, location: Location) -> ComparisonResult:
    """Analyses what was read from a store.

    Raises:
        StudyMismatchError: nothing of a comparison is in it, or one over several tasks.
    """
    notes = stored.annotation
    if not notes:
        raise StudyMismatchError(f"the comparison in {shown(location)} was stopped before it began; run it again")
    if "tasks" in notes:
        raise StudyMismatchError(
            f"{shown(location)} holds a comparison over several tasks ({', '.join(notes['tasks'])}), not of one"
        )
    if _trials(stored.manifest, notes) is None:
        raise StudyMismatchError(
            f"the comparison in {shown(location)} is not planned yet: that follows when each candidate has been tried"
        )
    plan = stored_plan(stored.manifest, notes)
    more = beside(stored.outcomes, plan.labels(), {plan.task: plan.seeds})
    return replace(analyse_stored(plan, stored.outcomes, notes), beside=more)


def stored_plan(manifest: Mapping[str, Any], notes: Mapping[str, Any]) -> Plan:
    """Returns the plan that a store's manifest and annotation describe."""
    return Plan(
        task=manifest["task"],
        task_fingerprint=manifest["task_fingerprint"],
        candidates=_stored_candidates(notes),
        trials=_trials(manifest, notes),
        seeds=notes["seeds"],
        budget=manifest["budget"],
        pruning=manifest["pruning"],
    )


def _trials(manifest: Mapping[str, Any], notes: Mapping[str, Any]) -> Any:
    """The number of trials, ``None`` while it is chosen; stores from before there were budgets have it elsewhere."""
    return notes["trials"] if "trials" in notes else manifest["trials"]


def analyse_stored(plan: Plan, outcomes: Outcomes, notes: Mapping[str, Any]) -> ComparisonResult:
    """Analyses the outcomes of a plan with what a store's annotation says of it."""
    facts = TaskFacts(**notes["task"])
    return analyse(plan, outcomes, facts, reference=notes["reference"], environment=notes["environment"])


def _stored_candidates(notes: Mapping[str, Any]) -> tuple[CandidateLike, ...]:
    labels = notes["candidates"]
    if notes["task"].get("kind") != "command":
        return tuple(parse_candidates(",".join(labels)))
    definitions = notes["definitions"]
    return tuple(CommandCandidate.from_definition(label, definitions[label]) for label in labels)
