"""Problems and their candidates on the command line, slot by slot."""

import json
import re

import pytest
from typer.testing import CliRunner

from trimtab.cli import app
from trimtab.compare import measuring


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


def test_methods_are_listed_by_slot():
    output = run("list").output
    optimizers, samplers = output.index("\noptimizers\n"), output.index("\nsamplers\n")
    assert optimizers < output.index("lion ") < samplers < output.index("tpe ")
    assert "compared on: branin, hartmann6, tuned-svc" in output
    assert "compared on: digits, " in output
    only = run("list", "--slot", "sampler").output
    assert "tpe " in only
    assert "lion" not in only


def test_problems_are_listed_with_who_fills_them():
    output = run("list", "problems").output
    assert re.search(r"branin +samplers +Where is Branin", output)
    assert re.search(r"digits +optimizers +Which digit", output)
    assert "branin" not in run("list", "tasks").output
    found = json.loads(run("list", "problems", "--slot", "sampler", "--json").output)
    assert [(each["name"], each["slot"]) for each in found] == [
        ("branin", "sampler"),
        ("hartmann6", "sampler"),
        ("tuned-svc", "sampler"),
    ]
    assert {each["slot"] for each in json.loads(run("list", "--slot", "sampler", "--json").output)} == {"sampler"}


def test_a_slot_that_nothing_of_ours_fills_says_so():
    assert "candidates are your own" in run("list", "--slot", "command").output
    assert "problems are your own" in run("list", "problems", "--slot", "command").output
    assert json.loads(run("list", "problems", "--slot", "command", "--json").output) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--slot", "samplers"], "unknown slot 'samplers'; did you mean sampler?"),
        (["list", "tasks", "--slot", "sampler"], "--slot sampler: tasks leave the optimizer open"),
        (["list", "problems", "--family", "optim"], "--family optim: problems have none"),
        (["new-problem", "x.py", "--slot", "command"], "there are templates of problems for optimizer, sampler"),
        (["compare", "branin", "--candidates", "lion"], "lion is an optimizer; here fits cmaes, gp, random or tpe"),
        (["compare", "branin", "--candidates", "/no.py:X"], "/no.py:X: there is no file /no.py"),
        (["compare", "branin", "--trials", "3"], "trials=3: nothing is tuned on branin"),
        (["show", "brannin.py"], "there is no file brannin.py"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_problem_is_shown_as_a_method_is():
    output = run("show", "branin(noise=1.0)").output
    assert re.search(r"what counts +regret, lower is better", output)
    assert re.search(r"a run has +40 evaluations", output)
    assert re.search(r"in brackets +noise=0\.0", output)
    assert "trimtab compare 'branin(noise=1.0)' --candidates random,tpe,gp" in output
    assert json.loads(run("show", "branin", "--json").output)["fits"] == ["cmaes", "gp", "random", "tpe"]
    sampler = run("show", "tpe").output
    assert "Tree-structured Parzen estimator" in sampler
    assert re.search(r"tuned +nothing", sampler)
    assert "study = optuna.create_study(sampler=TPESampler(seed=0))" in sampler


def test_a_template_of_a_black_box_runs_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "MEASURED_SECONDS", 0.01)
    file = tmp_path / "mine.py"
    written = run("new-problem", file, "--slot", "sampler").output
    assert f"trimtab compare {file}:MyProblem --candidates tpe,gp --dry-run" in written
    reference = f"{file}:MyProblem"
    dry = run("compare", reference, "--candidates", "random,tpe", "--out", tmp_path / "out", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "20 runs of 30 evaluations, 10 seeds each; " in " ".join(dry.output.split())
    assert not (tmp_path / "out").exists()
    result = run(
        "compare", reference, "--candidates", "random,tpe", "--out", tmp_path / "out", "--seeds", 3, "--steps", 4
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"rank candidate +error +against random +ms/eval\.", result.output)
    assert "n_trials=4" in result.output
    assert "learning rate" not in result.output
