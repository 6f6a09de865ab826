"""Reading a comparison again, running or not."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.catalog.slots import restored
from trimtab.compare.agreement import SEVERAL
from trimtab.compare.analysis import analyse
from trimtab.compare.notes import stored_facts
from trimtab.compare.over_problems.analysis import analyse_over_problems
from trimtab.compare.over_problems.result import AnyResult, ResultOverProblems
from trimtab.compare.part import tuned_ranges, tuning_of
from trimtab.compare.plan import Plan
from trimtab.compare.race import Terms
from trimtab.compare.result import ComparisonResult
from trimtab.compare.within import read, within
from trimtab.lab.problem import Filling
from trimtab.study.beside import beside
from trimtab.study.checks import check_path
from trimtab.study.errors import StudyMismatchError
from trimtab.study.location import Location, shown
from trimtab.study.notes import slot_of
from trimtab.study.running import Outcomes
from trimtab.study.stored_study import StoredStudy, read_store
from trimtab.study.tunable import Tunables


def load_any(out: str | Path, store: str | None = None) -> AnyResult:
    """Analyses whatever is finished of a comparison, on one problem or over several, running or not.

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
    over_several = stored.manifest.get("kind") == SEVERAL
    return _over_several(stored, location) if over_several else stored_result(stored, location)


def stored_result(stored: StoredStudy, location: Location) -> ComparisonResult:
    """Analyses what was read from a store.

    Raises:
        StudyMismatchError: nothing of a comparison is in it, or one over several problems.
    """
    notes = stored.annotation
    if not notes:
        raise StudyMismatchError(f"the comparison in {shown(location)} was stopped before it began; run it again")
    if "tasks" in notes:
        raise StudyMismatchError(
            f"{shown(location)} holds a comparison over several problems ({', '.join(notes['tasks'])}), not of one"
        )
    if _trials(stored.manifest, notes) is None:
        raise StudyMismatchError(
            f"the comparison in {shown(location)} is not planned yet: that follows when each candidate has been tried"
        )
    plan = stored_plan(stored.manifest, notes, stored.ranges)
    more = beside(stored.outcomes, plan.labels(), {plan.problem: plan.seeds}, _raced([plan], stored.outcomes))
    return replace(analyse_stored(plan, stored.outcomes, notes), beside=more)


def stored_plan(
    manifest: Mapping[str, Any], notes: Mapping[str, Any], ranges: Mapping[str, Tunables] = MappingProxyType({})
) -> Plan:
    """Returns the plan that a store's manifest, its annotation and the ranges of its trials describe."""
    tuning, brought = tuning_of(notes), read(manifest)
    candidates = tuple(within(manifest["task"], brought, each) for each in _stored_candidates(notes))
    return Plan(
        problem=manifest["task"],
        fingerprint=manifest["task_fingerprint"],
        candidates=candidates,
        trials=_trials(manifest, notes),
        seeds=notes["seeds"],
        budget=manifest["budget"],
        pruning=manifest["pruning"],
        race=Terms(notes["reference"], notes.get("against_reference", False)) if manifest.get("race") else None,
        tuning_seeds=tuning["tuning_seeds"],
        goes_on=tuning["goes_on"] or {},
        ranges=tuned_ranges(manifest["task"], candidates, ranges),
    )


def _raced(plans: Iterable[Plan], outcomes: Outcomes) -> dict[str, Mapping[str, int]]:
    """Problem to label to how many seeds a candidate ran, of races that have ended."""
    races = {plan.problem: plan.raced(outcomes) for plan in plans if plan.race is not None}
    return {problem: race.seeds for problem, race in races.items() if race.over}


def _trials(manifest: Mapping[str, Any], notes: Mapping[str, Any]) -> Any:
    """The number of trials, ``None`` while it is chosen; stores from before there were budgets have it elsewhere."""
    return notes["trials"] if "trials" in notes else manifest["trials"]


def analyse_stored(plan: Plan, outcomes: Outcomes, notes: Mapping[str, Any]) -> ComparisonResult:
    """Analyses the outcomes of a plan with what a store's annotation says of it."""
    return analyse(
        plan,
        outcomes,
        stored_facts(plan, notes),
        reference=notes["reference"],
        environment=notes["environment"],
        against_reference=notes.get("against_reference", False),
    )


def _stored_candidates(notes: Mapping[str, Any]) -> tuple[Filling, ...]:
    return restored(slot_of(notes), notes["candidates"], notes.get("definitions", {}))


def _over_several(stored: StoredStudy, location: Location) -> ResultOverProblems:
    if not stored.annotation:
        raise StudyMismatchError(f"the comparison in {shown(location)} was stopped before it began; run it again")
    problems, unfinished, plans = {}, [], {}
    for name in stored.annotation["compared"]:
        notes = stored.annotation["tasks"][name]
        if notes["trials"] is None:
            raise StudyMismatchError(
                f"the comparison in {shown(location)} is not planned yet: that follows when each candidate has been "
                "tried"
            )
        plan = stored_plan(notes["manifest"], notes, stored.ranges)
        problems[name], plans[name] = analyse_stored(plan, stored.outcomes, notes), plan
        if any(point.key not in stored.outcomes for point in plan.points(stored.outcomes)):
            unfinished.append(name)
    result = analyse_over_problems(problems, unfinished, stored.annotation["reference"])
    seeds = {name: plan.seeds for name, plan in plans.items()}
    raced = _raced(plans.values(), stored.outcomes)
    return replace(result, beside=beside(stored.outcomes, stored.annotation["candidates"], seeds, raced))
