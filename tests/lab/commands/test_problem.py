"""One trial of a command, in this process."""

import json
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from trimtab.catalog.commands import CommandCandidate
from trimtab.lab.commands.file_metric import file_metric
from trimtab.lab.commands.output_metric import output_metric
from trimtab.lab.commands.problem import CommandProblem, trial_name
from trimtab.lab.commands.template import Command
from trimtab.lab.problem import Workplace
from trimtab.study.errors import UnfitWorkerError
from trimtab.study.point import Point

SCRIPT = """
import json, os, sys, time
what, lr, seed, out = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
for epoch in range(3):
    print(f"epoch {epoch}", file=sys.stderr)
    print(f"val_loss={1 / (epoch + 1) + lr}", flush=True)
if what == "fail":
    raise RuntimeError("deliberate")
if what == "nan":
    print("val_loss=nan")
if what == "coloured":
    print("\\x1b[1mval_\\x1b[0mloss: \\x1b[32m0.125\\x1b[0m\\r\\nval_loss: 9\\b5\\x1b[K")
if what == "thousands":
    print("val_loss: 1,234")
    time.sleep(1000)
if what == "penalty":
    print("val_loss=1.7e308")
if what == "hang":
    time.sleep(1000)
if what == "write":
    variables = {k: v for k, v in os.environ.items() if "TRIMTAB" in k and "TEST" not in k}
    with open(os.path.join(out, "m.json"), "w") as file:
        json.dump({"val": {"loss": lr + seed}, "variables": variables}, file)
"""


def run_point(problem, candidate, point, report, directory):
    place = Workplace(directory / "trials", threads=1, here=directory)
    return problem.trial(candidate.build(point.settings), point, budget=None, report=report, place=place)


@pytest.fixture
def trial(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(what="plain", metric="val_loss", *, maximize=False, timeout=60.0, report=lambda cost, loss: False):
        line = f"{sys.executable} {script} {what} {{lr}} {{seed}} {{out}}"
        candidate = CommandCandidate("mine", Command(line), (("lr", "0..1"),))
        problem = CommandProblem(line, metric="val_loss", maximize=maximize, timeout=timeout)
        problem.found = metric if not isinstance(metric, str) else output_metric(metric)
        return run_point(problem, candidate, Point("task", "tune", "mine", 0, {"lr": 0.5}, seed=7), report, tmp_path)

    return run


def test_values_are_a_curve_and_the_last_counts(trial, tmp_path):
    reports = []
    outcome = trial(report=lambda cost, loss: bool(reports.append((cost, loss))))
    assert (outcome.status, outcome.loss, outcome.metric, outcome.cost) == ("complete", 1 / 3 + 0.5, 1 / 3 + 0.5, 3)
    assert [(point.cost, point.loss) for point in outcome.curve] == reports
    assert [cost for cost, _ in reports] == [1, 2, 3]
    assert outcome.error is None
    out = tmp_path / "trials" / "mine-tune-0"
    assert "epoch 2\nval_loss=" in (out / "output.txt").read_text()
    assert (out / "command.txt").read_text() == f"{sys.executable} {tmp_path}/script.py plain 0.5 7 {out}\n"
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["mine-tune-0"]


def test_more_is_better_if_asked(trial):
    outcome = trial(maximize=True)
    assert outcome.loss == -outcome.metric == -(1 / 3 + 0.5)
    assert [point.loss for point in outcome.curve] == [-point.metric for point in outcome.curve]


def test_a_file_that_the_script_writes_and_the_variables_that_it_may_read(trial, tmp_path):
    outcome = trial("write", file_metric("{out}/m.json:val.loss"))
    assert (outcome.status, outcome.metric, outcome.cost) == ("complete", 7.5, 1)
    out = tmp_path / "trials" / "mine-tune-0"
    assert json.loads((out / "m.json").read_text())["variables"] == {
        "TRIMTAB_SEED": "7", "TRIMTAB_TRIAL": "mine-tune-0", "TRIMTAB_OUT": str(out),
    }  # fmt: skip


def test_what_an_earlier_attempt_left_is_not_taken_for_this_ones(trial):
    metric = file_metric("{out}/m.json:val.loss")
    assert trial("write", metric).status == "complete"
    again = trial("plain", metric)
    assert again.status == "failed"
    assert "did not write" in again.error


def test_whoever_takes_a_trial_over_waits_for_its_first_run_and_both_end_well(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = "sh -c 'echo loss 0.5 > {out}/m; sleep 1; cat {out}/m' {seed}"
    candidate, problem = CommandCandidate("mine", Command(line)), CommandProblem(line, metric="loss")
    outcomes = []

    def run():
        point = Point("task", "tune", "mine", 0, {}, seed=7)
        outcomes.append(run_point(problem, candidate, point, lambda cost, loss: False, tmp_path))

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    assert [(outcome.status, outcome.loss) for outcome in outcomes] == [("complete", 0.5)] * 2
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["mine-tune-0"]


@pytest.mark.parametrize(
    ("what", "status", "reason"),
    [
        ("fail", "failed", "it ended with exit code 1"),
        ("nan", "diverged", "the last val_loss was nan"),
        ("penalty", "diverged", "the last val_loss was 1.7e+308; what is larger than 1e+150 counts as diverged"),
        ("hang", "failed", "it was ended after 2 seconds, by the time-out"),
    ],
)
def test_what_went_wrong_is_told_with_the_command_and_its_last_lines(trial, what, status, reason):
    outcome = trial(what, timeout=2.0 if what == "hang" else 60.0)
    assert outcome.status == status
    assert (outcome.loss, outcome.metric) == (None, None)
    assert len(outcome.curve) == 3
    first, command, place, *rest = outcome.error.splitlines()
    assert first == reason
    assert f"script.py {what} 0.5 7" in command
    assert "mine-tune-0/output.txt" in place
    assert "val_loss=" in "\n".join(rest)
    assert ("RuntimeError: deliberate" in outcome.error) == (what == "fail")


def test_a_metric_that_is_not_there_is_looked_for_by_name(trial):
    outcome = trial(metric="accuracy=([0-9.]+)")
    assert outcome.status == "failed"
    assert outcome.error.startswith(
        "no accuracy was found: looked for the last match of accuracy=([0-9.]+) in the output"
    )
    assert "epoch 2" in outcome.error


def test_a_missing_key_is_told(trial):
    assert "there is no 'acc'; there are loss" in trial("write", file_metric("{out}/m.json:val.acc")).error


def test_a_number_that_cannot_be_read_ends_the_run_at_once(trial):
    outcome = trial("hang", metric="(e[a-z]+)", timeout=None)
    assert outcome.status == "failed"
    assert outcome.error.startswith("'epoch' is not a number, in the line: epoch 0")


def test_a_trial_can_be_given_up(trial):
    outcome = trial("hang", report=lambda cost, loss: cost == 2, timeout=None)
    assert (outcome.status, outcome.error) == ("pruned", None)


@pytest.mark.parametrize("what", ["plain", "fail", "nan", "thousands"])
@pytest.mark.parametrize("place", [1, 3])
def test_who_is_given_up_is_so_also_if_it_ends_before_it_is_ended(trial, what, place):
    outcome = trial(what, report=lambda cost, loss: cost == place)
    assert (outcome.status, outcome.error, outcome.loss) == ("pruned", None, None)
    assert [point.cost for point in outcome.curve] == list(range(1, place + 1))
    assert outcome.cost == place


def started(line, directory, **more):
    candidate = CommandCandidate("mine", Command(line))
    problem, point = CommandProblem(metric="x"), Point("task", "tune", "mine", 0, {}, seed=7)
    return problem.trial(
        candidate.build({}), point, budget=None, report=lambda cost, loss: False,
        place=Workplace(directory / "trials", here=directory, **more),
    )  # fmt: skip


def test_a_program_that_is_not_on_a_machine_is_no_trials_fault(tmp_path):
    (tmp_path / "program").write_text("no program")
    for program in (tmp_path / "program", "nowhere", f"nowhere{{{{}}}} {'x' * 10}"):
        with pytest.raises(
            UnfitWorkerError, match=r"(?s)^on \S+, where .*the command cannot be started: .*No trial has"
        ):
            started(f"{program} {{seed}}", tmp_path)
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["mine-tune-0"]  # and the lock is free


@pytest.mark.parametrize("line", ["no-{candidate} {seed}", f"true {{seed}} {'x' * 150_000}"])
def test_a_command_of_which_a_trials_own_part_cannot_be_started_is_a_failure(line, tmp_path):
    outcome = started(line, tmp_path)
    assert outcome.status == "failed"
    assert outcome.error.startswith("the command cannot be started")


def test_a_machine_that_cannot_write_or_has_no_such_directory_is_named_and_no_trial_has_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "mine-tune-0.lock").mkdir()
    for directory, culprit in ((file, file), (tmp_path / "gone", tmp_path / "gone"), (tmp_path, "mine-tune-0.lock")):
        with pytest.raises(
            UnfitWorkerError, match=rf"(?s)^on \S+, where .*{culprit} cannot be used \(.*No trial has fai"
        ):
            started("true {seed}", directory)
    assert Path.cwd() == tmp_path


def test_a_coloured_line_counts_and_is_kept_without_colours(trial):
    outcome = trial("coloured")
    assert [point.metric for point in outcome.curve] == [1.5, 1 / 2 + 0.5, 1 / 3 + 0.5, 0.125, 5.0]
    assert (outcome.status, outcome.metric) == ("complete", 5.0)
    failed = trial("coloured", metric="acc")
    assert failed.error.splitlines()[0].startswith("no acc was found: looked for the last number after acc")
    assert failed.error.splitlines()[-2:] == ["val_loss: 0.125", "val_loss: 5"]


def test_a_number_that_may_be_another_one_ends_the_run_at_once(trial):
    outcome = trial("thousands", timeout=None)
    assert (outcome.status, outcome.metric) == ("failed", None)
    assert outcome.error.startswith("'1,234' may be 1234 or 1.234, in the line: val_loss: 1,234\nLet the program")


@pytest.mark.parametrize("label", ["../x", "a/b", "a b", ".", "ä=1", "lr*2"])
def test_every_name_makes_a_directory_of_its_own(label):
    name = trial_name(Point("task", "tune", label, 3, {}, 0))
    assert name == Path(name).name
    assert not name.startswith(".")
    assert name.endswith("-tune-3")
    assert name != trial_name(Point("task", "tune", "a_b", 3, {}, 0))


def test_of_several_problems_the_name_says_which():
    names = [
        trial_name(Point(problem, "tune", label, 0, {}, 0), several=True)
        for problem in ("train", "b@train", "b-train") for label in ("a", "a@b", "a-b")
    ]  # fmt: skip
    assert names[0] == "a-tune-0@train"
    assert len(set(names)) == 9


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("letter", ["x", "ü", "😀", "/"])
def test_long_names_have_room_in_a_file_system_and_stay_apart(letter, several, tmp_path):
    labels = [letter * 299 + end for end in "ab"]
    points = [Point(problem, "final", label, 999_999, {}, 0) for problem in labels for label in labels]
    names = [trial_name(point, several=several) + ".lock" for point in (points if several else points[:2])]
    assert len(set(names)) == len(names)
    for name in names:
        (tmp_path / name).touch()
        assert len(name.encode()) < 200
