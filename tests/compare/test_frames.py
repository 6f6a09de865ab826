"""Tables say what the result says, with types that survive missing values."""

import dataclasses
import importlib.util

import pandas as pd
import pytest

import trimtab
from tests.report import synthetic
from trimtab.compare import frames as module
from trimtab.compare.frames import Frames, read
from trimtab.report import write_all
from trimtab.study.errors import InputError, NoStudyError


@pytest.fixture(scope="module")
def result():
    return synthetic.comparison()


@pytest.fixture(scope="module")
def frames(result):
    return Frames(result)


def test_a_row_a_trial(result, frames):
    table = frames.trials()
    assert list(table["key"]) == [trial.key for trial in result.trials]
    for row, trial in zip(table.itertuples(), result.trials, strict=True):
        assert (row.candidate, row.phase, row.status, row.cost) == (
            trial.candidate,
            trial.phase,
            trial.status,
            trial.cost,
        )
        assert (trial.loss is None and pd.isna(row.loss)) or row.loss == trial.loss
    assert (table["setting.lr"] == [trial.settings["lr"] for trial in result.trials]).all()
    assert table["candidate"].cat.categories.tolist() == [candidate.label for candidate in result.candidates]
    assert table.dtypes[["seed", "cost", "loss", "seconds"]].astype(str).tolist() == [
        "int64",
        "int64",
        "float64",
        "float64",
    ]


def test_a_row_an_evaluation(result, frames):
    table = frames.curves()
    trial = result.trials[-1]
    part = table[table["key"] == trial.key]
    assert part["cost"].tolist() == [point.cost for point in trial.curve]
    assert part["loss"].tolist() == [point.loss for point in trial.curve]
    assert pd.isna(part["train_loss"].iloc[0])
    assert len(table) == sum(len(trial.curve) for trial in result.trials)


def test_the_ranking(result, frames):
    table = frames.candidates()
    assert table["candidate"].tolist() == [candidate.label for candidate in result.candidates]
    assert str(table["rank"].dtype) == "Int64"
    assert [None if pd.isna(rank) else rank for rank in table["rank"]] == [c.rank for c in result.candidates]
    best = result.candidates[0]
    assert table.loc[0, ["loss", "loss_low", "loss_high"]].tolist() == [best.loss.mean, best.loss.low, best.loss.high]
    assert table.loc[0, "improvement"] == best.against_reference.improvement
    assert table["failed"].sum() + table["diverged"].sum() == sum(sum(c.trouble.values()) for c in result.candidates)
    assert table.loc[0, "setting.lr"] == best.settings["lr"]


def test_pairs(result, frames):
    table = frames.pairs()
    assert len(table) == len(result.pairs)
    assert table["improvement"].tolist() == [pair.improvement for pair in result.pairs]
    assert table["significant"].tolist() == [pair.p_value < 0.05 for pair in result.pairs]


def test_tables_of_nothing_have_their_columns():
    empty = Frames(synthetic.unfinished())
    for name in ("trials", "curves", "pairs"):
        table = getattr(empty, name)()
        assert len(table) == 0
        assert str(table.dtypes.iloc[-1]) != "object"
    assert len(empty.candidates()) == len(synthetic.unfinished().candidates)


def test_settings_keep_their_types(result):
    values = [
        {"lr": 0.1, "batch": 16, "nesterov": True, "kind": "a", "mixed": 1},
        {"lr": 1, "batch": 32, "nesterov": None, "kind": "b", "mixed": "x"},
        {},
    ]
    trials = tuple(
        dataclasses.replace(trial, settings=each) for trial, each in zip(result.trials[:3], values, strict=True)
    )
    table = Frames(dataclasses.replace(result, trials=trials)).trials()
    kinds = {name.removeprefix("setting."): str(kind) for name, kind in table.dtypes.items() if "setting." in name}
    assert kinds == {"lr": "float64", "batch": "Int64", "nesterov": "boolean", "kind": "category", "mixed": "object"}
    assert table["setting.batch"].isna().tolist() == [False, False, True]


def test_without_pandas_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "pandas" else importlib.util.find_spec(name))
    with pytest.raises(InputError, match=r"pip install 'trimtab\[pandas\]'"):
        read("runs/digits")


def test_a_place_without_a_study_is_named(tmp_path):
    assert trimtab.read is read
    with pytest.raises(NoStudyError, match="there is no study in"):
        read(tmp_path)
    with pytest.raises(NoStudyError, match="there is no study"):
        read(f"sqlite:///{tmp_path}/study.db")


def test_where_no_trials_are_kept_the_results_are_read(tmp_path):
    scores = {"adamw": (0.8, 0.81, 0.805), "lion": (0.9, 0.912, 0.905)}
    rows = [
        {"candidate": name, "problem": problem, "seed": seed, "score": score, "cost": 2.5}
        for problem in ("digits", "otto")
        for name, found in scores.items()
        for seed, score in enumerate(found)
    ]
    several = trimtab.analyse(rows, direction="max")
    write_all(several, tmp_path / "two")
    assert read(tmp_path / "two", "otto").result == several.problems["otto"]
    assert read(tmp_path / "two" / "digits").result == several.problems["digits"]
    one = trimtab.analyse(rows, direction="max", where=["problem=otto"])
    write_all(one, tmp_path / "one")
    assert read(str(tmp_path / "one")).trials().equals(Frames(one).trials())
    (tmp_path / "one" / "results.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.json is JSON, but no results\.json of a comparison"):
        read(tmp_path / "one")
    (tmp_path / "one" / "study.db").touch()  # trials are read rather than what was drawn of them
    with pytest.raises(InputError, match="there is no study in"):
        read(tmp_path / "one")


def test_of_several_problems_one_is_named(monkeypatch):
    several = synthetic.over_problems(("digits", "diabetes"))
    monkeypatch.setattr(module, "load_any", lambda *place: several)
    assert len(read("runs/two", "diabetes").trials()) == len(several.problems["diabetes"].trials)
    with pytest.raises(
        InputError, match="problem=None: runs/two holds the problems digits, diabetes; name one of them"
    ):
        read("runs/two")
    monkeypatch.setattr(module, "load_any", lambda *place: several.problems["digits"])
    assert read("runs/one").result == read("runs/one", "digits").result == several.problems["digits"]
    with pytest.raises(InputError, match="holds the problems digits; name one"):
        read("runs/one", "mnist")
