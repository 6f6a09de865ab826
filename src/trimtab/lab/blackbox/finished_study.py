"""A study of Optuna's that is over: which one a reference means, its trials, and what is wrong with it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from optuna.distributions import distribution_to_json
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import make_url

from trimtab.lab.blackbox.search import constraints_of
from trimtab.study.errors import InputError
from trimtab.study.foreign_storages import opened_storage, storage_name
from trimtab.study.location import sqlite_file
from trimtab.study.suggestions import FEW, closest


@dataclass(frozen=True)
class FinishedStudy:
    """What is read of a study.

    Args:
        name: of it.
        storage: where it is, without a password.
        direction: which side is better.
        metric: what its values are called; ``value`` where it does not say.
        trials: those that are complete and have a finite value, in their order.
    """

    name: str
    storage: str
    direction: Literal["min", "max"]
    metric: str
    trials: tuple[FrozenTrial, ...]

    def fingerprint(self) -> str:
        """Returns what changes when its trials do: their settings, ranges, values and constraints."""
        each = [
            (
                sorted((n, repr(v), distribution_to_json(trial.distributions[n])) for n, v in trial.params.items()),
                repr(trial.value),
                sorted((str(name), repr(value)) for name, value in constraints_of(trial).items()),
            )
            for trial in self.trials
        ]
        text = json.dumps([self.direction, self.metric, each])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def constraints(self) -> Mapping[str, tuple[FrozenTrial, ...]]:
        """Returns the names of constraints, and the trials that tell of each, with a number that is finite."""
        told = [(trial, {str(name): value for name, value in constraints_of(trial).items()}) for trial in self.trials]
        names = dict.fromkeys(name for _, found in told for name in found)
        return {
            name: tuple(trial for trial, found in told if math.isfinite(found.get(name, math.nan))) for name in names
        }


def read_finished(place: str) -> FinishedStudy:
    """Reads a study.

    Args:
        place: SQLAlchemy URL, or path of a SQLite file or a journal, and behind ``#`` the name of the study, which may
            be left out where there is one alone.

    Raises:
        InputError: there is no such storage or study, or it has several objectives.
    """
    source, name = _parts(place)
    shown = storage_name(source)
    with opened_storage(source) as storage:
        names = optuna.get_all_study_names(storage)
        if not name and len(names) == 1:
            name = names[0]
        if name not in names:
            raise InputError(_not_there(shown, name, names))
        study = optuna.load_study(study_name=name, storage=storage)
        if len(study.directions) > 1:
            raise InputError(
                f"the study {name!r} in {shown} has {len(study.directions)} objectives; a search has one, and so has "
                "to have what it is on"
            )
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        direction: Literal["min", "max"] = "max" if study.direction == StudyDirection.MAXIMIZE else "min"
        metric = (study.metric_names or ["value"])[0]
    finite = tuple(trial for trial in trials if trial.value is not None and math.isfinite(trial.value))
    return FinishedStudy(name, shown, direction, metric, finite)


def _parts(place: str) -> tuple[str, str]:
    """Returns where a study is, and its name, which may be empty."""
    source, _, name = place.partition("#")
    if not source:
        raise InputError(
            f"study:{place}: expected study:sqlite:///path/to/file.db#name, or study:path/to/journal.log#name"
        )
    return source, name


def _not_there(storage: str, name: str, names: list[str]) -> str:
    if not names:
        return f"{storage} holds no study"
    listed = ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
    if not name:
        return f"which study of {storage}? It has {listed}: write its name after a #"
    near = closest(name, names)
    meant = f"did you mean {' or '.join(near)}? I" if near else "i"
    return f"there is no study {name!r} in {storage}; {meant}t has {listed}"


def absolute_place(place: str) -> str:
    """Returns a place that means the same in a process with another current directory."""
    source, name = _parts(place)
    behind = f"#{name}" if name else ""
    if "://" not in source:
        return f"{Path(source).resolve()}{behind}"
    file = sqlite_file(source)
    if file is None:
        return place
    url = make_url(source).set(database=str(file.resolve()))
    return f"{url.render_as_string(hide_password=False)}{behind}"


def shown_place(place: str) -> str:
    """Returns a place as it may be printed: without a password."""
    source, name = _parts(place)
    return f"{storage_name(source) if '://' in source else source}{f'#{name}' if name else ''}"
