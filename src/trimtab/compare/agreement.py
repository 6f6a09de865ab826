"""What a comparison writes into its store beside outcomes: what may not change, and what readers need."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trimtab.compare.budget import Numbers
from trimtab.compare.changes import manifest_changes, remedies
from trimtab.lab.problem import EVALUATIONS
from trimtab.study.errors import StudyMismatchError
from trimtab.study.location import shown
from trimtab.study.store import Store

if TYPE_CHECKING:
    from trimtab.compare.comparison import Comparison

SEVERAL = "comparison over several tasks"
"""The kind of a study over several problems, by which stores are told apart; it says what trimtab 0.1 called them."""


def manifest(comparison: "Comparison") -> dict[str, Any]:
    """Returns what may not change when a study goes on; of several problems, the annotation has what is each's own."""
    if not comparison.several:
        return comparison.first.plan.manifest()
    raced = {"race": True} if comparison.options.race else {}
    return {"kind": SEVERAL, "pruning": comparison.options.pruner, "evaluations": EVALUATIONS, **raced}


def annotation(comparison: "Comparison", known: Mapping[str, Any], numbers: Numbers | None) -> dict[str, Any]:
    """Returns what readers need beside the manifest, after taking over what others have chosen, or else ``numbers``.

    Args:
        comparison: the comparison.
        known: what the store's annotation is.
        numbers: of trials and seeds, to be chosen; ``None`` while there are none.

    Raises:
        StudyMismatchError: the store holds other numbers, candidates or problems of the same names.
    """
    if not comparison.several:
        part = comparison.first
        part.adopt(known)
        if numbers is not None:
            part.choose(numbers)
        return part.annotation(known)
    problems: dict[str, Any] = dict(known.get("tasks", {}))
    for name, part in comparison.parts.items():
        there, own = problems.get(name, {}), part.plan.manifest()
        if changes := manifest_changes(there.get("manifest", own), own, there, part.identity()):
            raise StudyMismatchError(
                f"{shown(comparison.location)} holds trials on {name} as it was before, and new ones could not be "
                f"compared with them: {'; '.join(changes)}. {remedies(comparison.location)}."
            )
        part.adopt(there)
        if numbers is not None:
            part.choose(numbers)
        problems[name] = {**part.annotation(there), "manifest": own}
    first = comparison.first.plan
    return {
        "compared": list(comparison.parts),
        "candidates": list(first.labels()),
        "trials": first.trials if comparison.chosen else None,
        "seeds": comparison.seeds,
        "jobs": comparison.options.at_once,
        "time": problems[first.problem]["time"],
        "reference": comparison.reference,
        "tasks": problems,  # as trimtab 0.1 called them
    }


def agree(comparison: "Comparison", store: Store, numbers: Numbers | None = None) -> str:
    """Writes down what readers need, and takes over what others have chosen, or else chooses ``numbers``.

    Args:
        comparison: the comparison.
        store: of its outcomes.
        numbers: of trials and seeds, to be chosen; ``None`` while there are none.

    Returns:
        What the study is known by, wherever its results are moved.

    Raises:
        StudyMismatchError: the store holds other numbers, candidates or problems of the same names.
    """
    known_by = uuid.uuid4().hex
    before = [(part, part.plan, part.chosen) for part in comparison.parts.values()]

    def agreed(known: Mapping[str, Any]) -> dict[str, Any]:  # no other process writes meanwhile
        nonlocal known_by
        for part, plan, chosen in before:  # others may have chosen since an attempt that failed
            part.plan, part.chosen = plan, chosen
        known_by = known.get("id", known_by)
        return {**annotation(comparison, known, numbers), "id": known_by}

    if numbers is None:
        store.annotate(agreed)
    else:  # in the middle of a study, which outlives a database that is away
        comparison.options.patiently(lambda: store.annotate(agreed), comparison.location)
    return known_by
