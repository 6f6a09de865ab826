"""Adopts the results of `trimtab verify --all` into the package, and writes the verdicts into the README's table.

Usage: python docs/verdicts.py [directory of results]
"""

import re
import shutil
import sys
from pathlib import Path

from trimtab.claims import CLAIMS
from trimtab.claims.loading import load_reference
from trimtab.claims.result import committed
from trimtab.report.contests import cell

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "src" / "trimtab" / "claims" / "results"
BEGIN, END = "<!-- verdicts -->", "<!-- /verdicts -->"
NOT_RUN = "not run yet"


def adopt(directory: Path) -> None:
    """Copies the results of claims into the package."""
    for module in {reference.partition(":")[0].rpartition(".")[2] for reference in CLAIMS.values()}:
        file = directory / f"{module}.json"
        if file.is_file():
            shutil.copyfile(file, RESULTS / file.name)


def with_verdicts(readme: str) -> str:
    """Returns the README with the last column of the table between the markers written anew."""
    before, begin, rest = readme.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no table between {BEGIN} and {END}")
    heading, rule, *rows = table.strip().splitlines()
    lines = [heading, rule, *map(_with_verdict, rows)]
    return f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}"


def _with_verdict(row: str) -> str:
    """The row with its last cell written anew; its second cell names the methods."""
    cells = row.strip().strip("|").split("|")
    methods = [name for name in re.findall(r"`([^`]+)`", cells[1]) if name in CLAIMS]
    return "|" + "|".join([*cells[:-1], f" {_verdict(methods) if methods else '–'} "]) + "|"


def _verdict(methods: list[str]) -> str:
    """What was confirmed or refuted, and whether it beat its baseline."""
    result = committed(methods[0])
    return NOT_RUN if result is None else cell(load_reference(CLAIMS[methods[0]]), result, methods)


def main() -> None:
    """Adopts results if a directory is given, and writes the README."""
    if len(sys.argv) > 1:
        adopt(Path(sys.argv[1]))
    path = ROOT / "README.md"
    path.write_text(with_verdicts(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
