"""Benchmarks take minutes to hours and are not run here, but what they ask for must exist."""

import importlib
import json
from pathlib import Path

import pytest
import schedules

from trimtab.catalog.candidates import parse_candidates

NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_imported_and_its_candidates_can_be_had(name):
    module = importlib.import_module(name)
    candidates = getattr(module, "CANDIDATES", "adamw")
    assert len(parse_candidates(candidates)) == candidates.count(",") + 1


def test_the_page_of_schedules_is_of_those_that_the_benchmark_compares():
    page = json.loads((Path(__file__).parents[1] / "docs" / "schedules.json").read_text(encoding="utf-8"))
    assert [task["task"] for task in page["tasks"]] == list(schedules.TASKS)
    for task in page["tasks"]:
        assert sorted(row["label"] for row in task["candidates"]) == sorted(schedules.CANDIDATES.split(","))
