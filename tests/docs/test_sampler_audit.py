"""The table of samplers says what a run of its script finds."""

import importlib.util
import json
import sys
from pathlib import Path

import optuna
import pytest

DOCS = Path(__file__).parents[2] / "docs"
FACTS = json.loads((DOCS / "sampler_audit.json").read_text(encoding="utf-8"))

optuna.logging.set_verbosity(optuna.logging.WARNING)


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return loaded("sampler_audit")


def names(row):
    """What is comparable from one machine to the next: which cases were tried and broken, and not what was seen."""
    return {title: (part["tried"], sorted(part["broken"])) for title, part in row["parts"].items()}


def test_the_script_and_its_result_have_the_same_samplers(script):
    assert [row["name"] for row in FACTS["rows"]] == [each.name for each in script.SAMPLERS]
    assert [row["evaluations"] for row in FACTS["rows"]] == [each.evaluations for each in script.SAMPLERS]
    assert not [row["name"] for row in FACTS["rows"] if "missing" in row]


@pytest.mark.parametrize("name", ["Random", "QMC, scrambled"])
def test_a_rerun_finds_what_the_table_says(script, name):
    (sampler,) = (each for each in script.SAMPLERS if each.name == name)
    (row,) = (each for each in FACTS["rows"] if each["name"] == name)
    assert names(script.audited(sampler)) == names(row)


def test_one_whose_package_is_missing_is_said_to_be(script):
    row = script.audited(script.Audited("Mine", "no_such_package:Sampler"))
    assert row["missing"] == "No module named 'no_such_package'"


def test_the_table_is_what_was_found():
    text = loaded("tables").sampler_audit()
    assert text.count("\n| ") == len(FACTS["rows"])
    for row in FACTS["rows"]:
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {row['name']} |"))
        cells = [f"{part['tried'] - len(part['broken'])} of {part['tried']}" for part in row["parts"].values()]
        assert line.split(" | ")[1:5] == cells
        broken = [case for part in row["parts"].values() for case in part["broken"]]
        assert all(f"`{case.partition('[')[0]}`" in line for case in broken)
        assert line.endswith("| – |") == (not broken)
