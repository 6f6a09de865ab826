"""The report: one HTML page that needs nothing but itself."""

from pathlib import Path
from typing import Any

from trimtab.compare.result import CandidateResult, ComparisonResult, Interval
from trimtab.report import figure_words, numbers, raced, trials, words
from trimtab.report.document import render
from trimtab.report.figures import figures_of, has_traces, scatter_names
from trimtab.report.figures.style import VERDICTS, series, series_role, verdict_name, verdict_role
from trimtab.report.objective import better, brief, shown_interval
from trimtab.report.pair_table import pair_rows
from trimtab.report.standing import Standing
from trimtab.study.files import write_atomically


def write_page(
    result: ComparisonResult, path: str | Path, *, overview: str | None = None, standing: Standing | None = None
) -> Path:
    """Writes the report of a comparison to one file that loads nothing from anywhere.

    Args:
        result: the comparison.
        path: of the HTML file; its directory is made if it is missing.
        overview: where the page over all problems lies, relative to this one, if there is one.
        standing: how the comparison stands, if it is not over.

    Returns:
        The path.
    """
    return write_atomically(path, render_page(result, overview=overview, standing=standing))


def render_page(result: ComparisonResult, *, overview: str | None = None, standing: Standing | None = None) -> str:
    """Returns the report of a comparison as HTML."""
    drawn = figures_of(result)
    values = {**_context(result, overview), "drawn": set(drawn)}
    return render("page.html.jinja", drawn, values, scripts=["page", "live"], standing=standing)


def _context(result: ComparisonResult, overview: str | None) -> dict[str, Any]:
    table = trials.trials_table(result)
    measures = [measure for measure in result.measures if measure.in_ranking]
    used = {verdict_role(candidate, result.reference) for candidate in result.candidates}
    places = series(result)
    loss_digits = numbers.digits_of(c.loss for c in result.candidates)
    return {
        "result": result,
        "version": result.environment.get("trimtab"),
        "overview": overview,
        "has_traces": has_traces(result),
        "scatters": list(scatter_names(result)),
        "quoted": [measure for measure in measures if measure.over == "mean"],
        "prices": [measure for measure in measures if measure.over != "mean"],
        "objective": {"brief": brief(result), "better": better(result)},
        "roles": [(role, verdict_name(role)) for role in VERDICTS if role in used],
        "candidates": [_row(result, c, places[c.label]) for c in result.candidates],
        "digits": {
            "loss": loss_digits,
            "improvement": numbers.digits_of(map(_improvement, result.candidates)) or loss_digits,
            "metric": numbers.digits_of(c.metric for c in result.candidates),
            **{m.name: numbers.digits_of(c.measures.get(m.name) for c in result.candidates) for m in measures},
        },
        "facts": words.facts(result),
        "race_summary": [] if result.race is None else [raced.summary(result, result.race)],
        "protocol": words.protocol(result),
        "glossary": words.glossary(result),
        "pairs": pair_rows(result),
        "pairs_explained": words.pairs(result),
        "columns_explained": words.columns(result),
        "trials_explained": words.trials(result),
        "captions": {**figure_words.captions(result), **figure_words.scatter_captions(scatter_names(result))},
        "descriptions": {
            **figure_words.descriptions(result),
            **figure_words.scatter_descriptions(scatter_names(result)),
        },
        "trials": table,
        "columns": table["columns"],
    }


def _improvement(candidate: CandidateResult) -> Interval | None:
    pair = candidate.against_reference
    return None if pair is None else Interval(pair.improvement, pair.simultaneous_low, pair.simultaneous_high)


def _row(result: ComparisonResult, candidate: CandidateResult, place: int) -> dict[str, Any]:
    role = verdict_role(candidate, result.reference)
    return {
        "result": candidate,
        "end": shown_interval(result, candidate),
        "improvement": _improvement(candidate),
        "role": role,
        "verdict": verdict_name(role),
        "series": series_role(place),
        "finish": raced.finish(result, candidate),
        "trouble": words.trouble(candidate, sum(trial.candidate == candidate.label for trial in result.trials)),
    }
