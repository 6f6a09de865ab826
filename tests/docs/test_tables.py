"""The tables that the site's pages are filled with."""

import importlib.util
import json
import re
from argparse import Namespace
from pathlib import Path

import optimizer_family
import pytest

from trimtab.catalog.compositions import COMPOSITIONS, REFUSED
from trimtab.catalog.entries import of_slot as entries_of
from trimtab.lab.shipped import of_slot

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def facts():
    """The benchmark on a model so small that it takes seconds; its times say nothing."""
    return optimizer_family.facts(Namespace(width=32, layers=1, batch=2, repeats=1, threads=1, clock="wall"))


INSTEAD = "*The built site has "


def test_a_page_says_what_the_built_site_has_and_the_site_has_it(tables):
    for page, functions in tables.TABLES.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        assert text.count(INSTEAD) == len([each for each in functions if each is not tables.tasks])
        filled = tables.filled(page, text)
        assert INSTEAD not in filled
        assert all(function() in filled and f"{function.__name__} -->" not in filled for function in functions)


def test_the_tasks_can_be_read_in_a_clone(tables):
    written = f"<!-- tasks -->\n{tables.tasks()}\n<!-- /tasks -->"
    assert written in (DOCS / "index.md").read_text(encoding="utf-8"), f"docs/index.md must have {written}"


@pytest.mark.parametrize("text", ["", "<!-- tasks -->", "<!-- tasks --><!-- /tasks --><!-- tasks -->"])
def test_a_page_without_its_markers_ends_the_build(tables, text):
    with pytest.raises(ValueError, match=r"index.md must have <!-- tasks --> and <!-- /tasks --> once"):
        tables.filled("index.md", text)


def test_compositions_and_refusals_are_all_listed(tables):
    rows = tables.compositions().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [each.expression for each in COMPOSITIONS]
    rows = tables.refused().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(REFUSED)
    assert all(len(row.split("|")[2]) > 30 for row in rows)


def test_tasks_are_all_that_ship(tables):
    rows = tables.tasks().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(of_slot("optimizer"))
    assert rows[1] == (
        "| `digit-scenes` | Which digit stands in each cell of a scene, or none? 5,120 scenes of 3x3 cells, made of "
        "scikit-learn's digits. | cell accuracy, 0.9 | 320 steps of 64 |"
    )


def test_knobs_are_those_of_the_classes(tables):
    text = tables.ownership()
    assert "`clip.fraction`: one of 0.01, 0.1, 0.5 | – | – |" in text
    assert text.count("`lr` × 10, `weight_decay` × 0.1") == 2


def test_the_family_is_all_that_the_catalogue_has(facts):
    names = {row["name"] for row in facts["rows"]}
    assert names >= {each.id for each in entries_of("optimizer").values() if each.kind in ("method", "wrapper")}
    rows = {row["name"]: row for row in facts["rows"]}
    count = facts["model"]["parameters"]
    states = {name: row["bytes"]["states"] // count for name, row in rows.items()}
    assert (states["lion"], states["adabelief"], states["diffgrad"], states["adahessian"]) == (4, 8, 12, 8)
    assert (states["sso"], states["clip"], states["agvm"]) == (0, 8, 8)
    assert states["galore"] < 8
    assert 0 < rows["q_galore"]["bytes"]["projections"] < rows["galore"]["bytes"]["projections"] / 4
    assert {row["bytes"]["weights"] for row in facts["rows"]} == {4 * count}
    assert {name for name, row in rows.items() if row["update_ms"] is None} == {"adahessian", "agvm", "sso"}
    assert {name: row["every"] for name, row in rows.items() if row["rare_step_ms"]} == {
        "agvm": 10,
        "galore": 200,
        "q_galore": 200,
    }


def test_the_page_says_which_optimizers_its_figures_lack(tables):
    missing = optimizer_family.expressions().keys() - {
        row["name"] for row in json.loads(tables.FAMILY.read_text(encoding="utf-8"))["rows"]
    }
    found = re.search(r"^Not in this run, .*: (.*)\.$", (DOCS / "family.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(missing) == (re.findall(r"`(\w+)`", found[1]) if found else [])


def test_the_page_has_the_figures_if_there_are_some(tables, facts, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FAMILY", tmp_path / "family.json")
    assert tables.family() == "Not measured yet: `make family` does, on a machine with nothing else to do."
    (tmp_path / "family.json").write_text(json.dumps(facts))
    text = tables.family()
    assert "| [AdamW](methods/adamw.md) `(fused=True)` | 4.00 | 0.00 | 8.00 | 12.00 |" in text
    assert "| [AdamW](methods/adamw.md) `(fused=True)` | 1.00 | 1.00 |  |  |  |" in text
    assert "| [Lion](methods/lion.md) | 4.00 | 0.00 | 4.00 | 8.00 |" in text
    assert text.count("| 200 |") == 2


def test_schedules_are_summed_up_by_task(tables):
    text = tables.schedules()
    assert "| against adamw | digits | breast-cancer | python-lm |" in text
    assert text.count("`adamw+autolrs`") == 4


def test_a_machine_with_a_device_fills_the_page_on_speed(tables, monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "DEVICE", tmp_path / "device.json")
    assert "has run on a CUDA device yet" in tables.device()
    row = {"name": "Lion", "ours": True, "ms": 0.5, "times_bound": 1.1, "as_fast_as_peer": 2.5, "times_fused": 0.9}
    layout = {"title": "GPT", "tensors": 98, "elements": 30e6, "bound_gb_s": 2000.0, "rows": [row]}
    failed = [{"check": "TestLion.test_x", "message": "no"}]
    parts = {
        "conformance": {"found": {"passed": 7, "skipped": 2, "failed": failed}, "error": None, "seconds": 9},
        "kernels": {"found": None, "error": "Traceback\nRuntimeError: no kernel", "seconds": 9},
        "steps": {"found": [layout], "error": None, "seconds": 9},
    }
    environment = {
        "device": "Made Up 1",
        "torch": "2.13",
        "date": "2026-01-01",
        "command": "python benchmarks/device.py",
    }
    tables.DEVICE.write_text(json.dumps({"environment": environment, "parts": parts}), encoding="utf-8")
    text = tables.device()
    assert "2026-01-01: Made Up 1, torch 2.13." in text
    assert "7 checks passed, 2 do not apply, 1 failed:\n\n* `TestLion.test_x`" in text
    assert "**kernels ended with an error:** `RuntimeError: no kernel`" in text
    assert "| Lion | 0.500 | 1.10 | 2.50 | 0.90 |" in text
