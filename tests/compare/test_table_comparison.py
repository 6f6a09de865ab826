"""A comparison on tables from beginning to end."""

import shlex

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.lab.tables.tables import houses, write
from trimtab import Comparison, TableTask
from trimtab.catalog.problems import describe
from trimtab.cli import app
from trimtab.compare.building import build_comparison
from trimtab.compare.stored import load_any
from trimtab.report.console import print_introductions
from trimtab.study.errors import InputError, StudyMismatchError
from trimtab.study.store import Store

SMALL = {"trials": 1, "seeds": 2, "steps": 5, "jobs": 1, "candidates": "adamw,sgd"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "houses.csv", houses(100))
    write(tmp_path / "other.csv", {**houses(100, seed=1), "price": [row % 2 for row in range(100)]})
    return tmp_path


def test_files_and_frames_are_compared_in_one_study_and_read_back(here):
    frame = TableTask(pd.DataFrame(houses(60)), "state")
    result = Comparison(["data/houses.csv", frame], target="price", out="out", **SMALL).run()
    assert list(result.problems) == ["houses-price", "table-state"]
    for found, score in zip(result.problems.values(), ("R²", "accuracy"), strict=True):
        assert {(trial.status, trial.error) for trial in found.trials} == {("complete", None)}
        assert found.problem.quoted.name == f"validation {score}"
    assert "100 rows" in dict(result.problems["houses-price"].problem.paragraphs)["Table"]
    assert "test rmse" in result.problems["houses-price"].candidates[0].measures
    assert load_any(here / "out", None).problems.keys() == result.problems.keys()
    again = Comparison(["data/houses.csv(price)", frame], out="out", **SMALL)  # written in another way
    assert again.run().problems["houses-price"].candidates == result.problems["houses-price"].candidates


def test_where_results_go_has_the_name_of_the_table_and_the_target(here):
    assert str(Comparison("data/houses.csv", target="price", **SMALL).out) == "runs/houses-price"
    assert str(Comparison(TableTask("data/houses.csv", "price"), **SMALL).out) == "runs/houses-price"


def begun(comparison):
    """Whether a store takes it for what it holds."""
    from trimtab.compare.agreement import agree, manifest

    with Store(comparison.location, manifest(comparison), None, comparison._changes) as store:
        agree(comparison, store)
        points = comparison.points({})
        store.add(points)
        if not store.outcomes():
            from trimtab.study.outcome import Outcome

            store.claim(points[:1])
            store.finish(points[0], Outcome("complete", loss=1.0, metric=0.0))


@pytest.mark.parametrize("make", [lambda: "data/houses.csv(price)", lambda: TableTask("data/houses.csv", "price")])
def test_a_study_does_not_go_on_with_another_table(here, make):
    begun(Comparison(make(), out="out", **SMALL))
    begun(Comparison(make(), out="out", **SMALL))
    write(here / "data" / "houses.csv", houses(101))
    with pytest.raises(StudyMismatchError, match="has changed since"):
        begun(Comparison(make(), out="out", **SMALL))


def test_a_study_does_not_go_on_with_other_choices(here):
    begun(Comparison("data/houses.csv(price)", out="out", **SMALL))
    with pytest.raises(StudyMismatchError):
        begun(Comparison("data/houses.csv(price, drop=state)", out="out", **SMALL))


def test_what_the_line_to_paste_names_is_the_same_problem(here):
    found = describe("data/houses.csv(price)")
    command, reference = shlex.split(found.use)[1:3]
    assert (command, describe(reference).name) == ("compare", "houses-price")
    assert found.takes == ("target=None", "kind=None", "metric=None", "drop=()", "categories=()", "split_seed=0")
    assert found.summary.startswith("houses.csv: 100 rows, 2 numeric columns (area, age)")


def test_faults_are_told_before_anything_runs(here):
    with pytest.raises(InputError) as error:
        Comparison(["data/houses.csv", "nowhere.csv"], "adamv,sgd", target="pric", steps=0)
    told = str(error.value)
    for words in ("did you mean price", "there is no file nowhere.csv", "steps=0", "did you mean adamw"):
        assert words in told
    with pytest.raises(InputError, match="target='price'"):
        Comparison("digits", "adamw", target="price")


def test_a_command_has_no_target(here):
    with pytest.raises(InputError, match="--target cannot be given together with --command"):
        build_comparison(
            [],
            "a",
            target="price",
            command="true {lr}",
            own_commands=[],
            takeover=60.0,
            patience=60.0,
            options={},
            for_commands={},
        )


def test_the_terminal_says_first_what_was_understood(here, capsys):
    print_introductions(Console(width=80), Comparison(["data/houses.csv(price)", "digits"], "adamw"))
    (line,) = capsys.readouterr().out.splitlines()  # of digits nobody need be told anything
    assert line.startswith("houses.csv: 100 rows, 2 numeric columns (area, age) and 2 category columns")


def test_a_dry_run_names_all_columns_that_are_left_out(here, capsys):
    columns = {**houses(100), **{f"empty {number}": [""] * 100 for number in range(4)}}
    write(here / "data" / "wide.csv", columns)
    dry = CliRunner().invoke(app, ["compare", "data/wide.csv", "--target", "price", "--dry-run"])
    first, second = dry.output.splitlines()[:2]
    assert "empty 2: empty and 1 more; missing cells in age, state; --dry-run and the report name all" in first
    assert second == "left out: empty 0, empty 1, empty 2, empty 3: empty"
    print_introductions(Console(width=80), Comparison("data/wide.csv", target="price"))
    assert capsys.readouterr().out == f"{first}\n"  # as before a run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            (
                [command, "data/houses.csv"],
                "which column is to be learned? Say (target=COLUMN) behind the name of the file",
            )
            for command in ("compare", "show", "diagnose")
        ),
        (["compare", "data/houses.csv", "--target", "prise"], "did you mean price?"),
        (["compare", "data/houses.csv:price"], "is written data/houses.csv(target=price)"),
        (["compare", "houses.parquet", "--target", "price"], "write it with pandas: .to_csv(PATH)"),
        (["compare", "nowhere.csv", "--target", "price"], "there is no file nowhere.csv"),
        (["show", "data/houses.csv(target=price, metrik=rmse)"], "metrik"),
    ],
)
def test_the_command_line_says_what_is_wrong(here, arguments, message):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


def test_a_table_is_shown_with_the_line_that_compares_on_it(here):
    done = CliRunner().invoke(app, ["show", "data/houses.csv(price)"])
    assert done.exit_code == 0, done.output
    assert "trimtab compare 'data/houses.csv(price)' --candidates sgd,adamw" in done.output


def test_capitals_of_its_columns_make_no_other_problem(here):
    from trimtab.lab.loading import fingerprint

    first, other, drop = (f"data/houses.csv(target={each})" for each in ("price", "PRICE", "price, drop=age"))
    assert fingerprint(first) == fingerprint(other) != fingerprint(drop)


def test_a_table_may_stand_in_another_problem(here):
    from trimtab.lab.loading import absolute_reference, fingerprint

    reference = "pruned(data/houses.csv(target=price), sparsity=0.5)"
    assert str(here / "data" / "houses.csv") in absolute_reference(reference)
    before = fingerprint(reference)
    write(here / "data" / "houses.csv", houses(101))
    assert fingerprint(reference) != before
