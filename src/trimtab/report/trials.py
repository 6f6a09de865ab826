"""All trials, as compact as a page with thousands of them needs it."""

from collections.abc import Sequence
from typing import Any

from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report.figures.style import series, series_role
from trimtab.report.numbers import settings_text

ERROR_BUDGET = 1_000_000
"""Characters of tracebacks that a page holds; results.json has them all."""

_LONGEST_ERROR = 4_000
_LEFT_OUT = "Left out to keep this page small; results.json has it."

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("candidate", "candidate", "text"),
    ("phase", "phase", "text"),
    ("seed", "seed", "label"),
    ("status", "status", "text"),
    ("loss", "val loss", "number"),
    ("metric", "val {metric}", "number"),
    ("test_loss", "test loss", "number"),
    ("test_metric", "test {metric}", "number"),
    ("lr", "lr", "rate"),
    ("settings", "other settings", "text"),
    ("cost", "sample-gradients", "integer"),
    ("steps", "steps", "integer"),
    ("milliseconds", "ms a step", "number"),
    ("seconds", "seconds", "number"),
)
"""Key, heading and type of what the table of trials shows."""


def trials_table(result: ComparisonResult) -> dict[str, Any]:
    """Returns what the page's script makes the table of trials from.

    Rows are lists in the order of :data:`COLUMNS`, then the trial's key and the place of its error in ``errors``, or
    ``None``. Tracebacks are kept once, however many trials ended with them.
    """
    errors = _Errors()
    rows = [[*_cells(result, trial), trial.key, errors.place(trial.error)] for trial in result.trials]
    used = [index for index, column in enumerate(COLUMNS) if column[2] == "text" or _occurs(rows, index)]
    return {
        "columns": [{"index": index, "type": COLUMNS[index][2]} for index in used],
        "rows": rows,
        "errors": list(errors.places),
        "series": {label: series_role(place) for label, place in series(result).items()},
    }


def columns(result: ComparisonResult, table: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the headings of the columns that a table shows."""
    names = {}
    if result.task.kind == "command":
        names = {"val loss": result.task.metric, "sample-gradients": "reported values", "lr": result.task.rate or ""}
    headings = [COLUMNS[column["index"]][1] for column in table["columns"]]
    return [
        {**column, "heading": names.get(heading, heading.replace("{metric}", result.task.metric))}
        for column, heading in zip(table["columns"], headings, strict=True)
    ]


def _occurs(rows: Sequence[Sequence[Any]], index: int) -> bool:
    return any(row[index] is not None for row in rows)


def _cells(result: ComparisonResult, trial: TrialResult) -> list[Any]:
    name = result.task.rate or ""
    rate = trial.settings.get(name)
    numeric = isinstance(rate, int | float) and not isinstance(rate, bool)
    others = {key: value for key, value in trial.settings.items() if key != name or not numeric}
    values: dict[str, Any] = {
        "lr": _short(rate) if numeric else None,
        "settings": settings_text(others),
        "milliseconds": None if trial.step_seconds is None else _short(1000 * trial.step_seconds),
    }
    for key in ("loss", "metric", "test_loss", "test_metric", "seconds"):
        values[key] = _short(getattr(trial, key))
    if result.task.kind == "command":  # it has one number, and takes steps of which we know nothing
        values |= {"loss": values["metric"], "metric": None, "steps": None}
    return [values[key] if key in values else getattr(trial, key) for key, _, _ in COLUMNS]


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
