"""Audits every baseline of the catalogue that is installed, for the table in `docs/audit.md`.

Usage: python docs/audit.py docs/audit.json
"""

import datetime
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from trimtab.catalog.auditing import audit
from trimtab.catalog.entries import Entry, of_slot
from trimtab.study.errors import InputError


def audited(name: str) -> dict[str, Any]:
    """Returns what the table says of an optimizer, or why it could not be audited."""
    try:
        found = audit(name)
    except InputError as error:
        return {"name": name, "missing": str(error)}
    broken = {}
    for promise, findings in found.promises.items():
        checks = [each.name for each in findings if each.outcome == "broken"]
        broken[promise] = list(dict.fromkeys(checks))
    return {
        "name": name,
        "title": found.title,
        "tried": sum(each.outcome != "skipped" for each in found.findings),
        "cases": len(found.broken),
        "broken": broken,
    }


def package(entry: Entry) -> str:
    """Returns whose optimizer it is: of a class of ours around another package's, that package's, through ours."""
    written = entry.object.partition(".")[0].partition(":")[0]
    try:
        classes = entry.load().__mro__
    except InputError:
        return written
    above = next(each for each in classes if not each.__module__.startswith("trimtab"))
    if written != "trimtab" or above is Optimizer:
        return written
    return f"{above.__module__.partition('.')[0]}, through {written}"


def main() -> None:
    """Writes what was found."""
    torch.set_num_threads(1)
    rows = []
    for entry in of_slot("optimizer").values():
        if entry.kind == "baseline":
            rows.append({**audited(entry.id), "package": package(entry)})
            print(entry.id, rows[-1].get("cases", rows[-1].get("missing")), flush=True)
    packages = {"torch": torch.__version__}
    for name in ("pytorch-optimizer", "schedulefree", "prodigyopt", "torchao"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    facts = {"date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(), "packages": packages, "rows": rows}
    Path(sys.argv[1]).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
