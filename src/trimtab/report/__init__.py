"""A comparison, drawn: one HTML page, tables for other programs, and what the terminal shows."""

from dataclasses import dataclass
from pathlib import Path

from trimtab.compare.result import ComparisonResult


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies.

    Args:
        page: the page to open.
        json: everything, for other programs.
        csv: a row a trial.
    """

    page: Path
    json: Path
    csv: Path


def write_all(result: ComparisonResult, directory: str | Path) -> ReportPaths:
    """Writes ``report.html``, ``results.json`` and ``results.csv`` into a directory, each in one go.

    Args:
        result: the comparison.
        directory: made if it is missing.
    """
    from trimtab.report.export import write_csv, write_json
    from trimtab.report.page import write_page

    directory = Path(directory)
    return ReportPaths(
        page=write_page(result, directory / "report.html"),
        json=write_json(result, directory / "results.json"),
        csv=write_csv(result, directory / "results.csv"),
    )
