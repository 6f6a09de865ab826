"""What differs between a study that is kept somewhere and the one that was asked for, in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab.study.database import FILE_NAME, Location, shown
from trimtab.study.facts import Unit
from trimtab.study.phrases import count

_NAMES = {
    "tunables": "what the problem has tuned",
    "metric": "the metric",
    "pruning": "--pruner",
    "timeout": "--timeout",
    "task": "the problem",
}
_KINDS = ("a comparison over several problems", "of one problem")


def manifest_change(key: str, there: Any, here: Any, cost: Unit) -> str:
    """Returns in words how an entry of a plan's manifest differs; budgets are counted in units of cost."""
    if key == "task_fingerprint":
        return "the file of the problem has changed since" if there and here else "the problem is another one"
    if key == "budget":
        return f"a run has {_amount(there, cost)} there, {_amount(here, cost)} here: --steps, or the problem's own"
    if key == "kind":
        return f"it is {_KINDS[there is None]} there, {_KINDS[here is None]} here"
    if key == "maximize":
        return f"{'more' if there else 'less'} of the metric is better there, {'more' if here else 'less'} here"
    return f"{_NAMES.get(key, key)} is {_written(there)} there, {_written(here)} here"


def manifest_changes(there: Mapping[str, Any], here: Mapping[str, Any], cost: Unit) -> list[str]:
    """Returns how manifests differ, one thing after the other; empty if they do not."""
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    return [manifest_change(key, there.get(key), here.get(key), cost) for key in keys]


def definition_changes(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Returns how definitions of a candidate differ, one thing after the other; empty if they do not."""
    changes = []
    if there.get("command") != here.get("command"):
        changes.append(f"the command is {there.get('command')} there, {here.get('command')} here")
    if there.get("shell") != here.get("shell"):
        changes.append(f"a shell reads the command {'there' if there.get('shell') else 'here'} only")
    before, now = _settings(there), _settings(here)
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            changes.append(f"{name} is {before.get(name, 'no setting')} there, {now.get(name, 'no setting')} here")
    if there.get("file") != here.get("file"):
        changes.append("its file has changed since")
    changes += _file_changes(there.get("files", {}), here.get("files", {}))
    if not changes and there != here:
        changes.append("it is defined in another way")
    return changes


def remedies(location: Location) -> str:
    """Returns what to do where a study cannot go on as it was asked for."""
    if isinstance(location, Path):
        return (
            f"Undo that to go on; choose another directory with --out; or remove {location / FILE_NAME} to start again"
        )
    return f"Undo that to go on; or choose another database with --store instead of {shown(location)}"


def _amount(budget: int | None, cost: Unit) -> str:
    return "no known length" if budget is None else count(budget, cost.one)


def _written(value: Any) -> str:
    return "none" if value is None else str(value)


def _settings(definition: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(text) for part in ("fixed", "ranges") for name, text in definition.get(part, {}).items()}


def _file_changes(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    changed = [path for path in there if path in here and there[path] != here[path]]
    words = [f"{', '.join(changed)} {'has' if len(changed) == 1 else 'have'} changed since"] if changed else []
    for paths, place in ((there.keys() - here.keys(), "there"), (here.keys() - there.keys(), "here")):
        if paths:
            words.append(
                f"{', '.join(sorted(paths))} belongs to the command {place} only, or was no file when it was made"
            )
    return words
