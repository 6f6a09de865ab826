"""Writes the figures of `benchmarks/faults.py` into the page on reliability.

Usage: python docs/reliability.py docs/reliability.json
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reliability.md")
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
HEADINGS = ("fault", "times", "trials", "run again", "lost", "written twice", "different", "exit codes", "end")


def table(facts: dict[str, Any]) -> str:
    """Returns the figures as a table, with where they come from."""
    environment = facts["environment"]
    rows = [HEADINGS, ("---", *["--:"] * 6, "---", "---"), *map(_row, facts["faults"])]
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    count = sum(row["faults"] for row in facts["faults"])
    trials = sum(row["trials"] for row in facts["faults"])
    return (
        "\n".join(lines)
        + f"\n\n{count} faults in comparisons with {trials} trials, `{facts['command']}`, {facts['date']}: "
        f"{environment['processor']}, Python {environment['python']}, torch {environment['torch']}, other work on the "
        f"machine at the same time. It took {facts['seconds'] / 60:.0f} minutes."
    )


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    if row["skipped"]:
        return (row["fault"], *[""] * 7, f"not tried: {row['skipped']}")
    codes = ", ".join(f"{code} ({count})" for code, count in row["codes"].items())
    bad = ("lost", "twice", "different", "wrong_codes", "left", "traces")
    end = "FAILED" if any(row[name] for name in bad) else "ok"
    numbers = (row[name] for name in ("faults", "trials", "rerun", "lost", "twice", "different"))
    return (row["fault"], *numbers, codes, end)


def with_figures(page: str, facts: dict[str, Any]) -> str:
    """Returns the page with what is between the markers written anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table(facts)}\n\n{end}{after}"


def main() -> None:
    """Writes the page."""
    facts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), facts), encoding="utf-8")


if __name__ == "__main__":
    main()
