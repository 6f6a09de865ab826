"""Where the report of runs that others made goes, so that it takes nobody's place."""

from pathlib import Path

from sqlalchemy import make_url

from trimtab.compare.imported.table import Source
from trimtab.compare.over_problems.result import AnyResult, ResultOverProblems
from trimtab.lab.tables.references import table_name
from trimtab.study.checks import check_path
from trimtab.study.errors import InputError
from trimtab.study.location import FILE_NAME

_WRITTEN = ("report.html", "results.json", "results.csv")


def directory_for(source: Source, out: str | Path | None, result: AnyResult) -> Path:
    """Returns the directory of a report: the one that is wanted, else ``runs/`` and what the file is called.

    Results of comparisons all have the same name, so that they are called as their directory is, as in
    ``runs/digits-results``.

    Args:
        source: what was read.
        out: the one that is wanted.
        result: what is to be written there.

    Raises:
        InputError: there a comparison keeps its trials, whose report would be lost, or the file that was read.
    """
    path = Path(source) if isinstance(source, str | Path) else None
    if out is not None:
        check_path("out", out)
    directory = Path("runs", _name(source)) if out is None else Path(out)
    places = [directory]
    if isinstance(result, ResultOverProblems):
        places += [directory / name for name in result.problems]
    for place in places:
        if (place / FILE_NAME).exists():
            raise InputError(f"{place} holds a comparison, whose report would be lost; choose another place with --out")
        if path is not None and path.resolve() in {place.resolve() / name for name in _WRITTEN}:
            raise InputError(f"the report in {place} would replace {path}, which was read; choose another --out")
    return directory


def _name(source: Source) -> str:
    """What a file is called; of a server's URL, which may have a password, its database."""
    if not isinstance(source, str | Path):
        return "runs"
    path = Path(make_url(str(source)).database or "trials") if "://" in str(source) else Path(source)
    above = path.resolve().parent.name
    if path.name in _WRITTEN and above:
        return f"{above}-results"
    return table_name((path if path.name else path.resolve()).name)  # "." has no name
