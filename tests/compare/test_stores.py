"""Stores that the first version wrote: opened, gone on with, and drawn with the same numbers.

``stores/`` holds what ``trimtab compare`` left then: breast-cancer; breast-cancer and diabetes; ``train.py``.
"""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from tests.compare.making import command_comparison
from trimtab import Comparison
from trimtab.compare.stored import load_any
from trimtab.report.export import to_json
from trimtab.report.overview import render_overview
from trimtab.report.page import render_page

STORES = Path(__file__).parent / "stores"


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(STORES / "train.py", tmp_path)

    def unpack(name):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "study.db").write_bytes(gzip.decompress((STORES / f"{name}.db.gz").read_bytes()))
        return directory

    return unpack


def written(name):
    return json.loads(gzip.decompress((STORES / f"{name}.json.gz").read_bytes()))


def without_later_fields(result):
    """The result without what was not written then."""
    assert result.pop("beside") is None
    for task in result.get("tasks", {}).values():
        without_later_fields(task)
    return result


@pytest.mark.parametrize("name", ["task", "tasks", "command"])
def test_the_numbers_are_those_that_were_written_then(unpacked, name):
    assert without_later_fields(json.loads(to_json(load_any(unpacked(name))))) == written(name)


def test_the_pages_are_drawn(unpacked):
    assert "adamw+cosine" in render_page(load_any(unpacked("task")))
    assert "val_acc" in render_page(load_any(unpacked("command")))
    assert "diabetes" in render_overview(load_any(unpacked("tasks")))


GOING_ON = {
    "task": lambda out: Comparison("breast-cancer", "adamw,adamw+cosine,sgd", out, trials=2, seeds=3, steps=12, jobs=2),
    "tasks": lambda out: Comparison(
        ["breast-cancer", "diabetes"], "adamw,sgd", out, trials=2, seeds=3, steps=8, jobs=2
    ),
    "command": lambda out: command_comparison(
        "python train.py --opt {optimizer} --lr {lr} --seed {seed}",
        "sgd,adam",
        tune=["lr=1e-3..1:log"],
        metric="val_acc",
        maximize=True,
        out=out,
        trials=2,
        seeds=3,
        jobs=2,
    ),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_another_seed_is_run_and_nothing_else(unpacked, name):
    then = written(name)
    found = json.loads(to_json(GOING_ON[name](unpacked(name)).run()))
    for before, after in zip(*(each.get("tasks", {"": each}).values() for each in (then, found)), strict=True):
        known = {trial["key"]: trial for trial in before["trials"]}
        ran = {trial["key"]: trial for trial in after["trials"]}
        assert {key: ran[key] for key in known} == known
        added = ran.keys() - known.keys()
        assert added == {f"{after['task']['name']}/final/{c['label']}/2" for c in after["candidates"]}
        assert all(ran[key]["status"] == "complete" for key in added)
