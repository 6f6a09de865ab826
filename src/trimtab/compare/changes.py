"""What differs between a study that is kept somewhere and the one that was asked for, in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab.study.location import FILE_NAME, Location, shown
from trimtab.study.notes import reference_of, slot_of
from trimtab.study.phrases import count

_NAMES = {
    "tunables": "what the problem has tuned",
    "metric": "the metric",
    "pruning": "--pruner",
    "timeout": "--timeout",
    "task": "the problem",
}


_SENTENCES = {
    "table": "the table has changed since, or how it is understood, or how scikit-learn splits it",
    "beside_state": "candidates got there what networks hold beside their state dictionaries as another seed draws it",
}
"""What is said of an entry of a manifest, whatever it is."""

_NOTED_LATER = ("is_class",)
"""What studies do not have of a candidate that were begun before it was noted."""


def manifest_changes(
    there: Mapping[str, Any], here: Mapping[str, Any], noted: Mapping[str, Any], ours: Mapping[str, Any]
) -> list[str]:
    """Returns how manifests differ, one thing after the other; empty if they do not.

    Where they are of different problems, that alone is said: nothing else of them can be compared.

    Args:
        there: the manifest of the store.
        here: the one that is asked for.
        noted: the notes of the store, with the problem's facts.
        ours: notes as they would be, at least with slot and facts.
    """
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    if keys and (other := _other_problem(there, here, noted, ours)):
        return [other]
    return [_change(key, there.get(key), here.get(key), _unit(noted), _unit(ours)) for key in keys]


def _change(key: str, there: Any, here: Any, unit_there: str, unit_here: str) -> str:
    """Returns in words how an entry of a plan's manifest differs."""
    if key in _SENTENCES:
        return _SENTENCES[key]
    if key == "task_fingerprint":
        return "the file of the problem has changed since" if there and here else "the problem is another one"
    if key == "budget":
        amounts = f"{_amount(there, unit_there)} there, {_amount(here, unit_here)} here"
        return f"a run has {amounts}: --steps, or the problem's own"
    if key == "maximize":
        return f"{'more' if there else 'less'} of the metric is better there, {'more' if here else 'less'} here"
    if key == "race":
        return (
            f"the candidates {'race' if there else 'do not race'} there, and {'do' if here else 'do not'} here: "
            f"{'give' if there else 'leave out'} --race"
        )
    return f"{_NAMES.get(key, key)} is {_written(there)} there, {_written(here)} here"


def _other_problem(
    there: Mapping[str, Any], here: Mapping[str, Any], noted: Mapping[str, Any], ours: Mapping[str, Any]
) -> str:
    """Returns which problem each is, where they are different ones and not one that has changed; else nothing."""
    slots, kinds, names = (
        (slot_of(noted) or slot_of(ours), slot_of(ours)),
        (bool(_several(noted)), bool(_several(ours))),
        (there.get("task"), here.get("task")),
    )
    moved = there.get("task_fingerprint") != here.get("task_fingerprint") and _place(noted) != _place(ours)
    if not (moved or any(before != now for before, now in (slots, kinds, names))):
        return ""
    before, now = _problem(there, noted), _problem(here, ours)
    if before == now and names[0] != names[1]:  # one problem with two schedules
        before, now = map(str, names)
    if not _several(ours) and now in _several(noted):
        return f"{before} together, and not {now} alone: name another of them beside it"
    if before == now:
        before, now = f"{before} with {slots[0]}s", f"{now} with {slots[1]}s"
    return f"another problem, {before}, and not {now}"


def _several(notes: Mapping[str, Any]) -> list[str]:
    """Names of the problems, if there are several."""
    return list(notes.get("tasks", {}))


def _place(notes: Mapping[str, Any]) -> str:
    """Where a problem is: its name, or its file and the name in it, without settings."""
    return reference_of(notes).partition("(")[0]


def _problem(manifest: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """How the problem of a manifest is named, or what there is instead of one."""
    return " and ".join(_several(notes)) or reference_of(notes) or str(manifest.get("task", "a claim"))


def _unit(notes: Mapping[str, Any]) -> str:
    """What a run's budget counts; in trimtab 0.1 only training runs had one."""
    return str(notes.get("facts", {}).get("cost", {}).get("one", "sample-gradient"))


def definition_changes(there: Mapping[str, Any], here: Mapping[str, Any], steps: int | None = None) -> list[str]:
    """Returns how definitions of a candidate differ, one thing after the other; empty if they do not.

    Args:
        there: as it was when the study was begun.
        here: as it is asked for.
        steps: of a run, where that is known.
    """
    changes = []
    if there.get("command") != here.get("command"):
        changes.append(f"the command is {there.get('command')} there, {here.get('command')} here")
    if there.get("shell") != here.get("shell"):
        changes.append(f"a shell reads the command {'there' if there.get('shell') else 'here'} only")
    before, now = _settings(there), _settings(here)
    none = "no setting" if "command" in {**there, **here} else "as it comes"  # whose ranges may be the catalogue's
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            changes.append(f"{name} is {before.get(name, none)} there, {now.get(name, none)} here")
    if there.get("recipe") != here.get("recipe"):
        recipes = [_written(_in_steps(each.get("recipe"), steps)) for each in (there, here)]
        changes.append(f"the recipe is {recipes[0]} there, {recipes[1]} here")
    if there.get("file") != here.get("file"):
        changes.append("its file has changed since")
    changes += _file_changes(_files(there), _files(here))
    there, here = ({key: each for key, each in of.items() if key != "tuned"} for of in (there, here))  # ranges say it
    later = {key: here[key] for key in _NOTED_LATER if key in here}
    if not changes and {**later, **there} != here:
        changes.append("it is defined in another way")
    return changes


def remedies(location: Location) -> str:
    """Returns what to do where a study cannot go on as it was asked for."""
    if isinstance(location, Path):
        return (
            f"Undo that to go on; choose another directory with --out; or remove {location / FILE_NAME} to start again"
        )
    return f"Undo that to go on; or choose another database with --store instead of {shown(location)}"


def _amount(budget: int | None, unit: str) -> str:
    return "no known length" if budget is None else count(budget, unit)


def _written(value: Any) -> str:
    if isinstance(value, Mapping):  # ranges, as --tune takes them
        return " ".join(f"{name}={text}" for name, text in value.items()) or "none"
    return "none" if value is None else str(value)


def _in_steps(recipe: Any, steps: int | None) -> Any:
    """Writes a recipe's warm-up as both people may have given it: as a share of the run, and in steps."""
    share = recipe.get("warmup") if isinstance(recipe, Mapping) else None
    if not isinstance(share, float):
        return recipe
    in_steps = "" if steps is None else f" ({count(round(share * steps), 'step')})"
    return {**recipe, "warmup": f"{100 * share:g}%{in_steps}"}


def _settings(definition: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(text) for part in ("fixed", "ranges") for name, text in definition.get(part, {}).items()}


def _files(definition: Mapping[str, Any]) -> dict[str, str]:
    return {path: hash for part in ("files", "files_within") for path, hash in definition.get(part, {}).items()}


def _file_changes(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    changed = [path for path in there if path in here and there[path] != here[path]]
    words = [f"{', '.join(changed)} {'has' if len(changed) == 1 else 'have'} changed since"] if changed else []
    for paths, place in ((there.keys() - here.keys(), "there"), (here.keys() - there.keys(), "here")):
        if paths:
            words.append(
                f"{', '.join(sorted(paths))} belongs to the command {place} only, or was no file when it was made"
            )
    return words
