"""Published runs of others, beside the project or where ``TRIMTAB_EVIDENCE`` says; tests skip without them."""

import csv
import gzip
import os
from pathlib import Path

import pytest

EVIDENCE = Path(os.environ.get("TRIMTAB_EVIDENCE", Path(__file__).resolve().parents[2] / "shared" / "evidence"))


def needs(*names):
    """Marks tests that read files of these names."""
    missing = [name for name in names if not (EVIDENCE / name).is_file()]
    return pytest.mark.skipif(bool(missing), reason=f"these published runs are not there: {missing} in {EVIDENCE}")


def rows(name):
    """Returns the rows of a file, which may be compressed."""
    content = (EVIDENCE / name).read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    return list(csv.DictReader(text.splitlines()))
