"""One's own classes: found in files and modules, described without importing them again."""

import re
import sys

import pytest

from tests.catalog.own_samplers import SOURCE
from trimtab.catalog.own import OwnEntry, own_entry
from trimtab.catalog.ranges import parse_tunes
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.tunable import Choice, LogUniform, Uniform


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def test_a_class_in_a_file_is_what_it_says(file):
    entry = own_entry(f"{file}:Mine", "sampler")
    assert (entry.id, entry.key, entry.slot, entry.family) == (f"{file}:Mine", f"{file}:Mine", "sampler", "own")
    assert (entry.title, entry.summary, entry.object) == ("Mine", "Draws as I like it.", "mine:Mine")
    assert entry.load().__name__ == "Mine"
    assert entry.load_tunables() == {
        "width": Uniform(0.5, 2.0),
        "rate": LogUniform(1e-4, 1e-1),
        "mode": Choice(("a", "b")),
        "n": Choice((1, 2)),
    }


def test_a_class_in_a_class_is_found(file):
    assert own_entry(f"{file}:Outer.Inner", "sampler").load().__name__ == "Inner"


def test_a_class_in_a_module_is_found(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)
    try:
        entry = own_entry("mine:Passes", "sampler")
        assert (entry.load().__name__, entry.file, entry.object) == ("Passes", "", "mine:Passes")
    finally:
        sys.modules.pop("mine", None)
    assert own_entry("optuna.samplers:QMCSampler", "sampler").title == "QMCSampler"


def test_ranges_that_are_typed_go_before_its_own(file):
    name = f"{file}:Mine"
    tunes = parse_tunes(["width=1..3", "rate=0.1,0.2", f"{name}.rate=0.5,0.6", "other.py:Other.width=7..8"])
    found = own_entry(name, "sampler", tunes).load_tunables()
    assert (found["width"], found["rate"], found["mode"]) == (Uniform(1, 3), Choice((0.5, 0.6)), Choice(("a", "b")))


def test_it_is_restored_without_its_file(file):
    entry = own_entry(f"{file}:Mine", "sampler")
    definition = entry.definition()
    file.unlink()
    again = OwnEntry.restored(entry.id, "sampler", definition)
    assert (again.title, again.summary, again.object) == (entry.title, entry.summary, entry.object)
    assert again.load_tunables() == entry.load_tunables()
    assert again.definition() == definition


def test_a_worker_that_has_another_file_is_unfit(file):
    entry = own_entry(f"{file}:Mine", "sampler")
    file.write_text(SOURCE + "# edited\n")
    with pytest.raises(UnfitWorkerError, match=re.escape(f"{file} has changed since the comparison began")):
        entry.load()
    file.unlink()
    with pytest.raises(UnfitWorkerError, match=re.escape(f"{file} is not there")):
        entry.load()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("{file}:Mines", "mine.py:Mines: there is no 'Mines' in it; did you mean Mine?"),
        ("{file}:Outer.Innr", "there is no 'Innr' in it"),
        ("{file}:NUMBER", "mine.py:NUMBER is a int; a class or a function is expected"),
        ("{file}:Odd", "'flag' of its tunables is Choice(values=(True, False)); expected a Uniform"),
        ("nowhere.py:Mine", "nowhere.py:Mine: there is no file nowhere.py"),
        ("nowhere:Mine", "nowhere:Mine: there is no module 'nowhere' that can be imported here"),
        ("optuna.nowhere:Mine", "there is no module 'optuna.nowhere' that can be imported here"),
        ("optuna.samplers:Mine", "optuna.samplers:Mine: there is no 'Mine' in it"),
        ("{broken}:Mine", "broken.py, line 1, does not import: ZeroDivisionError"),
    ],
)
def test_what_is_not_there_is_named(file, tmp_path, reference, message):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    with pytest.raises(InputError, match=re.escape(message)):
        own_entry(reference.format(file=file, broken=broken), "sampler")


@pytest.mark.parametrize("missing", ["not_there", "not_there_opt.more", "not_there_opt_too"])
def test_a_package_that_a_module_lacks_is_named(tmp_path, monkeypatch, missing):
    (tmp_path / "not_there_opt.py").write_text(f"import {missing}\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = f"not_there_opt:Mine does not import: No module named '{missing}'"
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        own_entry("not_there_opt:Mine", "sampler")


def test_a_file_named_as_a_module_is_offered(tmp_path, monkeypatch):
    (tmp_path / "lies_here.py").write_text(SOURCE)  # a name that is on no path, whatever was imported before
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"a file's name ends in \.py: lies_here\.py:"):
        own_entry("lies_here:Mine", "sampler")
