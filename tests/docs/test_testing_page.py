"""The page on testing one's own optimizer names every check that there is, and no other."""

import inspect
import re
from pathlib import Path

from trimtab.testing import OptimizerConformance
from trimtab.testing.samplers import SamplerChecks
from trimtab.testing.training import SCHEDULERS

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_page_names_every_check():
    table = PAGE.read_text(encoding="utf-8").partition("## What is checked")[2].partition("Checks of a setting")[0]
    named = re.findall(r"`(\w+)`", table)
    there = [name for name, _ in inspect.getmembers(OptimizerConformance, inspect.isfunction)]
    assert sorted(named) == sorted(name.removeprefix("test_") for name in there if name.startswith("test_"))


def test_the_page_counts_the_schedulers():
    assert len(SCHEDULERS) == 16
    assert "`scheduler` (sixteen of them)" in PAGE.read_text(encoding="utf-8")


def test_the_page_names_every_check_of_samplers():
    table = PAGE.read_text(encoding="utf-8").partition("## Samplers")[2].partition("| about |")[2]
    named = set(re.findall(r"`(\w+)`", table.partition("Exceptions are")[0]))
    there = [name for name, _ in inspect.getmembers(SamplerChecks, inspect.isfunction)]
    assert named == {name.removeprefix("test_") for name in there if name.startswith("test_")}
