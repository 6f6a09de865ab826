"""All trials, as compact as a page with thousands of them needs it."""

from collections.abc import Sequence
from typing import Any

from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report.figures.style import series, series_role
from trimtab.report.numbers import settings_text
from trimtab.report.objective import shown
from trimtab.study.facts import SECONDS, Measure, brief

ERROR_BUDGET = 1_000_000
"""Characters of tracebacks that a page holds; results.json has them all."""

_FIRST = 2
"""Place in a row where its columns begin."""

_EXACT = 2**53
"""Whole numbers up to this one are exact in a browser."""

_LONGEST_ERROR = 4_000
_LEFT_OUT = "Left out to keep this page small; results.json has it."


def _columns(result: ComparisonResult) -> list[tuple[str, str, str]]:
    """Key, heading and type of what the table of trials may show."""
    problem = result.problem
    quoted = [] if problem.quoted is None else [("metric", brief(problem.quoted.name), "number")]
    ends = [_column(m) for m in result.measures if m.over == "mean"]
    prices = [_column(m) for m in result.measures if m.over != "mean" and m.name != SECONDS]
    unknown = {*(() if problem.costed else ("cost",)), *(("seconds",) if problem.origin else ())}
    columns = [
        ("candidate", "candidate", "text"),
        ("phase", "phase", "text"),
        ("seed", "seed", "label"),
        ("status", "status", "text"),
        ("loss", brief(problem.objective.name), "number"),
        *quoted,
        *ends,
        ("rate", problem.rate or "", "rate"),
        ("settings", "other settings", "text"),
        ("cost", problem.cost.many, "integer" if all(_whole(t.cost) for t in result.trials) else "number"),
        *prices,
        ("seconds", "seconds", "number"),
    ]
    return [column for column in columns if column[0] not in unknown]


def _whole(cost: float) -> bool:
    return float(cost).is_integer()


def _column(measure: Measure) -> tuple[str, str, str]:
    return measure.name, measure.heading, "integer" if measure.form in ("whole", "bytes") else "number"


def trials_table(result: ComparisonResult) -> dict[str, Any]:
    """Returns what the page's script makes the table of trials from.

    Rows begin with the trial's key and the place of its error in ``errors``, or ``None``; then come all columns.
    Tracebacks are kept once, however many trials ended with them.
    """
    errors, columns = _Errors(), _columns(result)
    rows = [[trial.key, errors.place(trial.error), *_cells(result, trial, columns)] for trial in result.trials]
    used = [place for place, column in enumerate(columns) if column[2] == "text" or _occurs(rows, place + _FIRST)]
    return {
        "columns": [
            {"index": place + _FIRST, "key": columns[place][0], "type": columns[place][2], "heading": columns[place][1]}
            for place in used
        ],
        "rows": rows,
        "errors": list(errors.places),
        "series": {label: series_role(place) for label, place in series(result).items()},
    }


def _occurs(rows: Sequence[Sequence[Any]], index: int) -> bool:
    return any(row[index] is not None for row in rows)


def _cells(result: ComparisonResult, trial: TrialResult, columns: Sequence[tuple[str, str, str]]) -> list[Any]:
    problem, name = result.problem, result.problem.rate or ""
    rate = trial.settings.get(name)
    numeric = isinstance(rate, int | float) and not isinstance(rate, bool)
    others = {key: value for key, value in trial.settings.items() if key != name or not numeric}
    thousandths = {m.name for m in problem.measures if m.form == "milliseconds"}
    values: dict[str, Any] = {
        **{key: _short(1000 * value if key in thousandths else value) for key, value in trial.measures.items()},
        "candidate": trial.candidate,
        "phase": trial.phase,
        "seed": trial.seed if abs(trial.seed) <= _EXACT else str(trial.seed),
        "status": trial.status,
        "loss": None if trial.loss is None else _short(shown(result, trial.loss)),
        "metric": _short(trial.metric),
        "rate": _short(rate) if numeric else None,
        "settings": settings_text(others),
        "cost": trial.cost,
        "seconds": _short(trial.seconds),
    }
    return [values.get(key) for key, _, _ in columns]


def _short(value: Any) -> float | None:
    """Six significant digits, two more than the table shows: full ones would double the page."""
    return None if value is None else float(f"{value:.6g}")


class _Errors:
    """Texts of errors, each kept once and shortened, up to a total size."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._size = 0

    def place(self, text: str | None) -> int | None:
        """Returns the place of a text in the list, adding it if it is new and there is room."""
        if text is None:
            return None
        if len(text) > _LONGEST_ERROR:
            text = f"...\n{text[-_LONGEST_ERROR:]}"  # the end of a traceback says what happened
        if text not in self.places:
            if self._size > ERROR_BUDGET:
                text = _LEFT_OUT
            self._size += len(text)
        return self.places.setdefault(text, len(self.places))
