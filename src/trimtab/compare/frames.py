"""A comparison as tables of pandas, for notebooks."""

import importlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from trimtab.compare.imported.own_results import read_results
from trimtab.compare.over_problems.result import AnyResult
from trimtab.compare.result import (
    CandidateResult,
    ComparisonResult,
    Effect,
    Interval,
    Pair,
    column_name,
    measure_names,
)
from trimtab.compare.stored import load_any
from trimtab.study.checks import check_path, check_text
from trimtab.study.errors import InputError
from trimtab.study.facts import SECONDS
from trimtab.study.location import FILE_NAME
from trimtab.study.outcome import Status
from trimtab.study.point import Phase

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Frames", "read"]

Columns = dict[str, tuple[list[Any], Any]]
"""Name to values and type."""

_CORRECTED = ("simultaneous_low", "simultaneous_high", "p_value", "simultaneous_detectable")
"""What of a pair takes into account how many were tested."""


def read(place: str | Path, problem: str | None = None) -> "Frames":
    """Reads a comparison, finished or running, or runs that others made, to look at it with pandas.

    What is there at this moment is read, once; read it again to see what has come since. Nothing is changed, and a
    comparison that runs goes on.

    Args:
        place: its directory, or the SQLAlchemy URL of its store. Where a directory holds no trials, as that of runs
            that others made, its ``results.json`` is read.
        problem: of a comparison over several, which one's tables are wanted.

    Raises:
        InputError: pandas is not installed, there is no comparison that can be read, or it does not have that problem.
    """
    if find_spec("pandas") is None:
        raise InputError("tables for notebooks need pandas: pip install 'trimtab[pandas]'")
    check_path("place", place)
    if problem is not None:
        check_text("problem", problem)
    text = str(place)
    result = _result(text)
    found = {result.problem.name: result} if isinstance(result, ComparisonResult) else result.problems
    if problem is None and len(found) == 1:
        (problem,) = found
    if problem not in found:
        raise InputError(f"problem={problem!r}: {text} holds the problems {', '.join(found)}; name one of them")
    return Frames(found[problem])


def _result(place: str) -> AnyResult:
    if "://" in place:
        return load_any(".", place)
    written = Path(place, "results.json")
    if written.is_file() and not Path(place, FILE_NAME).exists():
        return read_results(written)
    return load_any(place)


class Frames:
    """Tables of a comparison, each made anew when it is asked for.

    Names are categories, in the order of the ranking; whole numbers that may be missing are ``Int64``. In every table
    ``loss`` is what is minimised: of an objective that is to be large, its opposite. Measures have columns by their
    names, with underscores; which there are is the problem's affair, and those of a task are named below.

    Args:
        result: what a comparison on one problem found.
    """

    def __init__(self, result: ComparisonResult) -> None:
        self.result = result

    def trials(self) -> "pd.DataFrame":
        """A row a trial that has an outcome.

        Returns:
            ``key``: its name in the study; ``candidate``; ``phase``: ``tune`` or ``final``; ``seed``; ``status``:
            ``complete``, ``pruned``, ``diverged`` or ``failed``; ``loss`` and ``metric`` on the validation split at the
            end; ``cost`` in what the budget counts; ``seconds`` of the whole trial; measures: of a task ``test_loss``
            and ``test_metric`` of final runs, ``steps``, ``step_seconds`` and ``state_bytes``; ``error``; and a column
            ``setting.lr`` and so on for each setting that is tuned.
        """
        trials = self.result.trials
        columns: Columns = {
            "key": ([t.key for t in trials], "string"),
            "candidate": ([t.candidate for t in trials], self._labels),
            "phase": ([t.phase for t in trials], get_args(Phase)),
            "seed": ([t.seed for t in trials], "int64"),
            "status": ([t.status for t in trials], get_args(Status)),
        }
        for name in ("loss", "metric"):
            columns[name] = ([getattr(t, name) for t in trials], "float64")
        columns |= {
            "cost": _costs([t.cost for t in trials]),
            "seconds": ([t.seconds for t in trials], "float64"),
        }
        whole = {measure.name for measure in self.result.problem.measures if measure.form in ("whole", "bytes")}
        for name in measure_names(self.result):
            kind = "Int64" if name in whole else "float64"
            columns[column_name(name)] = ([t.measures.get(name) for t in trials], kind)
        columns |= {
            "error": ([t.error for t in trials], "string"),
        }
        return _frame(columns | _settings([t.settings for t in trials]))

    def curves(self) -> "pd.DataFrame":
        """A row an evaluation of a trial, in the order of its course.

        Returns:
            ``key``, ``candidate``, ``phase`` and ``seed`` as in :meth:`trials`; ``cost`` in what the budget counts,
            used by then; ``train_loss``: mean of the batches since the
            evaluation before, missing at the start; ``loss`` and ``metric`` on the validation split.
        """
        rows = [(trial, point) for trial in self.result.trials for point in trial.curve]
        return _frame(
            {
                "key": ([t.key for t, _ in rows], "string"),
                "candidate": ([t.candidate for t, _ in rows], self._labels),
                "phase": ([t.phase for t, _ in rows], get_args(Phase)),
                "seed": ([t.seed for t, _ in rows], "int64"),
                "cost": _costs([p.cost for _, p in rows]),
                "train_loss": ([p.train_loss for _, p in rows], "float64"),
                "loss": ([p.loss for _, p in rows], "float64"),
                "metric": ([p.metric for _, p in rows], "float64"),
            }
        )

    def candidates(self) -> "pd.DataFrame":
        """The ranking: a row a candidate, best first, and those that could not be ranked last.

        Returns:
            ``candidate``; ``rank``, missing without one; ``verdict`` against the reference with ``improvement`` on it;
            the 95 % interval of this pair alone, ``improvement_low`` and ``improvement_high``, and the one that holds
            for all pairs at once and goes with the verdict, ``simultaneous_low`` and ``simultaneous_high``; ``p_value``
            after correction; ``smallest_detectable`` and ``simultaneous_detectable``, the true difference that these
            seeds would have shown four times out of five, alone and among all pairs; ``erratic``: whether its seeds
            differ so much that its rank says little; means over seeds ``loss`` and ``metric``, each with ``_low`` and
            ``_high``; ``tuned_loss`` of the best setting, and its ``winners_curse``; ``cost_to_target``,
            ``reached_target`` and ``learning_rate_decades`` as in the report; ``trial_seconds``; measures: of a task
            the means ``test_loss`` and ``test_metric`` with ``_low`` and ``_high``, and ``steps``, ``step_seconds`` and
            ``state_bytes``; how many trials ``diverged``, ``failed`` or were ``pruned``; ``note``; ``code``; and the
            best settings.
        """
        found = self.result.candidates
        against = [c.against_reference for c in found]
        columns: Columns = {
            "candidate": ([c.label for c in found], self._labels),
            "rank": ([c.rank for c in found], "Int64"),
            "verdict": ([c.verdict for c in found], get_args(Effect)),
            "improvement": (_of_pairs(against, "improvement"), "float64"),
            "improvement_low": (_of_pairs(against, "low"), "float64"),
            "improvement_high": (_of_pairs(against, "high"), "float64"),
        }
        for name in _CORRECTED:
            columns[name] = (_of_pairs(against, name), "float64")
        columns["smallest_detectable"] = (_of_pairs(against, "smallest_detectable"), "float64")
        columns["erratic"] = ([c.erratic for c in found], "bool")
        for name in ("loss", "metric"):
            columns |= _interval(name, [getattr(c, name) for c in found])
        for measure in (each for each in self.result.problem.measures if each.name != SECONDS):
            column = column_name(measure.name)
            if measure.over == "mean":
                columns |= _interval(column, [c.measures.get(measure.name) for c in found])
            else:
                kind = "Int64" if measure.form == "bytes" else "float64"
                columns[column] = ([c.prices.get(measure.name) for c in found], kind)
        columns["trial_seconds"] = ([c.prices.get(SECONDS) for c in found], "float64")
        for name in ("tuned_loss", "winners_curse", "cost_to_target"):
            columns[name] = ([getattr(c, name) for c in found], "float64")
        columns["learning_rate_decades"] = ([c.rate_decades for c in found], "float64")
        columns["reached_target"] = ([c.reached_target for c in found], "Int64")
        for status in ("diverged", "failed", "pruned"):
            columns[status] = ([_count(c, status) for c in found], "int64")
        for name in ("note", "code"):
            columns[name] = ([getattr(c, name) for c in found], "string")
        return _frame(columns | _settings([c.settings for c in found]))

    def pairs(self) -> "pd.DataFrame":
        """A row a pair of ranked candidates, compared seed by seed.

        Returns:
            ``first`` and ``second``; ``improvement``: how much lower the loss of ``first`` is in the mean; the 95 %
            interval of this pair alone, ``low`` and ``high``, and the one that holds for all pairs at once,
            ``simultaneous_low`` and ``simultaneous_high``; ``p_value`` of the t test, corrected by Holm's
            method; ``significant``: whether it is below 5 %; the true difference that these ``seeds`` would have shown
            four times out of five, ``smallest_detectable`` alone and ``simultaneous_detectable`` among all pairs;
            ``freedom``, the degrees of freedom of the test; ``pairing``, how many times as many seeds it would take to
            know as much if no two runs shared one, 1 of unpaired runs.
        """
        pairs = self.result.pairs
        columns: Columns = {name: ([getattr(p, name) for p in pairs], self._labels) for name in ("first", "second")}
        for name in ("improvement", "low", "high", *_CORRECTED, "smallest_detectable", "freedom", "pairing"):
            columns[name] = ([getattr(p, name) for p in pairs], "float64")
        columns["significant"] = ([p.shown for p in pairs], "bool")
        columns["seeds"] = ([p.seeds for p in pairs], "int64")
        return _frame(columns)

    @property
    def _labels(self) -> tuple[str, ...]:
        """The categories of a candidate's name."""
        return tuple(candidate.label for candidate in self.result.candidates)


def _frame(columns: Columns) -> "pd.DataFrame":
    pd = importlib.import_module("pandas")
    made = {}
    for name, (values, kind) in columns.items():
        dtype = pd.CategoricalDtype(kind) if isinstance(kind, tuple) else kind
        made[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(made)


def _costs(values: list[float]) -> tuple[list[Any], Any]:
    """A column of costs: comparisons count them, and runs of others may have measured them."""
    return values, "int64" if all(float(value).is_integer() for value in values) else "float64"


def _interval(name: str, intervals: Sequence[Interval | None]) -> Columns:
    found: Columns = {}
    for column, end in ((name, "mean"), (f"{name}_low", "low"), (f"{name}_high", "high")):
        found[column] = ([None if each is None else getattr(each, end) for each in intervals], "float64")
    return found


def _of_pairs(pairs: Sequence[Pair | None], name: str) -> list[Any]:
    return [None if pair is None else getattr(pair, name) for pair in pairs]


def _count(candidate: CandidateResult, status: str) -> int:
    return candidate.trouble.get(status, 0)


def _settings(settings: Sequence[Mapping[str, Any]]) -> Columns:
    """A column a setting, of the type that its values have in common; missing where a row has no such setting."""
    names = dict.fromkeys(name for each in settings for name in each)
    return {f"setting.{name}": _setting([each.get(name) for each in settings]) for name in names}


def _setting(values: list[Any]) -> tuple[list[Any], Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return values, "boolean"
    if kinds == {int}:
        return values, "Int64"
    if kinds <= {int, float}:
        return values, "float64"
    if kinds == {str}:
        return values, tuple(sorted({value for value in values if value is not None}))
    return values, "object"
