"""A comparison of commands from beginning to end."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.compare.making import command_comparison
from tests.compare.test_comparison import Recorder
from tests.study.test_process import gone, wait_for
from trimtab import CommandProblem, Comparison
from trimtab.catalog.command_candidates import named_commands
from trimtab.catalog.commands import CommandCandidate
from trimtab.compare.budget import Budget
from trimtab.compare.deadline import Deadline
from trimtab.compare.part import Part
from trimtab.compare.stored import load_any
from trimtab.study.errors import InputError, StudyMismatchError, UnfitWorkerError
from trimtab.study.stored_study import read_store

SCRIPT = """
import argparse, math, random
parser = argparse.ArgumentParser()
parser.add_argument("--opt")
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
a = parser.parse_args()
noise = random.Random(a.seed).gauss(0, 0.01)
best = {"adamw": -3, "lion": -4}.get(a.opt, -1)
for epoch in range(1, 5):
    print(f"epoch {epoch} val_loss={(math.log10(a.lr) - best) ** 2 + 1 / epoch + noise}")
"""
LINE = f"{sys.executable} train.py --opt {{optimizer}} --lr {{lr}} --seed {{seed}}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def comparison(line=LINE, candidates="adamw,lion", **more):
    options = {"tune": ["lr=1e-5..1:log"], "metric": "val_loss", "out": "out", "trials": 2, "seeds": 2, "jobs": 2}
    return command_comparison(line, candidates, **{**options, **more})


def test_a_comparison_is_that_of_its_runs_and_goes_on_where_it_was(here):
    recorder = Recorder()
    result = comparison().run(recorder)
    assert len(recorder.keys) == 2 * (2 + 2)
    assert {trial.status for trial in result.trials} == {"complete"}
    assert {trial.seed for trial in result.trials if trial.phase == "tune"} == {0}
    assert sorted({trial.seed for trial in result.trials if trial.phase == "final"}) == [1000, 1001]
    for trial in result.trials:  # the same command by hand says the same
        (out,) = (here / "out" / "trials").glob(f"{trial.candidate}-{trial.phase}-{trial.key.rpartition('/')[2]}")
        printed = subprocess.run(
            (out / "command.txt").read_text(), shell=True, capture_output=True, text=True, check=True
        ).stdout
        assert trial.loss == trial.metric == float(printed.rpartition("=")[2])
        assert [point.cost for point in trial.curve] == [1, 2, 3, 4]
    assert load_any("out") == result
    assert (result.problem.objective.name, result.problem.sign) == ("val_loss", 1)
    again = Recorder()
    assert comparison().run(again).candidates == result.candidates
    assert again.keys == []
    more = Recorder()
    ranked = comparison(candidates="adamw,lion,other", seeds=3).run(more)
    assert len(more.keys) == 2 * 1 + (2 + 3)
    # what is compared with what is chosen anew by each command, and nothing has to run for it
    against = comparison(candidates="adamw,lion,other", seeds=3, against_reference=True).run(again)
    assert (len(ranked.pairs), len(against.pairs), again.keys) == (3, 2, [])
    assert load_any("out") == against
    assert {candidate.place for candidate in against.candidates} == {"–"}


def test_with_a_budget_the_first_runs_are_trials_of_the_plan(here, monkeypatch):
    monkeypatch.setattr("trimtab.compare.fitting.MOST_TRIALS", 8)  # there is time for a hundred
    monkeypatch.setattr("trimtab.compare.fitting.MOST_SEEDS", 6)
    sizes, recorder = [], Recorder()
    made = comparison(trials=None, seeds=None, budget="12s")
    assert made.estimate() is None
    result = made.run(recorder, sizes.append)
    (size,) = sizes
    assert result.protocol.trials == size.trials >= 6
    assert sorted(recorder.keys[:2]) == ["train/tune/adamw/0", "train/tune/lion/0"]
    assert len(recorder.keys) == len(set(recorder.keys)) == 2 * (size.trials + size.seeds)
    again = comparison(trials=None, seeds=None, budget="12s")
    assert again.estimate().trials == size.trials
    assert again.run().candidates == result.candidates


@pytest.mark.parametrize("how", [{"race": True}, {"pruner": "median"}])
def test_first_runs_that_wait_for_answers_get_them(here, monkeypatch, how):
    monkeypatch.setattr("trimtab.compare.fitting.MOST_TRIALS", 6)
    monkeypatch.setattr(Budget, "spent", property(lambda self: 0.5))  # however busy this machine is
    result = comparison(trials=None, seeds=3, budget="60s", **how).run()
    assert {candidate.rank for candidate in result.candidates} <= {1, 2}
    assert result.protocol.trials == 6


def test_a_first_run_that_goes_on_tells_that_the_budget_is_too_short(here, monkeypatch):
    monkeypatch.setattr(Budget, "spent", 0.0)
    slow = "sh -c 'test $0 = lion || sleep 60; echo val_loss=1' {optimizer} {lr} {seed}"
    with pytest.raises(InputError, match=r"as the first runs show: .* runs of adamw of .*Into 10s fit runs of up to"):
        comparison(slow, trials=None, seeds=None, budget="10s").run()
    assert list(read_store(Path("out")).outcomes) == ["sh/tune/lion/0"]


def test_first_runs_are_kept_when_the_budget_is_too_short(here, monkeypatch):
    monkeypatch.setattr(Budget, "spent", 0.0)
    monkeypatch.setattr(Deadline, "_check", lambda _: None)  # all of them end
    slow = f"{sys.executable} -c \"import time; time.sleep(1); print('val_loss=1')\" {{lr}} {{seed}} {{optimizer}}"
    with pytest.raises(InputError, match=r"(?s)budget=5s is too short.*Give --budget \d+s\."):
        comparison(slow, trials=None, seeds=None, budget="5s").run()
    with pytest.raises(InputError, match="budget=6s is too short"):
        comparison(slow, trials=None, seeds=None, budget="6s").estimate()
    recorder = Recorder()
    result = comparison(slow, trials=1, seeds=1).run(recorder)
    assert len(recorder.keys) == 2  # the final runs
    assert {trial.phase for trial in result.trials} == {"tune", "final"}


def test_first_runs_that_would_take_all_the_time_are_ended(here, monkeypatch):
    running = here / "out" / "trials" / "adamw-tune-0" / "pid"
    endless = "sh -c 'echo $$ > {out}/pid; sleep 600' {lr} {seed} {optimizer}"
    # half of the time is over when the first run has started, however long that takes
    monkeypatch.setattr(Budget, "spent", property(lambda _: 150.0 if running.exists() else 0.0))
    with pytest.raises(InputError, match="not even the first runs"):
        comparison(endless, trials=None, seeds=None, budget="200s").run()
    assert gone(wait_for(running))
    assert read_store(Path("out")).outcomes == {}


def test_nothing_is_planned_when_no_first_run_ends_well(here):
    with pytest.raises(InputError, match=r"none of the first runs ended well.*(.|\n)*exit code 3"):
        comparison("sh -c 'exit 3' {lr} {seed} {optimizer}", trials=None, seeds=None, budget="1h").run()


def test_each_candidate_is_tuned_in_its_own_range(here):
    made = comparison(tune=["lr=1e-2..1:log", "lion.lr=1e-5..1e-3:log"], trials=8)
    adamw, lion = made.first.plan.candidates
    rates = {c.label: [p.settings["lr"] for p in made.first.plan.tuning_points(c)] for c in (adamw, lion)}
    assert min(rates["adamw"]) >= 1e-2
    assert max(rates["lion"]) <= 1e-3


def test_candidates_may_have_their_own_commands(here):
    (here / "other.sh").write_text("echo val_loss=$1")
    own = named_commands("adamw", ["mine=sh other.sh {lr} {seed}"])
    result = comparison(candidates=own).run()
    mine = next(c for c in result.candidates if c.label == "mine")
    assert mine.code.startswith("sh other.sh ")
    assert "all 2 seeds ended at exactly the same value" in mine.note


def test_more_is_better_if_asked(here):
    (here / "acc.sh").write_text("case $1 in good) echo acc=0.9$2;; *) echo acc=0.50$2;; esac")
    result = comparison("sh acc.sh {optimizer} {seed}", "bad,good", tune=[], metric="acc", maximize=True, seeds=3).run()
    good, bad = result.candidates
    assert (good.label, good.rank, good.metric.mean) == ("good", 1, pytest.approx(0.91, abs=0.01))
    assert (bad.rank, good.verdict) == (2, "helps")
    assert good.against_reference.improvement == pytest.approx(0.409009)
    assert result.conclusion[0].startswith("Use good instead of bad: it raises acc by 0.40901 (0.40")
    assert result.target.startswith("acc >= 0.5")


def test_a_machine_that_cannot_write_leaves_all_trials_to_others(here):
    store = f"sqlite:///{here}/shared.db"
    (here / "file").touch()
    with pytest.raises(
        UnfitWorkerError, match=r"(?s)file/trials cannot be used \(Not a directory\).*No trial has failed"
    ):
        comparison(store=store, out="file").run()
    assert read_store(store).outcomes == {}
    assert {trial.status for trial in comparison(store=store, out="out").run().trials} == {"complete"}


def test_each_of_several_commands_is_run_in_directories_of_its_own(here):
    for number, name in enumerate(("one", "other"), start=1):
        (here / f"{name}.sh").write_text(f"sleep 0.3; cat $0 > $4/{name}; echo loss={number}.$2\n")
    problems = [
        CommandProblem(f"sh {name}.sh {{optimizer}} {{seed}} {{lr}} {{out}} {{trial}}", metric="loss")
        for name in ("one", "other")
    ]
    options = {"tune": ["lr=0.1,0.2"], "trials": 1, "seeds": 2, "jobs": 4, "out": "out"}
    made = Comparison(problems, "a,b", **options)
    assert [line.split()[1] for line in made.previews()] == ["one.sh", "one.sh", "other.sh", "other.sh"]
    made.run()
    outcomes = read_store(Path("out")).outcomes
    assert {outcome.status for outcome in outcomes.values()} == {"complete"}
    assert len(outcomes) == 2 * 2 * (1 + 2)
    assert {key.partition("/")[0]: int(outcome.loss) for key, outcome in outcomes.items()} == {"one": 1, "other": 2}
    for key in outcomes:
        problem, phase, label, index = key.split("/")
        found = here / "out" / "trials" / f"{label}-{phase}-{index}@{problem}"
        assert {path.name for path in found.iterdir()} == {"command.txt", "output.txt", problem}
    (here / "other.sh").write_text("echo loss=3")
    with pytest.raises(StudyMismatchError, match=r"a, b: \S*other\.sh has changed since"):
        Comparison(problems, "a,b", **options).run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metric": "epoch"},
            "the metric is the last number after val_loss in the output there, the last number after ep",
        ),
        ({"timeout": 3}, "--timeout is none there, 3 here"),
        ({"maximize": True}, "less of the metric is better there, more here"),
        ({"tune": ["lr=1e-4..1:log"]}, "adamw: lr is 1e-5..1:log there, 1e-4..1:log here. Undo that to go on; choose"),
        ({"tune": ["lr=0.5"]}, "adamw: lr is 1e-5..1:log there, 0.5 here."),
        ({"line": f"{LINE} --wd 1"}, f"adamw: the command is {LINE} there, {LINE} --wd 1 here"),
    ],
)
def test_another_comparison_is_refused(here, change, message):
    comparison(candidates="adamw", trials=1, seeds=1).run()
    with pytest.raises(StudyMismatchError, match=re.escape(message)):
        comparison(**{"candidates": "adamw", "trials": 1, "seeds": 1, **change}).run()


def test_an_edited_script_is_another_candidate_even_when_it_was_away(here):
    comparison(trials=1, seeds=1).run()
    (here / "train.py").write_text(f"{SCRIPT}\n")
    comparison(candidates="other", trials=1, seeds=1).run()
    with pytest.raises(StudyMismatchError, match=r"lion: \S*train\.py has changed since\. .* remove out/study"):
        comparison(candidates="lion", trials=1, seeds=1).run()


def test_a_changed_file_within_a_word_is_another_candidate_where_it_was_there_from_the_start(here):
    for name in ("adamw", "lion"):
        (here / f"{name}.yaml").write_text("width: 1")
    (here / "echo.sh").write_text("echo val_loss=1.$3; date +%N > new.cfg")
    line, options = "sh echo.sh --conf={optimizer}.yaml --note=new.cfg {seed} {lr}", {"trials": 1, "seeds": 1}
    comparison(line, **options).run()
    assert len((here / "new.cfg").read_text()) > 1  # what trials write is nobody's configuration
    comparison(line, **{**options, "seeds": 2}).run()
    (here / "lion.yaml").write_text("width: 2")
    with pytest.raises(StudyMismatchError, match=r"\. lion: lion\.yaml has changed since\. "):
        comparison(line, **options).run()
    (here / "lion.yaml").unlink()
    with pytest.raises(StudyMismatchError, match=r"\. lion: lion\.yaml belongs to the command there only, or was no"):
        comparison(line, **options).run()


def test_a_study_from_before_files_within_words_were_looked_at_goes_on_without(here, monkeypatch):
    (here / "adamw.yaml").write_text("width: 1")
    (here / "echo.sh").write_text("echo val_loss=1.$2")
    line, options = "sh echo.sh --conf={optimizer}.yaml {seed} {lr}", {"candidates": "adamw", "trials": 1, "seeds": 1}
    now = CommandCandidate.definition
    with monkeypatch.context() as before:
        before.setattr(
            CommandCandidate, "definition", lambda c: {k: v for k, v in now(c).items() if k != "files_within"}
        )
        before.setattr(Part, "_definitions", lambda part, _: {c.label: c.definition() for c in part.plan.candidates})
        comparison(line, **options).run()
    for text in ("width: 2", "width: 3"):
        (here / "adamw.yaml").write_text(text)
        assert comparison(line, **options).run().candidates[0].label == "adamw"
    (here / "echo.sh").write_text("echo val_loss=2.$2")
    with pytest.raises(StudyMismatchError, match=r"adamw: echo\.sh has changed since"):
        comparison(line, **options).run()


def test_a_candidate_that_fails_is_shown_and_the_others_are_ranked(here):
    (here / "train.py").write_text(SCRIPT.replace("noise =", "noise = {'broken': None}.get(a.opt, 1) *"))
    result = comparison(candidates="adamw,broken").run()
    assert [(c.label, c.rank) for c in result.candidates] == [("adamw", 1), ("broken", None)]
    errors = {trial.error for trial in result.trials if trial.candidate == "broken"}
    assert all("it ended with exit code 1" in error and "TypeError: unsupported operand" in error for error in errors)


def test_pruning_ends_commands(here):
    slow = SCRIPT.replace("    print", "    __import__('time').sleep(0.3)\n    print").replace(
        ')}")', ')}", flush=True)'
    )
    (here / "train.py").write_text(slow)
    result = comparison(candidates="adamw", trials=10, jobs=2, pruner="median").run()
    assert {trial.status for trial in result.trials if trial.phase == "tune"} >= {"complete", "pruned"}
    assert {trial.status for trial in result.trials if trial.phase == "final"} == {"complete"}


RUN = """
import sys
from trimtab.compare.budget import Budget
from trimtab.compare.deadline import Deadline
from trimtab import CommandProblem, Comparison

if __name__ == "__main__":
    line = f"{sys.executable} train.py --opt {{optimizer}} --lr {{lr}} --seed {{seed}}"
    options = dict(tune=["lr=1e-5..1:log"], out="out", trials=2, seeds=2, jobs=2)
    Comparison(CommandProblem(line, metric="val_loss"), "adamw,lion", **options).run()
"""


def test_whoever_is_killed_takes_the_scripts_along_and_the_same_call_goes_on(here):
    waiting = "import os, time\nopen(f'pid{os.getpid()}', 'w').write(str(os.getpid()))\n"
    waiting += "while os.path.exists('wait'): time.sleep(0.05)\n"
    (here / "train.py").write_text(waiting + SCRIPT)
    (here / "run.py").write_text(RUN)
    (here / "wait").touch()
    process = subprocess.Popen([sys.executable, "run.py"])
    deadline = time.monotonic() + 120
    while len(list(here.glob("pid*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    scripts = [wait_for(path) for path in here.glob("pid*")]
    assert len(scripts) == 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all(gone(pid) for pid in scripts)
    (here / "wait").unlink()
    recorder = Recorder()
    result = comparison().run(recorder)
    assert len(recorder.keys) == 2 * (2 + 2)
    assert {trial.status for trial in result.trials} == {"complete"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": None}, "a command needs a metric"),
        ({"metric_file": "{out}/a.json:b"}, "either --metric"),
        ({"candidates": ""}, "no candidates were given"),
        ({"candidates": "a,,b"}, "a candidate has no name"),
        ({"candidates": "a,b,a"}, "the candidate a was given twice"),
        ({"line": None}, "there is no command for adamw, lion"),
        ({"candidates": {"a": "sh x {seed}"}}, "--command is not used"),
        ({"line": "sh x {seed}", "tune": []}, "adamw, lion would all run the same command: sh x {seed}"),
        ({"line": "sh x {optimizer}", "tune": []}, "adamw and lion: the command has no {seed}"),
        ({"line": "nowhere {optimizer} {seed}", "tune": []}, "adamw and lion: there is no program 'nowhere'"),
        ({"line": f"{sys.executable} no.py {{optimizer}} {{seed}}", "tune": []}, "there is no file no.py"),
        ({"timeout": 0}, "timeout=0: a positive number of seconds"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"jobs": 0}, "jobs=0"),
        ({"trials": 0}, "trials=0"),
        ({"pruner": "medium"}, "did you mean median"),
        ({"executor": "raye"}, "executor='raye'"),
        ({"ray_address": "auto"}, "only of use with executor='ray'"),
        ({"store": "runs/train"}, "store='runs/train' is not the URL of a database"),
        ({"reference": "sgd"}, "reference='sgd' is not among the candidates"),
        ({"metric": None, "metric_file": "{out}/{ll}.json:b"}, "{ll} is not among the places of adamw's command"),
    ],
)
def test_bad_input_is_named_before_anything_is_written(here, change, message):
    with pytest.raises(InputError, match=re.escape(message)):
        comparison(**change)
    assert [path.name for path in here.iterdir()] == ["train.py"]


def test_a_command_without_a_seed_may_read_it_elsewhere(here):
    line = "echo $TRIMTAB_SEED | sed s/^/val_loss=/"
    made = comparison(line, "a", tune=[], shell=True, unseeded=True, trials=1)
    assert [trial.metric for trial in made.run().trials] == [0, 1000, 1001]


def test_a_comparison_is_called_after_its_script(here):
    assert comparison(out=None).out.parts == ("runs", "train")
    assert comparison("sh -c 'echo {optimizer} {seed}'", tune=[], out=None).out.parts == ("runs", "sh")
    assert comparison(None, {"a": LINE, "b": LINE}, out=None).out.parts == ("runs", "commands")
    assert [path.name for path in here.iterdir()] == ["train.py"]


def test_commands_in_a_database_are_the_commands_in_a_directory(here, postgres):
    expected = comparison().run()
    result = comparison(out="elsewhere", store=postgres.url).run()
    assert load_any("elsewhere", postgres.url) == result
    assert losses(result) == losses(expected)
    assert [path.name for path in (here / "elsewhere").iterdir()] == ["trials"]
    (here / "train.py").write_text(f"{SCRIPT}\n")
    with pytest.raises(
        StudyMismatchError, match=r"(?s)^postgresql:.*adamw, lion: \S*train\.py has.* choose another database"
    ):
        comparison(out="third", store=postgres.url).run()


def losses(result):
    return [(trial.key, trial.status, trial.loss, trial.curve) for trial in result.trials]


@pytest.mark.parametrize("text", ["name", "name=", "=command"])
def test_a_candidate_of_its_own_needs_a_name_and_a_command(text):
    with pytest.raises(InputError, match="a candidate has no name" if text[0] == "=" else "expected a name"):
        named_commands(None, [text])
