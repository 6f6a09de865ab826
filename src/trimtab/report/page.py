"""The report: one HTML page that needs nothing but itself."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup

from trimtab.compare.result import CandidateResult, ComparisonResult, Interval
from trimtab.lab.files import write_atomically
from trimtab.report import numbers, trials, words
from trimtab.report.figures import FIGURES
from trimtab.report.figures.style import PALETTE, VERDICTS, series, series_role, verdict_name, verdict_role
from trimtab.report.objective import better, shown_interval

_RESOURCES = resources.files("trimtab.report")


def write_page(result: ComparisonResult, path: str | Path) -> Path:
    """Writes the report of a comparison to one file that loads nothing from anywhere.

    Args:
        result: the comparison.
        path: of the HTML file; its directory is made if it is missing.

    Returns:
        The path.
    """
    return write_atomically(path, render_page(result))


def render_page(result: ComparisonResult) -> str:
    """Returns the report of a comparison as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.globals["embed_json"] = embed_json
    environment.filters["breakable"] = breakable
    environment.filters["tied"] = lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%")
    for name in ("significant", "fixed", "signed", "whole", "bytes_text", "milliseconds", "setting", "count"):
        environment.filters[name] = getattr(numbers, name)
    return environment.get_template("page.html.jinja").render(_context(result))


def embed_json(values: Any) -> Markup:
    """Returns JSON that can stand in a script element, whatever text is in it.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    for character in "<>&":  # "</script>" would end the element, "<!--" would hide its end
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def breakable(text: str) -> Markup:
    """Returns escaped text that may end a line after a bracket or a comma, as calls are long words otherwise."""
    return Markup("<wbr>").join(re.split(r"(?<=[(,])", text))


@dataclass(frozen=True)
class _Script:
    """A script of ours or plotly's, with the digest by which the page's policy admits it and no other."""

    text: Markup

    @property
    def digest(self) -> str:
        return base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()


def _script(text: str) -> _Script:
    if "</script" in text.lower() or "\r" in text:
        raise ValueError("a script holds a closing tag or a carriage return: browsers would not read it as it is")
    return _Script(Markup(text))  # noqa: S704 - a file of this package or of plotly


def plotly_js() -> str:
    """Returns plotly.js as the reports hold it.

    It is the basic bundle of the version that plotly.py ships: lines, markers and bars are what figures are made of.
    The whole of it, which plotly.py has, is four times as large and takes five times as long to start.
    """
    return _resource("plotly/plotly-basic.min.js")


def _resource(name: str) -> str:
    return _RESOURCES.joinpath(name).read_text(encoding="utf-8")


def _context(result: ComparisonResult) -> dict[str, Any]:
    table = trials.trials_table(result)
    used = {verdict_role(candidate, result.reference) for candidate in result.candidates}
    places = series(result)
    drawn = {name: json.loads(_figure_json(draw(result))) for name, draw in FIGURES.items()}
    loss_places = numbers.decimals(c.loss for c in result.candidates)
    pairs = [c.against_reference for c in result.candidates if c.against_reference is not None]
    return {
        "result": result,
        "is_task": result.task.kind == "task",
        "objective": {"brief": _brief(result), "better": better(result)},
        "roles": [(role, verdict_name(role)) for role in VERDICTS if role in used],
        "candidates": [_row(result, c, places[c.label]) for c in result.candidates],
        "places": {
            "loss": loss_places,
            "improvement": numbers.decimals(Interval(p.improvement, p.low, p.high) for p in pairs) or loss_places,
            "metric": numbers.decimals(c.metric for c in result.candidates),
            "test": numbers.decimals(c.test_metric for c in result.candidates),
        },
        "facts": words.task_facts(result),
        "protocol": words.protocol(result),
        "glossary": words.glossary(result),
        "captions": words.captions(result),
        "descriptions": words.descriptions(result),
        "palette": PALETTE,
        "trials": table,
        "columns": trials.columns(result, table),
        "figures": {"colours": {light: role for role, (light, _) in PALETTE.items()}, "figures": drawn},
        "style": Markup(_resource("page.css")),  # noqa: S704 - a file of this package
        "scripts": {
            "page": _script(_resource("page.js")),
            "plotly": _script(plotly_js()),
            "figures": _script(_resource("figures.js")),
        },
    }


def _brief(result: ComparisonResult) -> str:
    return "loss" if result.task.kind == "task" else result.task.metric


def _figure_json(figure: go.Figure) -> str:
    return str(figure.to_json(validate=False))


def _row(result: ComparisonResult, candidate: CandidateResult, place: int) -> dict[str, Any]:
    role = verdict_role(candidate, result.reference)
    return {
        "result": candidate,
        "end": shown_interval(result, candidate),
        "role": role,
        "verdict": verdict_name(role),
        "series": series_role(place),
        "trouble": words.trouble(candidate, sum(trial.candidate == candidate.label for trial in result.trials)),
    }
