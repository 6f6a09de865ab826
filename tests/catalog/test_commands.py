import json
import re

import pytest

from trimtab.catalog import find
from trimtab.catalog.commands import CommandCandidate, command_candidates
from trimtab.catalog.ranges import parse_tunes
from trimtab.lab.commands.template import Command
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogUniform, Uniform

LINE = "run --opt {optimizer} --lr {lr} --batch {batch} --seed {seed}"


def candidates(names="mine,lion", tunes=(), line=LINE):
    return command_candidates({name: Command(line) for name in names.split(",")}, parse_tunes(tunes))


def test_a_range_of_a_candidates_own_counts_before_that_of_all():
    mine, lion = candidates(tunes=["lr=0.1..1", "lion.lr=1e-3..1e-1:log", "batch=16,32"])
    assert mine.tunables == {"lr": Uniform(0.1, 1), "batch": Choice((16, 32))}
    assert lion.tunables == {"lr": LogUniform(1e-3, 1e-1), "batch": Choice((16, 32))}


def test_the_catalogue_knows_ranges_of_its_methods():
    (lion,) = candidates("Lion", ["batch=16"])
    assert lion.label == "Lion"
    assert lion.tunables["lr"] == find("lion").load_tunables()["lr"]


@pytest.mark.parametrize(
    ("label", "low", "high"),
    [("adamw+cosine", 3e-5, 1e-1), ("clip(sgd)", 3e-4, 1.0), ("clip(adamw, fraction=0.1)+linear", 3e-5, 1e-1)],
)
def test_the_catalogue_knows_ranges_of_its_expressions(label, low, high):
    (candidate,) = command_candidates({label: Command(LINE)}, parse_tunes(["batch=16"]))
    assert candidate.tunables["lr"] == LogUniform(low, high)
    (own,) = command_candidates({label: Command(LINE)}, parse_tunes(["batch=16", f"{label}.lr=1..2"]))
    assert own.tunables["lr"] == Uniform(1, 2)


def test_what_a_label_fixes_is_a_value():
    (candidate,) = command_candidates({"adamw(lr=0.01)": Command(LINE)}, parse_tunes(["batch=16"]))
    assert (dict(candidate.fixed), candidate.tunables) == ({"lr": 0.01, "batch": 16}, {})


def test_all_that_is_missing_is_said_at_once():
    with pytest.raises(InputError) as error:
        candidates("a,b,lion", ["seed=1", "c.lr=1"])
    text = str(error.value)
    for words in (
        "{seed} is filled by trimtab",
        "'c' is not among",
        "{lr} has no range for a, b:",
        "{batch} has no range for a, b, lion:",
    ):
        assert text.count(words) == 1


def test_one_value_is_no_range():
    mine, lion = candidates(tunes=["lr=0.1..1", "batch=16", "lion.batch=8"])
    assert (mine.fixed, lion.fixed) == ((("batch", 16),), (("batch", 8),))
    assert list(mine.tunables) == ["lr"]
    values = lion.build({"lr": 0.5}).values(seed=7, trial="t", out="o")
    assert lion.command.arguments(values) == ["run", *["--opt", "lion", "--lr", "0.5", "--batch", "8", "--seed", "7"]]


def test_the_line_to_paste_is_the_command():
    mine, _ = candidates(tunes=["lr=0.1..1", "batch=16,32"])
    assert mine.code({"lr": 0.123456, "batch": 32}) == "run --opt mine --lr 0.123 --batch 32 --seed 0"


def test_a_definition_survives_json():
    for candidate in candidates(tunes=["lr=0.1..1", "batch=16"]):
        values = json.loads(json.dumps(candidate.definition()))
        assert CommandCandidate.from_definition(candidate.label, values) == candidate


def test_files_of_code_belong_to_the_definition(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("1")
    (tmp_path / "log.txt").write_text("1")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "main.py").write_text("1")
    line = "python train.py --log log.txt --config missing.yaml -m pkg.main {seed}"
    (before,) = candidates("a", line=line)
    assert [path for path, _ in before.files] == ["train.py", "pkg/main.py"]
    (tmp_path / "log.txt").write_text("2")
    assert candidates("a", line=line) == (before,)
    (tmp_path / "train.py").write_text("2")
    assert candidates("a", line=line) != (before,)


@pytest.mark.parametrize(
    ("tunes", "message"),
    [
        (["lr=1..2"], "{batch} has no range for mine, lion: give one"),
        (["batch=1"], "{lr} has no range for mine: give one"),
        (["lr=1..2", "batch=1", "lrr=1"], "--tune lrr=1: there is no {lrr} in the command: run"),
        (["lr=1..2", "batch=1", "loin.lr=1"], "'loin' is not among the candidates; did you mean lion"),
        (["lr=1..2", "batch=1", "seed=1"], "{seed} is filled by trimtab and cannot be tuned"),
    ],
)
def test_ranges_and_places_have_to_fit(tunes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        candidates(tunes=tunes)


def test_a_place_without_a_range_is_pointed_at():
    with pytest.raises(InputError) as caught:
        candidates(tunes=["batch=1"])
    assert str(caught.value).splitlines()[1:] == [f"  {LINE}", f"  {' ' * LINE.index('{lr}')}^"]


def test_every_value_is_written_once_before_anything_runs():
    with pytest.raises(InputError, match="'big' cannot be written in the format"):
        candidates("a", ["batch=1,2,3,big"], "run {batch:.0f} {seed}")
