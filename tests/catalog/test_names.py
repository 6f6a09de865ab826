"""A name may stand once in every slot; keys tell entries apart that have it."""

import importlib
import shutil
from importlib import resources

import pytest
from typer.testing import CliRunner

from trimtab.catalog.entries import entries, find, of_slot
from trimtab.cli import app
from trimtab.study.errors import InputError

TWICE = """
[uniform_search]
id = "level"
title = "Uniform search"
kind = "baseline"
slot = "sampler"
summary = "Draws."
adapts = "nothing"
signal = "none"
when = "Always."
when_not = "Never."
object = "optuna.samplers:RandomSampler"
aliases = ["even"]
keywords = []
paper = "On Drawing"
authors = "Nobody"
year = 2000

[uniform_descent]
id = "level"
title = "Uniform descent"
kind = "baseline"
slot = "optimizer"
summary = "Descends."
adapts = "nothing"
signal = "none"
when = "Always."
when_not = "Never."
object = "torch.optim:SGD"
tunables = "trimtab.optim.baselines:SGD"
aliases = ["even"]
keywords = []
paper = "On Descending"
authors = "Nobody"
year = 2000

[without_fellows]
title = "Without fellows"
kind = "method"
summary = "Is alone."
adapts = "nothing"
signal = "none"
when = "Always."
when_not = "Never."
object = "optuna.samplers:RandomSampler"
aliases = []
keywords = []
paper = "On Being Alone"
authors = "Nobody"
year = 2000
"""


@pytest.fixture
def twice(tmp_path, monkeypatch):
    for file in resources.files("trimtab.catalog").iterdir():
        if file.name.endswith(".toml"):
            shutil.copy(str(file), tmp_path)
    (tmp_path / "more.toml").write_text(TWICE)
    module = importlib.import_module("trimtab.catalog.entries")  # the package has a function of that name
    monkeypatch.setattr(module.resources, "files", lambda _: tmp_path)
    entries.cache_clear()
    yield
    entries.cache_clear()


@pytest.mark.usefixtures("twice")
def test_a_name_that_stands_twice_is_told_apart_by_the_slot():
    assert find("level", "sampler").key == "uniform_search"
    assert find("Level", "optimizer").key == "uniform_descent"
    assert find("even", "sampler").key == "uniform_search"
    assert find("uniform_descent").key == "uniform_descent"
    assert of_slot("sampler")["level"].title == "Uniform search"


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize("name", ["level", "even"])
def test_without_a_slot_both_keys_are_named(name):
    meant = rf"'{name}' means several: uniform_descent \(Uniform descent\) or uniform_search \(Uniform search\)"
    with pytest.raises(InputError, match=meant):
        find(name)
    result = CliRunner().invoke(app, ["show", name], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "uniform_descent (Uniform descent) or uniform_search (Uniform search)" in result.output


@pytest.mark.usefixtures("twice")
def test_a_key_is_shown_as_the_candidate_that_it_is():
    output = CliRunner().invoke(app, ["show", "uniform_search"], env={"COLUMNS": "200"}).output
    assert "Uniform search" in output
    assert "sampler=RandomSampler(seed=0)" in output


@pytest.mark.usefixtures("twice")
def test_what_fills_no_slot_says_how_it_is_tried():
    with pytest.raises(InputError, match="without_fellows fills no slot, and is compared by its claim: trimtab verify"):
        find("without_fellows", "sampler")
    listed = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"}).output
    assert "compared by their claims" in listed


def test_no_key_is_the_name_of_another():
    ids = {entry.id for entry in entries().values() if entry.id != entry.key}
    assert not ids & entries().keys()
    for slot in {entry.slot for entry in entries().values()}:
        names = [entry.id for entry in entries().values() if entry.slot == slot]
        assert len(names) == len(set(names))
