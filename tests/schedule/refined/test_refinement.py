"""From the file of a run to the schedule of the next one."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from trimtab.schedule import GradientNormRecorder, RefinedLR, read_schedule, refine_schedule
from trimtab.schedule.refined.recorded_run import read_run
from trimtab.schedule.refined.refinement import refine_run, schedule_path, write_schedule
from trimtab.study.errors import InputError


def recording(path, norms=(2.0, 1.0, 1.0, 1.0), **more):
    param = nn.Parameter(torch.zeros(1))
    recorder = GradientNormRecorder([param], **more)
    for norm in norms:
        param.grad = torch.tensor([norm])
        recorder.step()
    return recorder.save(path)


def test_what_a_recorder_saved_is_read_as_it_was(tmp_path):
    run = read_run(recording(tmp_path / "norms.json", [2.0, 3.0, float("inf"), 5.0, 6.0], norm="l1", every=2))
    assert (run.norms, run.norm, run.every, run.total_steps) == ((2.0, float("inf"), 6.0), "l1", 2, 5)


@pytest.mark.parametrize(
    "text",
    [
        "2\n1\n1.5\n",
        "norm\n2\n1\n1.5\n",
        "\ufeffnorm,loss\n2,1\n1,1\n1.5,1\n",  # a byte order mark, as spreadsheets write
        "anything\n2\n1\n1.5\n",
        "step,grad_norm\n0,2\n\n1,1\n2,1.5\n",
        "loss, gradient_norm\n0.3,2\n0.2,1\n0.2,\n0.1,1.5\n",
        '{"step": 0, "norm": 2}\n{"step": 1, "norm": 1}\n{"evaluation": 3}\n\n{"step": 2, "norm": 1.5}\n',
        '{"grad_norm": "2"}\n{"grad_norm": 1, "norm_of_weights": 4}\n{"grad_norm": 1.5}',
    ],
)
def test_other_programs_logs_are_read(tmp_path, text):
    path = tmp_path / "log"
    path.write_text(text)
    assert read_run(path).norms == (2.0, 1.0, 1.5)


def test_a_column_can_be_named(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    assert read_run(path, "b").norms == (2.0, 4.0)


def test_of_a_directory_the_files_that_hold_norms_are_offered(tmp_path):
    with pytest.raises(
        InputError, match=r"is a directory; the file of a run's norms is meant.*: none of the files in it"
    ):
        read_run(tmp_path)
    recording(tmp_path / "norms.json")
    (tmp_path / "log.csv").write_text("step,grad_norm\n1,2\n")
    (tmp_path / "results.csv").write_text("key,loss\n1,2\n")
    (tmp_path / "results.json").write_text('{"schema": "trimtab.comparison"}')
    (tmp_path / "study.db").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r": in it are log\.csv, norms\.json$"):
        read_run(tmp_path)
    with pytest.raises(
        InputError, match=r"norm\.json cannot be read: No such file or directory; did you mean norms\.json"
    ):
        read_run(tmp_path / "norm.json")
    with pytest.raises(InputError, match="cannot be read: it is no text; it should be what"):
        read_run(tmp_path / "study.db")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", r"has the columns a, b: say with --column \(column= in Python\) which one holds the norms"),
        ("1,2\n3,4\n", "has the columns 1, 2"),
        ("norm,grad_norm\n1,2\n", "has the columns norm, grad_norm"),
        ("norm\n", "has a heading and nothing below it"),
        ("norm\n1\nx\n", "line 3: norm='x' is no number"),
        ("norm,b\n1,2\n1\n", "line 3 has 1 cells, and 2 are needed; the file should be what GradientNormRecorder"),
        ("some\ntext\n", "line 2: some='text' is no number; the file should be what GradientNormRecorder"),
        ("norm\n" + 70_000 * "1 ", "cannot be read as CSV: field larger than field limit"),
        ('{"norm": 1}\n{"norm": }\n', "line 2 is no JSON"),
        ('{"norm": 1}\n[1]\n', "line 2: an object is needed"),
        ('{"norm": true}\n', "line 1: norm=True is no number"),
        ('{"norm": [1]}\n', r"line 1: norm=\[1\] is no number"),
        ('{"schema": "trimtab.schedule"}', "holds 'trimtab.schedule', not 'trimtab.gradient-norms'"),
        ('{"schema": "trimtab.gradient-norms", "norm": "l2", "every": 1, "steps": 3, "norms": [1]}', "is damaged"),
        ('{"schema": "trimtab.gradient-norms", "norm": "l9", "every": 1, "steps": 1, "norms": [1]}', "norm='l9'"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path, text, message):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_run(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_none_says_so(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_run(tmp_path / "nothing")
    with pytest.raises(InputError, match="is a directory; the file"):
        read_run(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read: it is no text"):
        read_run(tmp_path / "bytes")


def test_the_schedule_is_that_of_the_norms_and_goes_through_a_file(tmp_path):
    made = refine_run(recording(tmp_path / "norms.json"), smoothing=0.0)
    assert made.schedule.tolist() == [0.375, 1.0, 0.5, 0.0]
    assert made.peak == pytest.approx(1 / 3)
    assert made.norm == "l2"
    path = write_schedule(made, tmp_path / "schedule.json")
    np.testing.assert_array_equal(read_schedule(path), made.schedule)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    assert RefinedLR(optimizer, read_schedule(path), 8).total_steps == 8
    assert optimizer.param_groups[0]["lr"] == 0.75
    values = json.loads(path.read_text())
    assert values["source"] == "norms.json"
    assert values["filter_width"] == 1


def test_the_next_run_is_as_long_as_the_recorded_one_or_as_it_is_told(tmp_path):
    path = recording(tmp_path / "norms.json", [3.0, 9.0, 2.0, 9.0, 1.0], every=2)
    made = refine_run(path, smoothing=0.0)
    expected = refine_schedule([3.0, 2.0, 1.0], smoothing=0.0)
    np.testing.assert_allclose(made.schedule[::2], expected)
    assert made.total_steps == 5
    assert refine_run(path, total_steps=11).total_steps == 11


def test_the_norm_is_what_the_file_says_or_what_is_told(tmp_path):
    own = recording(tmp_path / "norms.json", norm="l1")
    assert refine_run(own, smoothing=0.0).schedule.tolist() == [0.75, 1.0, 0.5, 0.0]
    with pytest.raises(InputError, match=r"norm='l2', and .*norms.json holds norms of the kind 'l1'"):
        refine_run(own, norm="l2")
    other = tmp_path / "log.csv"
    other.write_text("2\n1\n1\n1\n")
    assert refine_run(other, smoothing=0.0).schedule.tolist() == [0.375, 1.0, 0.5, 0.0]
    assert refine_run(other, norm="l1", smoothing=0.0).schedule.tolist() == [0.75, 1.0, 0.5, 0.0]


def test_what_is_odd_about_the_norms_is_noted(tmp_path):
    path = recording(tmp_path / "norms.json", [2.0, 1.0, float("inf"), 1.0, 0.0])
    made = refine_run(path, smoothing=0.0)
    assert [note.split(",")[0] for note in made.notes] == [
        "1 of 5 norms are infinite",
        "1 of 4 smoothed norms are zero",
    ]
    assert made.smooth.tolist() == [2.0, 1.0, float("inf"), 1.0, 1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smoothing": 1.5}, "smoothing=1.5"),
        ({"cap": 2.0}, "cap=2.0"),
        ({"norm": "l3"}, "norm='l3'"),
        ({"total_steps": 1}, "total_steps=1"),
        ({"smoothing": "much"}, "smoothing='much'"),
    ],
)
def test_bad_settings_are_named(tmp_path, settings, message):
    path = tmp_path / "log.csv"
    path.write_text("2\n1\n1\n1\n")
    with pytest.raises(InputError, match=message):
        refine_run(path, **settings)


def test_norms_that_cannot_be_name_the_file(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("2\n-1\n")
    with pytest.raises(InputError, match=r"log.csv: norms\[1\]=-1.0"):
        refine_run(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[1, 0]", "holds no schedule"),
        ('{"schema": "trimtab.schedule", "multipliers": [1, -1]}', r"schedule\[1\]=-1"),
        (None, "cannot be read"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_so(tmp_path, text, message):
    path = tmp_path / "schedule.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_schedule(path)


@pytest.mark.parametrize("name", ["next.html", "next", "run.csv"])
def test_a_place_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"must end in \.json"):
        schedule_path(tmp_path / "run.csv", tmp_path / name)


def test_the_run_is_not_overwritten(tmp_path):
    with pytest.raises(InputError, match="another file than"):
        schedule_path(tmp_path / "run.json", tmp_path / "sub" / ".." / "run.json")
    assert schedule_path(tmp_path / "run.csv", None) == tmp_path / "run.schedule.json"
