from pathlib import Path

import pytest

from trimtab.compare.imported.outcomes import analyse
from trimtab.compare.imported.place import directory_for
from trimtab.study.errors import InputError


def result(*problems):
    rows = [
        {"candidate": name, "problem": problem, "seed": 0, "score": 1} for problem in problems for name in ("a", "b")
    ]
    return analyse(rows, direction="min")


def test_a_report_goes_where_it_is_wanted_or_beside_those_of_comparisons(tmp_path, monkeypatch):
    assert directory_for(tmp_path / "mine.csv.gz", None, result("one")) == Path("runs/mine")
    assert directory_for([], None, result("one")) == Path("runs/runs")
    assert directory_for("mine.csv", tmp_path, result("one")) == tmp_path
    assert directory_for(".", None, result("one")) == Path("runs", Path().resolve().name)
    monkeypatch.chdir(tmp_path)
    for name in ("results.json", "results.csv"):
        assert directory_for(f"../one/{name}", None, result("one")) == Path("runs/one-results")
        assert directory_for(name, None, result("one")) == Path("runs", f"{tmp_path.name}-results")
    assert directory_for("/results.json", None, result("one")) == Path("runs/results")
    with pytest.raises(InputError, match="out=3: a path is needed"):
        directory_for("mine.csv", 3, result("one"))
    with pytest.raises(InputError, match="out='': a path is needed"):
        directory_for("mine.csv", "", result("one"))


def test_of_an_url_the_database_names_a_place_and_nothing_else():
    for url, name in (
        ("postgresql://me:secret@host/mine?sslmode=require", "mine"),
        ("postgresql://me:secret@host", "trials"),
        ("sqlite:///some/mine.db", "mine"),
    ):
        assert directory_for(url, None, result("one")) == Path("runs", name)


def test_the_report_of_a_comparison_is_not_replaced(tmp_path):
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "study.db").touch()
    with pytest.raises(InputError, match="two holds a comparison, whose report would be lost"):
        directory_for("mine.csv", tmp_path / "two", result("one"))
    with pytest.raises(InputError, match="two holds a comparison"):
        directory_for("mine.csv", tmp_path, result("one", "two"))
    assert directory_for("mine.csv", tmp_path, result("two")) == tmp_path


def test_what_was_read_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"would replace results\.csv, which was read"):
        directory_for("results.csv", ".", result("one"))
    with pytest.raises(InputError, match="would replace"):
        directory_for(tmp_path / "one" / "results.csv", tmp_path, result("one", "two"))
    assert directory_for("mine.csv", ".", result("one")) == Path()
