"""``trimtab analyse`` on the command line."""

import json
import re
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from typer.testing import CliRunner

from trimtab.cli import app

SCORES = {"adamw": (0.80, 0.81, 0.805, 0.807), "lion": (0.90, 0.912, 0.905, 0.906)}


def run(*arguments):
    return CliRunner().invoke(app, ["analyse", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        f"{data},{name},{seed},{score}"
        for data in ("adult", "otto")
        for name, scores in SCORES.items()
        for seed, score in enumerate(scores)
    ]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["data,optimizer,seed,acc", *lines]), encoding="utf-8")
    return path


NAMES = ("--candidate", "optimizer", "--score", "acc")


def test_a_table_of_one_problem_becomes_a_report(table, tmp_path):
    done = run(table.name, *NAMES, "--maximize", "--where", "data=otto", "--metric-name", "accuracy")
    assert done.exit_code == 0, done.output
    assert re.search(r"1 lion +0\.90\S+ .*helps by 0\.1", done.output)
    assert "Use lion instead of adamw: it raises accuracy by 0.1" in done.output
    written = tmp_path / "runs" / "mine"
    assert sorted(path.name for path in written.iterdir()) == ["report.html", "results.csv", "results.json"]
    assert json.loads((written / "results.json").read_text("utf-8"))["protocol"]["final_seeds"] == [0, 1, 2, 3]


def test_a_table_of_several_has_an_overview(table, tmp_path):
    done = run(table, *NAMES, "--problem", "data", "--maximize", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["schema"] == "trimtab.comparison-over-problems"
    assert "Use lion instead of adamw: it helps on both problems." in done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"adult", "otto", "report.html", "results.json"}


def test_who_cannot_be_ranked_is_told_by_the_exit_code(table):
    with table.open("a", encoding="utf-8") as file:
        file.write("\notto,sgd,0,0.5\n")
    done = run(table, *NAMES, "--problem", "data", "--maximize", "--reference", "lion")
    assert done.exit_code == 1
    assert "sgd is not ranked on adult and otto; the page of the problem says why." in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "error: mine.csv has no column 'candidate', but data, optimizer, seed, acc; --candidate COLUMN says"),
        ((*NAMES, "--problem", "data"), "--maximize or --minimize"),
        ((*NAMES, "--problem", "data", "--maximize", "--minimize"), "--maximize and --minimize exclude each other"),
        ((*NAMES, "--maximize"), "mine.csv, lines 2 and 10, column seed: adamw is there twice with seed 0"),
        ((*NAMES, "--maximize", "--where", "dta=otto"), "has no column 'dta'; did you mean data?"),
        ((*NAMES, "--problem", "data", "--maximize", "--reference", "loin"), "did you mean lion?"),
    ],
)
def test_bad_input_is_a_message_and_exit_code_two(table, tmp_path, arguments, message):
    done = run(table, *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == [table]


def test_runs_that_are_not_matched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{name},{score}" for name, scores in SCORES.items() for score in scores[: 4 if name == "lion" else 3]]
    (tmp_path / "mine.csv").write_text("\n".join(["candidate,score", *lines]), encoding="utf-8")
    done = run("mine.csv", "--maximize", "--unpaired")
    assert done.exit_code == 0, done.output
    assert "Use lion instead of adamw: it raises score by 0.1" in done.output
    assert json.loads(Path("runs/mine/results.json").read_text("utf-8"))["protocol"]["unpaired"] is True
    assert run("mine.csv", "--maximize").exit_code == 2
    assert run("runs/mine/results.json", "--unpaired").exit_code == 2


def test_runs_without_a_number_are_left_out_as_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{name},{seed},{score}" for name, scores in SCORES.items() for seed, score in enumerate(scores)]
    broken = ["adamw,4,NaN", "lion,4,nan"]
    (tmp_path / "mine.csv").write_text("\n".join(["candidate,seed,score", *lines, *broken]), encoding="utf-8")
    done = run("mine.csv", "--maximize")
    assert done.exit_code == 2
    (condition,) = set(re.findall(r"--where '(\S+)' leaves such runs out", " ".join(done.output.split())))
    assert run("mine.csv", "--maximize", "--where", condition).exit_code == 0


def test_a_journal_of_optunas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend("trials.log")), direction="maximize")
    for name, scores in SCORES.items():
        for seed, score in enumerate(scores):
            trial = study.ask()
            trial.set_user_attr("seed", seed)
            trial.set_user_attr("candidate", name)
            study.tell(trial, score)
    done = run("trials.log", "--candidate", "user_attrs.candidate", "--seed", "user_attrs.seed")
    assert done.exit_code == 0, done.output
    assert "Use lion instead of adamw: it raises score by 0.1" in done.output
    assert Path("runs/trials/report.html").is_file()


def test_help_says_what_is_read():
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", run("--help").output).split())
    assert "Which column is which" in text
    assert "2 the input cannot work" in text


def test_results_of_a_comparison_are_drawn_again(table, tmp_path):
    run(table, *NAMES, "--problem", "data", "--maximize", "--out", tmp_path / "out")
    done = run(tmp_path / "out" / "adult" / "results.json", "--out", tmp_path / "again")
    assert done.exit_code == 0, done.output
    first, again = (tmp_path / where / "results.json" for where in ("out/adult", "again"))
    assert first.read_bytes() == again.read_bytes()
    done = run(tmp_path / "out" / "results.json", "--maximize")
    assert done.exit_code == 2
    assert "--maximize (direction='max') is for tables" in done.output


def test_of_a_table_nothing_is_kept_where_the_report_cannot_be_written(table, tmp_path):
    (tmp_path / "file").touch()
    done = run(table, *NAMES, "--where", "data=otto", "--maximize", "--out", tmp_path / "file" / "out")
    assert done.exit_code == 3
    assert done.output.rstrip().endswith("file/out/report.html cannot be written (Not a directory)")
