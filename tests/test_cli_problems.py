"""Problems and their candidates on the command line, slot by slot."""

import json
import pickle
import re

import pytest
from typer.testing import CliRunner

from tests.lab.blackbox.studies import journal, plain_trials, written
from trimtab.catalog.samplers import read_samplers
from trimtab.catalog.slots import DEFAULT_SAMPLERS
from trimtab.cli import app
from trimtab.compare import measuring
from trimtab.compare.posing import posed_problems
from trimtab.compare.work import Work
from trimtab.lab.problem import Workplace
from trimtab.study.errors import Faults
from trimtab.study.point import Point

OWN = """
import torch
from trimtab.study.tunable import LogUniform


class Mine(torch.optim.SGD):
    tunables = {"lr": LogUniform(1e-3, 1e-1)}
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


def test_methods_are_listed_by_slot():
    output = run("list").output
    optimizers, samplers = output.index("\noptimizers\n"), output.index("\nsamplers\n")
    assert optimizers < output.index("lion ") < samplers < output.index("tpe ")
    assert "compared on: branin, hartmann6, svc-digits" in output
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
    assert [(each["name"], each["slot"]) for each in found[:3]] == [
        ("branin", "sampler"),
        ("hartmann6", "sampler"),
        ("svc-digits", "sampler"),
    ]
    assert {each["slot"] for each in json.loads(run("list", "--slot", "sampler", "--json").output)} == {"sampler"}


def test_a_slot_that_nothing_of_ours_fills_says_so():
    assert "candidates are your own" in run("list", "--slot", "command").output
    assert "problems are your own" in run("list", "problems", "--slot", "command").output
    assert json.loads(run("list", "problems", "--slot", "command", "--json").output) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "problem"], "error: there is no list of 'problem'; did you mean problems?"),
        (["list", "--slot", "foo"], "unknown slot 'foo'; known are optimizer, sampler, transform"),
        (["show", "brainin"], "unknown method or problem 'brainin'; did you mean branin?"),
        (["scale", "branin", "--to-batch", "8"], "branin is a problem for samplers; this needs a training task"),
        (["list", "--slot", "samplers"], "unknown slot 'samplers'; did you mean sampler?"),
        (["list", "tasks", "--slot", "sampler"], "--slot sampler: tasks leave the optimizer open"),
        (["list", "problems", "--family", "optim"], "--family optim: problems have none"),
        (["new-problem", "x.py", "--slot", "command"], "there are templates of problems for optimizer, sampler"),
        (
            ["compare", "branin", "--candidates", "lion"],
            "lion is an optimizer; here fits bnn, bo, botorch, cmaes, gp, pfn, ",
        ),
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
    assert re.search(r"what counts +log10 regret, lower is better", output)
    assert re.search(r"a run has +40 evaluations", output)
    assert re.search(r"in brackets +noise=0\.0", output)
    assert re.search(r"target +regret <= 0\.05", output)
    assert output.count("40") == 1
    assert "path/to/file.py:function or path/to/file.py:Class" in run("show", "pruned-digits").output
    assert f"trimtab compare 'branin(noise=1.0)' --candidates {DEFAULT_SAMPLERS}" in output
    assert json.loads(run("show", "branin", "--json").output)["fits"] == [
        "bnn", "bo", "pfn", "botorch", "cmaes", "gp", "qmc", "random", "tpe",
    ]  # fmt: skip
    assert "TPESampler(seed=0, n_startup_trials=5)" in run("show", "tpe(n_startup_trials=5)").output
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
    assert re.search(r"rank candidate +error +against tpe +ms/eval\.", result.output)
    assert "n_trials=4" in result.output
    assert "learning rate" not in result.output


def test_tuning_and_a_finished_study_are_shown_and_loaded_by_workers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    written(journal("old.log"), plain_trials(60))
    references = ["tuning(diabetes, clip(own.py:Mine), steps=2, repeats=1)", "study:old.log#old"]
    shown = run("show", references[1]).output
    assert re.search(r"what counts +value, lower is better", shown)
    assert re.search(r"in brackets +evaluations=40, workers=1", shown)
    assert re.search(r"settings to find +2", run("show", references[0]).output)
    posed = {each.name: each.source for each in posed_problems(references, Faults())}
    candidates = {name: {"random": read_samplers("random")[0]} for name in posed}
    work = Work(posed, candidates, dict.fromkeys(posed, 2), Workplace(tmp_path / "out" / "runs"))
    monkeypatch.chdir("/")  # a worker may be elsewhere
    for name in posed:
        outcome = pickle.loads(pickle.dumps(work))(Point(name, "final", "random", 0, {}, 1000), lambda *_: False)
        assert (outcome.status, outcome.cost) == ("complete", 2), outcome.error


@pytest.mark.parametrize(
    ("problems", "candidates", "messages"),
    [
        (["brannin"], "random,tpe", ["unknown problem 'brannin'; did you mean branin?"]),
        (["branin(nois=1)"], "random,tpe", ["branin has no setting 'nois'; did you mean noise?"]),
        (["branin", "branin"], "random,tpe", ["branin is a second problem with the name branin"]),
        (["pruned(nowhere.py:Mine, sparsity=0.95)"], "lamp", ["there is no file nowhere.py"]),
        (["branin(noise=-1)"], "random,tpee", ["noise=-1: a standard deviation", "unknown method 'tpee'"]),
    ],
)
def test_what_is_wrong_with_a_problem_is_not_blamed_on_candidates(problems, candidates, messages):
    result = run("compare", *problems, "--candidates", candidates)
    assert result.exit_code == 2
    said = result.output.strip().split("error: ")[1:]
    assert len(said) == len(messages)
    assert all(message in each for message, each in zip(messages, said, strict=True))


def test_a_dry_run_says_what_the_run_would_be_refused_for_and_writes_nothing(tmp_path):
    asked = ("compare", "branin", "--candidates", "random", "--seeds", 2, "--out", tmp_path)
    assert run(*asked, "--steps", 3).exit_code == 0
    before = (tmp_path / "study.db").read_bytes()
    dry, real = run(*asked, "--dry-run"), run(*asked)
    assert "a run has 3 evaluations there, 40 evaluations here" in dry.output
    assert (dry.exit_code, real.exit_code, dry.output) == (2, 2, real.output)
    several = run("compare", "branin", "hartmann6", *asked[2:], "--dry-run")
    assert "another problem, branin, and not branin and hartmann6. Choose" in several.output
    assert run(*asked, "--steps", 3, "--dry-run").exit_code == 0
    assert (tmp_path / "study.db").read_bytes() == before


def test_problems_are_found_as_methods_are():
    output = run("search", "noisy objective").output
    assert re.search(r"agvm .*\n\nproblems\n.*svc-digits +samplers ", output, re.DOTALL)
    assert json.loads(run("search", "branin", "--json").output)[0]["kind"] == "problem"


def test_help_says_who_is_compared_on_what():
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", run("compare", "--help").output).split())
    assert f"samplers {DEFAULT_SAMPLERS}; transforms uniform,magnitude,lamp" in text
    assert text.index("--tune") < text.index("Compare on a command of yours")
