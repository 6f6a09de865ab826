"""Gives committed results of claims the hashes that they have today, where nothing but their reckoning has changed.

Usage: python .ci/restamp.py REVISION [OLD=NEW ...]

REVISION is one that holds the same results, by its own reckoning. A result gets today's protocol hash if

* it was not stale there, by that revision's own code, and
* the text of which the hash is made, read there by today's rules, is the same as here, names that were changed since
  (OLD=NEW) put in.

Otherwise the difference is printed, the result stays as it is, and the exit status is 1. A result that does not say
which code its methods had gets the hash of what they were at the commit that brought its numbers.
"""

import difflib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path

from trimtab.catalog import entries
from trimtab.claims import CLAIMS
from trimtab.claims.fingerprint import code_hash, protocol_hash, protocol_text
from trimtab.claims.result import ClaimResult

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("src/trimtab/claims/results")
FINGERPRINT = ROOT / "src/trimtab/claims/fingerprint.py"

THERE = """
import importlib.util, json, sys
from trimtab.claims import CLAIMS
try:
    from trimtab.claims.fingerprint import protocol_hash
except ImportError:
    from trimtab.claims.loading import protocol_hash
spec = importlib.util.spec_from_file_location("fingerprint_of_today", sys.argv[1])
today = importlib.util.module_from_spec(spec)
spec.loader.exec_module(today)
known = sorted(set(CLAIMS.values()))
print(json.dumps({reference: [protocol_hash(reference), today.protocol_text(reference)] for reference in known}))
"""


def git(*arguments: str) -> bytes:
    """Returns what git prints."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout


def there(revision: str) -> dict[str, tuple[str, str]]:
    """Returns the hash of each claim's protocol at a revision, by its own code, and its text by today's rules."""
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(fileobj=io.BytesIO(git("archive", revision, "src"))) as archive:
            archive.extractall(directory, filter="data")
        done = subprocess.run(
            [sys.executable, "-c", THERE, str(FINGERPRINT)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": f"{directory}/src"},
        )
    return {reference: (known, text) for reference, (known, text) in json.loads(done.stdout).items()}


def brought_by(file: Path) -> str:
    """Returns the commit that brought a result's numbers."""
    now = json.loads((ROOT / file).read_text(encoding="utf-8"))["environment"]
    revisions = git("log", "--format=%H", "--", str(file)).decode().split()
    alike = [each for each in revisions if json.loads(git("show", f"{each}:{file}"))["environment"] == now]
    return alike[-1]


def code_at(revision: str, method: str) -> str:
    """Returns the hash of a method's code at a revision."""

    @cache
    def read(path: str) -> str | None:
        found = subprocess.run(
            ["git", "-C", str(ROOT), "show", f"{revision}:src/trimtab/{path}"], check=False, capture_output=True
        )
        return found.stdout.decode() if found.returncode == 0 else None

    entry = tomllib.loads(read(f"catalog/{entries()[method].family}.toml") or "")[method]
    return code_hash(filter(None, (entry["object"], entry.get("session"))), read)


def _apart_from_order(text: str, renamed: dict[str, str]) -> tuple[list[str], list[str]]:
    """The lines; those that are a new name and nothing else, as imports are, have another place now."""
    lines, new = text.splitlines(), set(renamed.values())
    return [line for line in lines if line not in new], sorted(line for line in lines if line in new)


def main() -> int:
    """Re-stamps what may be, and returns the exit status."""
    revision, *pairs = sys.argv[1:]
    renamed = dict(pair.split("=") for pair in pairs)
    known, left = there(revision), 0
    for reference in sorted(set(CLAIMS.values())):
        file = RESULTS / f"{reference.partition(':')[0].rpartition('.')[2]}.json"
        result = ClaimResult.from_json((ROOT / file).read_text(encoding="utf-8"))
        old_hash, old_text = known[reference]
        for old, new in renamed.items():
            old_text = re.sub(rf"\b{old}\b", new, old_text)
        now = protocol_text(reference)
        if old_hash != result.protocol_hash:
            print(f"{file.name}: stale at {revision}")
            left += 1
        elif _apart_from_order(old_text, renamed) != _apart_from_order(now, renamed):
            print(f"{file.name}: another protocol than at {revision}")
            print("\n".join(difflib.unified_diff(old_text.splitlines(), now.splitlines(), revision, "here", "", "", 1)))
            left += 1
        else:
            methods = result.methods or {
                method: code_at(brought_by(file), method) for method, where in CLAIMS.items() if where == reference
            }
            stamped = replace(result, protocol_hash=protocol_hash(reference), methods=methods)
            (ROOT / file).write_text(stamped.to_json(), encoding="utf-8")
            print(f"{file.name}: {old_hash} -> {stamped.protocol_hash}, {methods}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
