"""Advice on another batch size: a page, JSON, and what the terminal shows."""

import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.report import words_on_scaling as words
from trimtab.report.document import render
from trimtab.report.figures.scaling import largest_rates
from trimtab.schedule.rmt_scaling.scaling_advice import ScalingAdvice
from trimtab.study.files import write_atomically

SCHEMA = "trimtab.scaling"
SCHEMA_VERSION = 1
"""Grows when a field is renamed, removed or changes its meaning; not when one is added."""

_CAPTIONS = {
    "rates": (
        "The largest stable learning rate",
        "Left of the knee, the noise of a batch's curvature limits the rate; right of it, the curvature of all the "
        "data does. Both scales are logarithmic, so that a power of the batch size is a straight line.",
    )
}


@dataclass(frozen=True)
class ScalingPaths:
    """Where advice lies.

    Args:
        page: the page to open.
        json: everything, for other programs.
    """

    page: Path
    json: Path


def write_scaling(advice: ScalingAdvice, directory: str | Path) -> ScalingPaths:
    """Writes ``scaling.html`` and ``scaling.json`` into a directory, each in one go.

    Args:
        advice: what was found.
        directory: made if it is missing.
    """
    directory = Path(directory)
    return ScalingPaths(
        page=write_atomically(directory / "scaling.html", render_scaling(advice)),
        json=write_atomically(directory / "scaling.json", to_json(advice)),
    )


def to_json(advice: ScalingAdvice) -> str:
    """Returns advice as strict JSON, the reasons in words included."""
    values = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **advice.to_dict(),
        "conclusion": words.conclusion(advice),
        "cautions": words.cautions(advice),
    }
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def render_scaling(advice: ScalingAdvice) -> str:
    """Returns the page as HTML that loads nothing from anywhere."""
    values = {
        "advice": advice,
        "version": importlib.metadata.version("trimtab"),
        "conclusion": words.conclusion(advice),
        "cautions": words.cautions(advice),
        "facts": words.facts(advice),
        "rows": words.rows(advice),
        "captions": _CAPTIONS,
        "descriptions": {"rates": " ".join(words.conclusion(advice)[:2])},
    }
    return render("scaling.html.jinja", {"rates": largest_rates(advice)}, values, scripts=[])


def print_scaling(console: Console, advice: ScalingAdvice, paths: ScalingPaths) -> None:
    """Prints the settings, why, and where the page is."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(advice.task))
    for size in (advice.from_batch, advice.to_batch):
        table.add_column(f"batch {size:,}", justify="right", no_wrap=True)
    for row in words.rows(advice):
        table.add_row(*row)
    console.print(table)
    console.print()
    for sentence in words.conclusion(advice):
        console.print(Text(sentence))
    console.print()
    for sentence in words.cautions(advice):
        console.print(Text(sentence, style="dim"))
    console.print()
    for name, path in (("page", paths.page), ("all data", paths.json)):
        line = Text(f"{name:<9}").append(str(path), style=f"link {path.resolve().as_uri()}")
        console.print(line, soft_wrap=True)
