"""What a store's notes say of its problem that is read without the problem itself; those of trimtab 0.1 are understood.

Notes of several problems hold those of each of them by its name.
"""

from collections.abc import Mapping
from typing import Any

_SLOT_OF_KIND = {"task": "optimizer", "command": "command"}
"""What trimtab 0.1 had in the place of a slot."""


RACED = "raced"
"""Noted when a race has ended, since its trials alone do not say whether more will follow: name of the problem to label
to how many final ``seeds`` a candidate ran, and why it ``left``, if it did.
"""


def slot_of(notes: Mapping[str, Any]) -> str:
    """Returns which slot candidates fill, which is one for all problems; empty where nothing is said yet."""
    for each in (notes, *notes.get("tasks", {}).values()):
        if "slot" in each:
            return str(each["slot"])
        if "task" in each:
            return _SLOT_OF_KIND[each["task"].get("kind", "task")]
    return ""


def reference_of(notes: Mapping[str, Any]) -> str:
    """Returns how the command line names the problem; empty for several, or where nothing is said yet."""
    return str(_facts(notes).get("reference", ""))


def sign_of(notes: Mapping[str, Any], problem: str) -> int:
    """Returns what a loss of a problem is multiplied with to get the number that candidates are compared by."""
    facts = _facts(notes.get("tasks", {}).get(problem, notes))
    if "objective" in facts:
        return -1 if facts["objective"]["direction"] == "max" else 1
    return -1 if facts.get("kind") == "command" and facts.get("direction") == "max" else 1


def _facts(notes: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = notes.get("facts") or notes.get("task", {})
    return found
