"""The page over several tasks: scores, profiles, and the way to the page of each task."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from trimtab.compare.over_tasks.result import CandidateProfile, ResultOverTasks
from trimtab.report import words_over_tasks as words
from trimtab.report.document import render
from trimtab.report.figures.over_tasks import FIGURES_OVER_TASKS
from trimtab.report.figures.style import VERDICTS, series_role, verdict_name, verdict_role
from trimtab.report.numbers import significant
from trimtab.study.files import write_atomically


def write_overview(result: ResultOverTasks, path: str | Path) -> Path:
    """Writes the page over all tasks to one file, which leads to those of the tasks in directories beside it.

    Args:
        result: the comparison.
        path: of the HTML file; its directory is made if it is missing.

    Returns:
        The path.
    """
    return write_atomically(path, render_overview(result))


def render_overview(result: ResultOverTasks) -> str:
    """Returns the page over all tasks as HTML."""
    drawn = {name: draw(result) for name, draw in FIGURES_OVER_TASKS.items()}
    return render("overview.html.jinja", drawn, _context(result), scripts=[])


def _context(result: ResultOverTasks) -> dict[str, Any]:
    rows = [_row(result, profile, place) for place, profile in enumerate(result.profiles)]
    used = {cell["role"] for row in rows for cell in row["cells"]}
    return {
        "result": result,
        "version": next(iter(result.tasks.values())).environment.get("trimtab"),
        "rows": rows,
        "roles": [(role, verdict_name(role)) for role in VERDICTS if role in used],
        "links": {name: f"{quote(name)}/report.html" for name in result.tasks},
        "facts": words.facts(result),
        "method": words.method(result),
        "columns": words.columns(result),
        "reading": words.reading(result),
        "captions": words.captions(result),
        "descriptions": words.descriptions(result),
    }


def _row(result: ResultOverTasks, profile: CandidateProfile, place: int) -> dict[str, Any]:
    return {
        "label": profile.label,
        "score": "–" if profile.score is None else f"{profile.score:.2f}",
        "series": series_role(place),
        "cells": [_cell(result, profile, name) for name in result.tasks],
    }


def _cell(result: ResultOverTasks, profile: CandidateProfile, name: str) -> dict[str, Any]:
    """What a candidate did on a task."""
    task = result.tasks[name]
    candidate = next(each for each in task.candidates if each.label == profile.label)
    role = verdict_role(candidate, task.reference)
    if name in result.left_out:
        cost = "does not count"
    elif (ratio := profile.ratios[name]) is None:
        cost = "target not reached"
    else:
        cost = f"{significant(ratio, 3)} × the lowest cost"
    return {"role": role, "verdict": verdict_name(role), "rank": candidate.rank, "cost": cost}
