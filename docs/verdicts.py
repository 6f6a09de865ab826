"""Adopts the results of `trimtab verify --all` into the package, and writes the README's table of methods.

Usage: python docs/verdicts.py [directory of results]
"""

import shutil
import sys
from pathlib import Path

from trimtab.catalog.entries import Entry, entries
from trimtab.catalog.slots import SLOTS
from trimtab.claims import CLAIMS
from trimtab.claims.loading import load_reference
from trimtab.claims.result import committed
from trimtab.report.claims import changed_since
from trimtab.report.contests import cell

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "src" / "trimtab" / "claims" / "results"
BEGIN, END = "<!-- verdicts -->", "<!-- /verdicts -->"
NOT_RUN = "not run yet"
CHANGED = "†"
CHANGED_MEANS = f"{CHANGED} The method's code or the claim's protocol changed since; `trimtab show NAME` says which."


def adopt(directory: Path) -> None:
    """Copies the results of claims into the package."""
    for module in {reference.partition(":")[0].rpartition(".")[2] for reference in CLAIMS.values()}:
        file = directory / f"{module}.json"
        if file.is_file():
            shutil.copyfile(file, RESULTS / file.name)


def with_methods(readme: str) -> str:
    """Returns the README with the table between the markers written anew from the catalogue and the results."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no table between {BEGIN} and {END}")
    rows = table()
    if any(CHANGED in row for row in rows):
        rows += ["", CHANGED_MEANS]
    return f"{before}{begin}\n" + "\n".join(rows) + f"\n{end}{after}"


def table() -> list[str]:
    """Returns a row for each claim with the methods that it is about, and one for the baselines of each slot."""
    rows = ["| method | name | what it does | its paper's claim, tried at a small scale |", "|---|---|---|---|"]
    methods = [entry for entry in entries().values() if entry.kind != "baseline"]
    groups: dict[str, list[Entry]] = {}
    for entry in methods:
        groups.setdefault(CLAIMS.get(entry.key, entry.key), []).append(entry)
    rows += map(_row, groups.values())
    for slot in SLOTS:
        found = [entry for entry in entries().values() if entry.kind == "baseline" and entry.slot == slot]
        if found:
            rows.append(f"| {_titles(found)} | {_names(found)} | {SLOTS[slot].what} of others, as baselines | – |")
    return rows


def _row(found: list[Entry]) -> str:
    """Methods that share a claim; the one that it has its name from comes first."""
    found = sorted(found, key=lambda entry: entry.claim is not None)
    does = f"{found[0].summary.removesuffix('.')} ({short_citation(found[0])})"
    return f"| {_titles(found)} | {_names(found)} | {does} | {_told(found)} |"


def _titles(found: list[Entry]) -> str:
    return ", ".join(entry.title.partition(" (")[0] for entry in found)


def _names(found: list[Entry]) -> str:
    return ", ".join(f"`{entry.id}`" for entry in found)


def _told(found: list[Entry]) -> str:
    methods = [entry.key for entry in found if entry.key in CLAIMS]
    return _verdict(methods) if methods else "–"


def short_citation(entry: Entry) -> str:
    """Returns who wrote the paper, in short, and when: ``Chen et al., 2023``."""
    authors = entry.authors.split(", ")
    who = authors[0] if len(authors) == 1 else " & ".join(authors) if len(authors) == 2 else f"{authors[0]} et al."
    return f"{who}, {entry.year}"


def _verdict(methods: list[str]) -> str:
    """What was confirmed or refuted, and whether it beat its baseline, with a mark where code has changed since."""
    result = committed(methods[0])
    if result is None:
        return NOT_RUN
    claim = load_reference(CLAIMS[methods[0]])
    return cell(claim, result, methods) + (f" {CHANGED}" if changed_since(claim, result) else "")


def main() -> None:
    """Adopts results if a directory is given, and writes the README."""
    if len(sys.argv) > 1:
        adopt(Path(sys.argv[1]))
    path = ROOT / "README.md"
    path.write_text(with_methods(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
