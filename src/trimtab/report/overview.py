"""The page over several problems: scores, profiles, and the way to the page of each problem."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from trimtab.compare.over_problems.places import headings, places_of, scheduled
from trimtab.compare.over_problems.result import CandidateProfile, ResultOverProblems
from trimtab.report import words_over_problems as words
from trimtab.report.document import render
from trimtab.report.figures.over_problems import FIGURES_OVER_PROBLEMS
from trimtab.report.figures.style import VERDICTS, series_role, verdict_name, verdict_role
from trimtab.report.numbers import digits_of, fixed, significant
from trimtab.report.objective import brief, shown_interval
from trimtab.report.standing import Standing
from trimtab.study.files import write_atomically


def write_overview(result: ResultOverProblems, path: str | Path, standing: Standing | None = None) -> Path:
    """Writes the page over all problems to one file, which leads to those of the problems in directories beside it.

    Args:
        result: the comparison.
        path: of the HTML file; its directory is made if it is missing.
        standing: how the comparison stands, if it is not over.

    Returns:
        The path.
    """
    return write_atomically(path, render_overview(result, standing))


def render_overview(result: ResultOverProblems, standing: Standing | None = None) -> str:
    """Returns the page over all problems as HTML."""
    drawn = {name: draw(result) for name, draw in FIGURES_OVER_PROBLEMS.items()} if _drawn(result) else {}
    return render("overview.html.jinja", drawn, _context(result), scripts=["live"], standing=standing)


def _context(result: ResultOverProblems) -> dict[str, Any]:
    rows = [_row(result, profile, place) for place, profile in enumerate(result.profiles)]
    used = {cell["role"] for row in rows for cell in row["cells"]}
    return {
        "result": result,
        "version": next(iter(result.problems.values())).environment.get("trimtab"),
        "rows": rows,
        "roles": [(role, verdict_name(role)) for role in VERDICTS if role in used],
        "links": {name: f"{quote(name)}/report.html" for name in result.problems},
        "facts": words.facts(result),
        "method": words.method(result),
        "columns": words.columns(result),
        "reading": words.reading(result),
        "captions": words.captions(result),
        "has_figures": _drawn(result),
        "places": places_of(result.problems),
        "over": words.over(result),
        "headings": headings(result.problems),
        "descriptions": words.descriptions(result),
    }


def _drawn(result: ResultOverProblems) -> bool:
    return result.scored and bool(result.reached)


def _row(result: ResultOverProblems, profile: CandidateProfile, place: int) -> dict[str, Any]:
    return {
        "label": profile.label,
        "score": "–" if profile.score is None else f"{profile.score:.2f}",
        "series": series_role(place),
        "cells": [_cell(result, profile, name) for name in result.problems],
    }


def _cell(result: ResultOverProblems, profile: CandidateProfile, name: str) -> dict[str, Any]:
    """What a candidate did on a problem."""
    found = result.problems[name]
    candidate = next(each for each in found.candidates if each.label == profile.label)
    role = verdict_role(candidate, found.reference)
    if scheduled(result.problems):  # one problem, whose losses can stand beside each other
        loss = shown_interval(found, candidate)
        cost = "" if loss is None else f"{brief(found)} {fixed(loss.mean, digits_of(c.loss for c in found.candidates))}"
    elif not result.scored:
        cost = ""
    elif name in result.left_out:
        cost = "does not count"
    elif (ratio := profile.ratios[name]) is None:
        cost = "target not reached"
    else:
        cost = f"{significant(ratio, 3)} × the lowest cost"
    return {
        "role": role,
        "verdict": verdict_name(role),
        "rank": candidate.rank and candidate.in_all_pairs and candidate.place,
        "cost": cost,
    }
