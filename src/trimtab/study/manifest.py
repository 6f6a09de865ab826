"""What makes a study this study: how it is kept, and how two of them are told apart."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from trimtab.study.errors import InputError

MANIFEST = "trimtab"
"""The name of the study of Optuna's that holds what is known of the whole."""

Words: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], str]
"""Tells how manifests differ: from the one that is there, the one that is asked for, and the annotation there."""


def refusal(name: str, changes: str, *, shared: bool, recorded: bool) -> str:
    """Returns why a study cannot go on in a store, and what to do.

    Args:
        name: of the store, as it may be printed.
        changes: how the manifests differ.
        shared: whether several processes may work on it.
        recorded: whether it holds outcomes; else a process is at work there.
    """
    place, thing = (name, "database") if shared else (Path(name).parent, "output directory")
    remove = "use a new one" if shared else f"remove {name}"
    what = "holds the results of another study" if recorded else "is where a process works on another study"
    return f"{place} {what}: {changes}. Choose another {thing}, or {remove} to start again."


def each_difference(there: Mapping[str, Any], here: Mapping[str, Any], _annotation: Mapping[str, Any]) -> str:
    """Returns how manifests differ, where nobody has better words."""
    differing = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))
    return "; ".join(f"{key}: {there.get(key)!r} there, {here.get(key)!r} here" for key in differing)


def plain_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a manifest as it comes back from a store.

    Raises:
        InputError: it holds what JSON cannot.
    """
    try:
        plain = json.loads(json.dumps(manifest, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"manifest={manifest!r}: plain values are needed ({error})") from error
    if not isinstance(plain, dict):
        raise InputError(f"manifest={manifest!r}: names and values are needed")
    return plain
