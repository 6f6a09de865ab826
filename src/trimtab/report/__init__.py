"""A comparison, drawn: one HTML page, tables for other programs, and what the terminal shows."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.compare.over_problems.result import AnyResult
from trimtab.compare.result import ComparisonResult

if TYPE_CHECKING:
    from trimtab.report.standing import Standing


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies.

    Args:
        page: the page to open.
        json: everything, for other programs.
        csv: a row a trial; ``None`` over several problems, each of which has its own.
        problems: the reports of the problems by name, where there are several.
    """

    page: Path
    json: Path
    csv: Path | None
    problems: dict[str, "ReportPaths"] = field(default_factory=dict)


def write_all(result: AnyResult, directory: str | Path, standing: "Standing | None" = None) -> ReportPaths:
    """Writes ``report.html``, ``results.json`` and ``results.csv`` into a directory, each in one go.

    Of several problems, each has these in a directory of its own, and the page over all of them leads there.

    Args:
        result: the comparison.
        directory: made if it is missing.
        standing: how the comparison stands, for the head of the pages, if it is not over.
    """
    from trimtab.report.export import write_json
    from trimtab.report.overview import write_overview

    directory = Path(directory)
    if isinstance(result, ComparisonResult):
        return _write_problem(result, directory, standing, overview=None)
    problems = {
        name: _write_problem(found, directory / name, standing, overview="../report.html")
        for name, found in result.problems.items()
    }
    page = write_overview(result, directory / "report.html", standing)
    return ReportPaths(page, write_json(result, directory / "results.json"), None, problems)


def _write_problem(
    result: ComparisonResult, directory: Path, standing: "Standing | None", *, overview: str | None
) -> ReportPaths:
    from trimtab.report.export import write_csv, write_json
    from trimtab.report.page import write_page

    return ReportPaths(
        page=write_page(result, directory / "report.html", overview=overview, standing=standing),
        json=write_json(result, directory / "results.json"),
        csv=write_csv(result, directory / "results.csv"),
    )
