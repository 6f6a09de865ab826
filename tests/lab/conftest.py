import sys

import pytest

from trimtab.lab import neighbours


@pytest.fixture
def fresh_neighbours(monkeypatch):
    """Has no file been imported yet that has neighbours, and forgets afterwards which were."""
    monkeypatch.setattr(neighbours, "_meant", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("beside", "deeper", "neighbour", "nets"):
            del sys.modules[name]
