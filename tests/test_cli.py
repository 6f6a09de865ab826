"""The command line as a user meets it."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import typer
from rich.console import Console
from typer.testing import CliRunner

import trimtab
from trimtab.catalog import entries
from trimtab.cli import app
from trimtab.cli.application import stoppable
from trimtab.lab.shipped import of_slot

SMALL = ["--trials", "2", "--seeds", "2", "--steps", "20"]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


def words(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "task.py"
    assert run("new-task", path).exit_code == 0
    return f"{path}:MyTask"


@pytest.fixture(scope="module")
def finished(task, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, run("compare", task, "--candidates", "adamw,lion", "--out", out, *SMALL)


def test_a_comparison_prints_the_ranking_the_code_and_where_the_report_is(finished):
    out, done = finished
    assert done.exit_code == 0, done.output
    text = words(done.output)
    text = text[text.index("rank candidate") :]  # the progress before it names candidates in any order
    best, other = json.loads((out / "results.json").read_text())["candidates"]
    assert text.index(best["label"]) < text.index(other["label"])
    assert words(best["code"]) in text
    assert "report.html" in text
    assert {path.name for path in out.iterdir()} >= {"study.db", "report.html", "results.json", "results.csv"}
    assert len((out / "results.csv").read_text().splitlines()) == 1 + 2 * (2 + 2)


def test_again_draws_the_same_without_running_anything(finished, task, monkeypatch):
    from trimtab.compare.options import Options

    out, _ = finished
    before = json.loads((out / "results.json").read_text())
    monkeypatch.setattr(Options, "make_executor", None)  # whatever would run something, fails
    again = run("compare", task, "--candidates", "adamw,lion", "--out", out, *SMALL)
    assert again.exit_code == 0, again.output
    assert json.loads((out / "results.json").read_text()) == before


def test_the_report_is_drawn_anew_from_the_store(finished):
    out, _ = finished
    (out / "report.html").unlink()
    done = run("report", out)
    assert done.exit_code == 0
    assert (out / "report.html").stat().st_size > 1_000_000


def test_several_problems_have_a_page_each_and_one_over_all(task, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(Path(task.partition(".py:")[0] + ".py").read_text().replace('"my-task"', '"other"'))
    options = ["--candidates", "adamw,lion", "--out", tmp_path / "out", *SMALL]
    done = run("compare", task, f"{other}:MyTask", *options)
    assert done.exit_code == 0, done.output
    assert "over 2 problems" in words(done.output)
    pages = ["report.html", "my-task/report.html", "other/report.html"]
    for page in pages:
        (tmp_path / "out" / page).unlink()
    assert run("report", tmp_path / "out").exit_code == 0
    assert all((tmp_path / "out" / page).is_file() for page in pages)
    values = json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(values["problems"]) == ["my-task", "other"]
    assert len(values["profiles"]) == 2

    status = json.loads(run("status", tmp_path / "out", "--json").output)["studies"][0]
    assert (status["state"], status["done"], status["total"]) == ("finished", 16, 16)
    dry = run("compare", task, f"{other}:MyTask", *options, "--dry-run")
    assert "my-task: 8 runs" in dry.output
    assert "other: 8 runs" in dry.output


def test_the_status_is_told_in_words_and_as_json(finished):
    out, _ = finished
    done = run("status", out)
    assert done.exit_code == 0, done.output
    text = words(done.output)
    assert "finished" in text
    assert "8/8 trials" in text
    found = json.loads(run("status", out, "--json").stdout)
    (study,) = found["studies"]
    assert (study["state"], study["done"], study["report"]) == ("finished", 8, str(out / "report.html"))
    watched = run("status", out, "--watch", "--json")  # there is nothing to wait for
    assert [json.loads(line)["schema"] for line in watched.stdout.splitlines()] == ["trimtab.status"]


def test_a_dry_run_has_no_results_to_print_as_json(task):
    done = run("compare", task, "--candidates", "adamw,lion", "--dry-run", "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--json cannot be given together with --dry-run" in done.stderr


def test_a_dry_run_with_a_budget_says_what_was_chosen(task, tmp_path):
    out = tmp_path / "out"
    arguments = ["--candidates", "adamw,sgd", "--steps", "20", "--seeds", "3", "--budget", "2h", "--out", out]
    done = run("compare", task, *arguments, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "262 runs" in words(done.output)  # as many as are ever planned
    assert not out.exists()


def test_json_on_standard_output_is_nothing_but_json(task, finished, capfd):
    out, _ = finished
    with pytest.raises(SystemExit) as exit:
        app(["compare", task, "--candidates", "adamw,lion", "--out", str(out), *SMALL, "--json"])
    assert exit.value.code == 0
    result = json.loads(capfd.readouterr().out)
    assert {candidate["label"] for candidate in result["candidates"]} == {"adamw", "lion"}


def test_a_dry_run_says_what_would_run_and_writes_nothing(task, tmp_path):
    out = tmp_path / "out"
    done = run("compare", task, "--candidates", "adamw,lion,sgd", "--out", out, *SMALL, "--dry-run")
    assert done.exit_code == 0, done.output
    text = words(done.output)
    assert "12 runs" in text
    assert re.search(r"About \d+ (s|min)", text)
    assert not out.exists()


def test_a_diagnosis_prints_the_numbers_and_where_the_page_is(task, tmp_path):
    out = tmp_path / "out"
    options = ["--candidates", "sgd,clip(sgd),adamw", "--along", "adamw", "--steps", "5", "--points", "2", "--out", out]
    done = run("diagnose", task, *options, "--batches", "2", "--seed", "3")
    assert done.exit_code == 0, done.output
    text = words(done.output)
    assert "step candidate sharpness correlation best decrease" in text
    assert "from the least sharp to the sharpest direction" in text
    assert {path.name for path in out.iterdir()} == {"diagnosis.html", "diagnosis.json"}
    found = json.loads((out / "diagnosis.json").read_text())
    assert [(each["step"], each["candidate"]) for each in found["measurements"]] == [
        (step, label) for step in (1, 5) for label in ("sgd", "clip(sgd)", "adamw")
    ]
    assert (found["along"], found["seed"], found["batches"]) == ("adamw", 3, 2)


def test_a_diagnosis_whose_trajectory_diverges_is_exit_code_one(task, tmp_path):
    file = tmp_path / "nan.py"
    text = Path(task.removesuffix(":MyTask")).read_text()
    file.write_text(text.replace('reduction="none")', 'reduction="none") * (1e400 if outputs.abs().max() > 6 else 1)'))
    out = tmp_path / "out"
    done = run("diagnose", f"{file}:MyTask", "--candidates", "sgd(lr=1.0)", "--out", out, "--steps", "200")
    assert done.exit_code == 1, done.output
    assert "not finite at step" in words(done.output)
    assert (out / "diagnosis.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["diagnose", "digits", "--candidates", "sgd,loin"], "did you mean lion? sgd,loin ^"),
        (["diagnose", "digits", "--candidates", "sgd,adahessian"], "the candidate adahessian cannot be diagnosed"),
        (["diagnose", "digits", "--along", "agvm(sgd)"], "the candidate agvm(sgd) cannot be diagnosed"),
        (["diagnose", "digits", "--batches", "1000"], "batches=1000: at most"),
        (["diagnose", "digits", "--points", "0"], "points=0"),
        (["diagnose", "digts"], "unknown problem 'digts'"),
        (["compare", "digts"], "unknown problem 'digts'"),
        (["compare", "digits", "--candidates", "loin"], "unknown method 'loin'; did you mean lion"),
        (["compare", "digits", "--candidates", "lion(lr=-5)"], "lr=-5 must lie in"),
        (["compare", "digits", "--seeds", "0"], "seeds=0"),
        (["compare", "digits", "--budget", "200"], "--budget 200m is the time for the whole comparison"),
        (["compare", "digits", "--budget", "200"], "in steps is --steps 200"),
        (["compare", "digits", "--budget", "soon"], "budget='soon' is not a time"),
        (["compare", "digits", "--budget", "1h", "--trials", "3", "--seeds", "3"], "has nothing to choose"),
        (["compare", "digits", "--out", ""], "Invalid value for '--out': nothing stands there, and a path is needed"),
        (["verify", "lion", "--out", ""], "nothing stands there, and a path is needed"),
        (["status", ""], "Invalid value for 'DIR': nothing stands there"),
        (["status", "nowhere"], "there is no study in nowhere: it is no directory"),
        (["show", "clip(adamw)"], "'clip(adamw)' is put together: show clip or adamw"),
        (["show", "zzz"], "unknown method or problem 'zzz'; `trimtab list` shows all"),
        (["search", ""], "search for what?"),
        (["verify", "adamw", "lionn"], "no claim for 'adamw', a baseline; `trimtab verify` lists"),
        (["verify", "adamw", "lionn"], "error: no claim for 'lionn'; did you mean lion"),
        (["compare", "digits", "--candidates", ""], "no candidates were given"),
        (["compare", "digits", "--trials", "0", "--seeds", "0"], "error: seeds=0"),
        (["compare", "diigts", "--candidates", "loin"], "error: unknown problem 'diigts'; did you mean digits"),
        (["compare", "digits(x=1)", "--candidates", "loin"], "digits has no setting 'x'; it takes none"),
        (["compare", "digits(x=1)", "--candidates", "loin"], "unknown method 'loin'; did you mean lion"),
        (["new-task", "task"], "has to end in .py: task.py"),
        (["refine", "."], ". is a directory; the file of a run's norms is meant"),
        (["status", "."], "there is no study in ."),
        (["compare", "missing.py:Task"], "there is no file missing.py"),
        (["show", "loin"], "did you mean lion"),
        (["list", "--family", "optimm"], "did you mean optim"),
        (["report", "nowhere"], "there is no study in nowhere"),
        (["verify", "lionn"], "no claim for 'lionn'; did you mean lion"),
        (["verify"], "name methods or give --all"),
        (["verify", "lion", "--all"], "name methods or give --all"),
        (["verify", "lion", "--jobs", "0"], "jobs=0"),
        (["verify", "lion", "--scale", "huge"], "scale='huge'"),
        (["verify", "lion", "--scale", "full"], "Missing here: ImageNet"),
        (["new-task", "task.txt"], "has to end in .py"),
        (["refine", "nowhere.csv"], "nowhere.csv cannot be read"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in words(done.stderr)
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_the_directory_that_is_meant_is_offered(finished, monkeypatch):
    out, _ = finished
    monkeypatch.chdir(out.parent)
    for command in ("report", "status"):
        for given, meant in ((out / "report.html", out), (f"{out.name}x", out.name)):
            done = run(command, given)
            assert done.exit_code == 2, done.output
            assert words(done.stderr).endswith(f"it is no directory; did you mean {meant}?")
    done = run("report", out.parent)
    assert f"study.db is missing; did you mean {out}" in words(done.stderr)


def test_one_seed_is_warned_of_before_anything_runs(command):
    options = ["--candidate", f"yours={command[2]}", "--trials", "1", "--dry-run"]
    warning = "With one seed no difference can be shown"
    assert warning in words(run(*command, *options, "--seeds", "1").output)
    assert warning not in words(run(*command, *options, "--seeds", "3").output)


def test_a_candidate_that_cannot_be_ranked_is_exit_code_one(task, tmp_path):
    file = tmp_path / "nan.py"
    text = Path(task.removesuffix(":MyTask")).read_text()
    file.write_text(text.replace('reduction="none")', 'reduction="none") * (1e400 if outputs.abs().max() > 6 else 1)'))
    arguments = ["--candidates", "adamw(lr=0.001),sgd(lr=1.0)", "--out", tmp_path / "out", *SMALL]
    done = run("compare", f"{file}:MyTask", *arguments)
    assert done.exit_code == 1, done.output
    assert "not ranked" in words(done.output)


def test_refine_writes_the_next_schedule_and_draws_it(tmp_path):
    run_file = tmp_path / "run.csv"
    run_file.write_text("step,loss,grad_norm\n0,3.0,2\n1,2.0,1\n2,1.0,1\n3,0.5,1\n")
    done = run("refine", run_file, "--smoothing", "0")
    assert done.exit_code == 0, done.output
    text = words(done.output)
    assert "The learning rate peaks at 33% of the run, step 1." in text
    assert "a warm-up over" in text
    assert f"wrote {tmp_path / 'run.schedule.json'}" in text
    written = str(tmp_path / "run.schedule.json")  # found from where the command ran
    assert f"total_steps = 4 # of the next run scheduler = RefinedLR(optimizer, read_schedule({written!r})," in text
    assert json.loads((tmp_path / "run.schedule.json").read_text())["multipliers"] == [0.375, 1.0, 0.5, 0.0]
    assert (tmp_path / "run.schedule.html").stat().st_size > 1_000_000

    done = run("refine", run_file, "--norm", "l1", "--smoothing", "0", "--steps", "7", "--out", tmp_path / "next.json")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "next.json").read_text())["multipliers"] == pytest.approx(
        [0.75, 0.875, 1, 0.75, 0.5, 0.25, 0]
    )
    assert (tmp_path / "next.html").is_file()

    before = sorted(tmp_path.iterdir())
    for option, value, message in (
        ("--smoothing", "2", "smoothing=2.0 must lie in [0, 1)"),
        ("--norm", "l3", "norm='l3'"),
        ("--steps", "1", "total_steps=1"),
        ("--column", "los", "has no column 'los'; it has step, loss, grad_norm"),
        ("--out", run_file, "must end in .json"),
    ):
        done = run("refine", run_file, option, value)
        assert done.exit_code == 2, done.output
        assert message in words(done.stderr)
    assert sorted(tmp_path.iterdir()) == before


def test_the_version_is_printed():
    done = run("--version")
    assert (done.exit_code, done.output) == (0, f"trimtab {trimtab.__version__}\n")


def test_the_tasks_that_ship_are_listed():
    text = words(run("list", "tasks").output)
    shipped = {name: problem.summary for name, problem in of_slot("optimizer").items()}
    assert all(f"{name} optimizers {summary}" in text for name, summary in shipped.items())
    assert {task["name"]: task["summary"] for task in json.loads(run("list", "tasks", "--json").output)} == shipped
    assert ", ".join(shipped) in words(run("list").output)
    assert "tasks have none" in words(run("list", "tasks", "--family", "optim").stderr)


@pytest.mark.parametrize(
    ("command", "shown"),
    [("report", "DIR"), ("status", "DIR"), ("show", "NAME"), ("search", "WORD"), ("compare", "PROBLEM"),
     ("verify", "METHOD"), ("diagnose", "TASK"), ("scale", "TASK"), ("refine", "RUN"), ("new-task", "FILE"),
     ("list", "WHAT")],
)  # fmt: skip
def test_arguments_are_shown_in_capitals(command, shown):
    usage = words(run(command, "--help").output).partition("[OPTIONS]")[2].partition(" ╭")[0]
    assert re.match(rf" [\[{{]{shown}[\]}}](\.\.\.)? ", usage)


def test_words_are_searched_each_and_the_best_match_comes_first():
    found = [entry["id"] for entry in json.loads(run("search", "lr schedule", "--json").output)]
    assert {"autolrs", "cosine", "linear"} <= set(found[:12])
    assert json.loads(run("search", "large batch zzz", "--json").output)[0]["id"] in ("lamb", "lars", "agvm")


def test_list_search_and_show():
    assert all(name in run("list").output for name in ("lion", "adabelief", "adamw", "sgd"))
    assert "lion" in run("list", "--family", "optim").output
    assert "lion" in run("search", "large batch").output
    assert run("search", "zzz").exit_code == 1
    text = words(run("show", "lion").output)
    assert "arXiv:2302.06675" in text
    assert "1e-05 to 0.033, logarithmic" in text


@pytest.mark.parametrize("name", entries())
def test_the_code_that_show_prints_can_be_pasted(name):
    printed = CliRunner().invoke(app, ["show", name], env={"COLUMNS": "60"}).output
    code = printed.partition("\nuse\n")[2]
    assert code.strip() == json.loads(run("show", name, "--json").output)["use"]
    assert ("optimizer" in code) == (entries()[name].slot == "optimizer")
    compile(code, name, "exec")


def test_the_catalogue_comes_as_json():
    listed = json.loads(run("list", "--json").output)
    assert {entry["id"] for entry in listed} >= {"lion", "adamw", "sgd"}
    assert json.loads(run("list", "--family", "optim", "--json").output)[0]["family"] == "optim"
    assert "lion" in [entry["id"] for entry in json.loads(run("search", "large batch", "--json").output)]
    nothing = run("search", "zzz", "--json")
    assert (nothing.exit_code, json.loads(nothing.stdout)) == (1, [])
    lion = json.loads(run("show", "lion", "--json").output)
    assert (lion["id"], lion["arxiv"], lion["aliases"]) == ("lion", "2302.06675", ["evolved sign momentum"])
    assert lion["tuned"]["lr"] == "1e-05 to 0.033, logarithmic"
    assert lion["use"].startswith("from trimtab.optim import Lion\n")
    assert "Lion" in lion["verdict"]
    assert json.loads(run("show", "adamw", "--json").output)["verdict"] is None


# what starts the tests in the background has them ignore Ctrl-C, and a child inherits that
LISTENING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trimtab.cli import main
main()
"""


def test_control_c_says_how_to_go_on_and_the_same_command_does(task, tmp_path):
    file, head = tmp_path / "slow.py", "def model(self, generator: torch.Generator) -> nn.Module:\n"
    text = Path(task.removesuffix(":MyTask")).read_text()  # runs that wait take time and no processor
    wait = "__import__('time').sleep(float(__import__('os').environ.get('TEST_SECONDS', '0')))"
    file.write_text(text.replace(head, f"{head}        {wait}\n"))
    assert file.read_text() != text
    task = f"{file}:MyTask"
    arguments = ["compare", task, "--candidates", "adamw,lion", "--out", str(tmp_path / "out")]
    arguments += ["--trials", "2", "--seeds", "2", "--steps", "2"]
    command = [sys.executable, "-c", LISTENING, *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "TEST_SECONDS": "1"},  # whoever goes on need not wait
    )
    from trimtab.study.errors import InputError
    from trimtab.study.stored_study import read_store

    finished = 0
    deadline = time.monotonic() + 120
    while finished == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            finished = len(read_store(tmp_path / "out").outcomes)
        except InputError:
            continue
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Stopped" in output
    assert f"trimtab compare {task}" in words(output).replace("\n", "")
    assert "Traceback" not in output
    kept = read_store(tmp_path / "out").outcomes
    assert 0 < len(kept) < 8
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert read_store(tmp_path / "out").outcomes.items() >= kept.items()
    assert len(read_store(tmp_path / "out").outcomes) == 8


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="it looks into processes through /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_stopped_while_workers_start(task, tmp_path, number, code):
    arguments = ["compare", task, "--out", str(tmp_path / "out"), "--candidates", "adamw,lion", "--jobs", "4"]
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENING, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not any("libtorch" in maps for maps in children(process.pid)):  # they import it, which takes a while
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert f"go on with\n  trimtab compare {task}" in output
    assert "Traceback" not in output


@pytest.fixture
def listening():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_waits_for_torch_to_be_imported(number, code, listening, monkeypatch):
    monkeypatch.setattr(torch.__spec__, "_initializing", True, raising=False)
    seen = []

    def work():
        os.kill(os.getpid(), number)
        seen.append("torch is being imported")  # and nothing is raised in it
        monkeypatch.setattr(torch.__spec__, "_initializing", False)
        time.sleep(30)

    with pytest.raises(typer.Exit) as raised, stoppable(Console(file=io.StringIO())):
        work()
    assert (seen, raised.value.exit_code) == (["torch is being imported"], code)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_arrives_in_a_destructor_is_not_lost(number, code, listening):
    class Interrupted:
        def __del__(self):
            signal.raise_signal(number)

    def work():
        Interrupted()
        time.sleep(60)

    output = io.StringIO()
    with pytest.raises(typer.Exit) as exit, stoppable(Console(file=output), "here"):
        work()
    assert exit.value.exit_code == code
    assert "Stopped. What is finished is kept in here; go on with\n  trimtab" in output.getvalue()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_of_which_an_import_makes_another_error_is_not_lost(number, code, listening):
    def imported():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise RecursionError from None

    with pytest.raises(typer.Exit) as exit, stoppable(Console(file=io.StringIO())):
        imported()
    assert exit.value.exit_code == code


def test_what_is_no_signal_stays_what_it_is(listening):
    with pytest.raises(RecursionError), stoppable(Console(file=io.StringIO())):
        raise RecursionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_ignored(listening):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stoppable(Console(file=io.StringIO())):
        signal.raise_signal(signal.SIGINT)


def children(process):
    """What each child of a process has mapped into its memory."""
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout.split()
    maps = []
    for child in found:
        with contextlib.suppress(OSError):
            maps.append(Path(f"/proc/{child}/maps").read_text())
    return maps


def test_help_names_the_exit_codes():
    assert "130 stopped by Ctrl-C" in words(run("compare", "--help").output)
    assert "1 a claim could not be judged" in words(run("verify", "--help").output)
    assert "1 the trajectory diverged" in words(run("diagnose", "--help").output)


def test_completion_offers_problems_and_candidates():
    from trimtab.cli.completing import complete_candidates, complete_problems, complete_tasks

    assert complete_problems("br") == ["breast-cancer", "branin"]
    assert complete_tasks("br") == ["breast-cancer"]
    assert complete_problems("di") == complete_tasks("di") == ["digits", "digit-scenes", "diabetes"]
    assert complete_candidates("adamw,lio") == ["adamw,lion"]


def test_a_store_by_its_url_holds_the_results_and_the_directory_the_reports(task, tmp_path):
    store = f"sqlite:///{tmp_path / 'results.db'}"
    arguments = ["compare", task, "--candidates", "adamw", "--trials", "1", "--seeds", "1", "--steps", "20"]
    done = run(*arguments, "--out", str(tmp_path / "out"), "--store", store)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "results.db").is_file()
    assert not (tmp_path / "out" / "study.db").exists()
    assert run("report", str(tmp_path / "again"), "--store", store).exit_code == 0
    assert (tmp_path / "again" / "report.html").is_file()


def test_a_command_has_its_results_in_a_store_by_its_url(command, tmp_path):
    store = f"sqlite:///{tmp_path / 'results.db'}"
    done = run(*command, "--trials", "2", "--seeds", "2", "--store", store, "--executor", "local", "--patience", "5")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "results.db").is_file()
    assert not (tmp_path / "runs" / "train" / "study.db").exists()
    assert run("report", "again", "--store", store).exit_code == 0


def test_a_database_that_stays_away_has_an_exit_code_of_its_own(task, tmp_path, monkeypatch):
    from trimtab.compare.comparison import Comparison
    from trimtab.study.errors import StoreLostError

    def lost(self, *arguments, **more):
        raise StoreLostError("it has been away for 3600 seconds")

    monkeypatch.setattr(Comparison, "run", lost)
    done = run("compare", task, "--candidates", "adamw", "--out", str(tmp_path))
    assert done.exit_code == 3
    assert "away for 3600 seconds" in words(done.output)


@pytest.mark.parametrize(
    ("command", "work"),
    [
        (["diagnose", "digits"], "trimtab.diagnose.diagnosis.Diagnosis.run"),
        (["scale", "digits", "--to-batch", "64"], "trimtab.schedule.rmt_scaling.scaling_advice.advise"),
    ],
)
def test_where_results_go_is_tried_before_work_that_nothing_keeps(command, work, tmp_path, monkeypatch):
    monkeypatch.setattr(work, lambda *_, **__: pytest.fail("it worked in vain"))
    (tmp_path / "file").touch()
    done = run(*command, "--out", tmp_path / "file" / "out")
    assert done.exit_code == 3
    assert words(done.output).endswith("file/out cannot be written (Not a directory)")


def test_a_report_that_cannot_be_written_does_not_lose_a_comparison(task, tmp_path):
    (tmp_path / "report.html").mkdir()
    done = run("compare", task, "--candidates", "adamw", "--out", tmp_path, *SMALL)
    assert done.exit_code == 3
    assert "report.html cannot be written (Is a directory); the results themselves are kept" in words(done.output)


SCRIPT = """
import os, sys, time
print(f"acc={1 - abs(float(sys.argv[1]) - 0.5) + int(sys.argv[2]) % 7 / 1000}")
open(f"{sys.argv[3]}/mark", "w").close()
time.sleep(float(os.environ.get("TEST_SECONDS", "0")))
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    line = f"{sys.executable} train.py {{rate}} {{seed}} {{out}}"
    return [
        "compare",
        "--command",
        line,
        "--candidates",
        "mine",
        "--metric",
        "acc",
        "--tune",
        "rate=0..1",
        "--maximize",
    ]


def test_a_command_is_compared(command, tmp_path):
    worse = ["--candidate", "worse=sh -c 'echo acc=0.1$0' {seed}"]
    done = run(*command, *worse, "--trials", "3", "--seeds", "3")
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "runs" / "train" / "results.json").read_text())
    assert [(c["label"], c["rank"]) for c in result["candidates"]] == [("mine", 1), ("worse", 2)]
    assert "Keep mine: worse is worse by " in words(done.output)
    assert f"{sys.executable} train.py" in done.output
    again = run("report", "runs/train")
    assert again.exit_code == 0
    assert words(again.output) == words(done.output)[-len(words(again.output)) :]


def test_a_dry_run_shows_the_first_commands(command, tmp_path):
    done = run(*command, "--dry-run", "--timeout", "60", "--seeds", "4", "--jobs", "1")
    assert done.exit_code == 0, done.output
    text = words(done.output)
    assert re.search(rf"{sys.executable} train.py 0\.\d+ 0 {tmp_path}/runs/train/trials/mine-tune-0\b", text)
    assert "rate: 0 to 1" in text
    assert "20 runs, 16 settings once, final runs on 4 fresh seeds; 1 at a time, at most 20 min" in text
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "name a problem"),
        (["compare", "digits", "--tune", "lr=1..2"], "is for nobody"),
        (["compare", "digits", "--metric-file", "x"], "--metric-file belongs to"),
        (["compare", "digits", "--command", "echo {seed}"], "PROBLEM cannot be given together with --command"),
        (["compare", "--command", "echo {seed}", "--steps", "3"], "--steps cannot be given together with --command"),
        (["compare", "--command", "echo {seed", "--candidates", "a", "--metric", "x"], "this brace opens"),
        (["compare", "--candidate", "a", "--metric", "x"], "--candidate 'a': expected a name, an equals sign"),
    ],
)
def test_bad_commands_are_one_message_and_exit_code_two(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in words(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_control_c_ends_the_scripts_and_the_same_command_goes_on(command, tmp_path):
    arguments = [*command, "--trials", "2", "--seeds", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENING, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "TEST_SECONDS": "60"},
    )  # fmt: skip
    trials = tmp_path / "runs" / "train" / "trials"
    deadline = time.monotonic() + 120
    while not list(trials.glob("*/mark")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "go on with" in output
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "runs" / "train" / "results.json").read_text())
    assert [trial["status"] for trial in result["trials"]] == ["complete"] * 4


def test_trials_are_logged_where_it_is_asked_for_those_of_before_as_well(finished, task):
    out, _ = finished
    done = run("compare", task, "--candidates", "adamw,lion", "--out", out, *SMALL, "--log-to", "tensorboard")
    assert done.exit_code == 0, done.output
    runs = {str(path.parent.relative_to(out / "tensorboard")) for path in out.glob("tensorboard/**/events.*")}
    names = ("tune-00", "tune-01", "seed-1000", "seed-1001")
    assert runs == {f"{candidate}/{name}" for candidate in ("adamw", "lion") for name in names}


def test_a_comparison_that_is_watched_ends_with_a_page_that_stays(finished, task, monkeypatch):
    from trimtab.report import live

    written = []
    monkeypatch.setattr(live.Renewing, "__enter__", lambda renewing: written.append("a page"))
    monkeypatch.setattr(live.Renewing, "__exit__", lambda *_: None)
    out, _ = finished
    done = run("compare", task, "--candidates", "adamw,lion", "--out", out, *SMALL, "--watch")
    assert done.exit_code == 0, done.output
    assert written == ["a page"]
    assert f"report {out}/report.html, from the first trials on" in words(done.output)
    watched = run("report", out, "--watch")  # there is nothing to wait for
    assert watched.exit_code == 0, watched.output
    assert "rank candidate" in words(watched.output)
    assert "data-next=" not in (out / "report.html").read_text(encoding="utf-8")


def test_places_to_log_to_are_checked_before_anything_runs(task, tmp_path):
    done = run("compare", task, "--out", tmp_path / "out", *SMALL, "--log-to", "tensorbord", "--log-to", "aim")
    assert done.exit_code == 2
    assert "log_to='tensorbord': did you mean tensorboard?" in words(done.output)
    assert "log_to='aim'" in words(done.output)
    assert not (tmp_path / "out").exists()
