"""Trials in TensorBoard, read back with its own reader."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.report.tracking.trials import COMPLETE, FAILED, about, final, tell, tuning
from trimtab import TensorBoardCallback
from trimtab.study.errors import InputError


def read(directory):
    events = EventAccumulator(str(directory))
    events.Reload()
    return events


def curve(events, tag):
    return [(event.step, round(event.value, 6)) for event in events.Scalars(tag)]


def runs(directory):
    return sorted(str(path.parent.relative_to(directory)) for path in directory.rglob("events.*"))


ALL = [(tuning(0), COMPLETE), (tuning(1), FAILED), (final(0), COMPLETE)]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    tell(TensorBoardCallback(), about(out), ALL)
    return out / "tensorboard"


def test_each_trial_is_a_run_with_its_curves_and_ends(logged):
    assert runs(logged) == ["adamw/seed-1000", "adamw/tune-00", "adamw/tune-01"]
    events = read(logged / "adamw" / "tune-00")
    assert curve(events, "validation accuracy") == [(0, 0.1), (64, 0.6), (128, 0.8)]
    assert curve(events, "validation loss") == [(0, 2.0), (64, 1.0), (128, 0.5)]
    assert curve(events, "training loss") == [(64, 1.5), (128, 1.0)]
    assert curve(events, "final/validation accuracy") == [(128, 0.8)]
    assert curve(events, "final/test metric") == [(128, 0.7)]


def test_settings_are_hyper_parameters(logged):
    events = read(logged / "adamw" / "tune-00")
    (started,) = [
        data.session_start_info
        for data in (
            plugin_data_pb2.HParamsPluginData.FromString(content)
            for content in events.PluginTagToContent("hparams").values()
        )
        if data.WhichOneof("data") == "session_start_info"
    ]
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in started.hparams.items()}
    assert values == {
        "setting.lr": 0.1,
        "setting.nesterov": True,
        "setting.batch": "small",
        "seed": 0,
        "problem": "toy",
        "candidate": "adamw",
        "phase": "tune",
        "status": "complete",
    }


def test_status_and_error_are_texts(logged):
    def texts(run):
        events = read(logged / "adamw" / run)
        return {
            tag.partition("/")[0]: events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
            for tag in events.Tags()["tensors"]
            if tag.endswith("/text_summary")
        }

    assert texts("tune-00") == {"status": "complete"}
    assert texts("tune-01") == {"status": "failed", "error": "    Traceback\n      ValueError: <b>no</b>"}


def test_what_is_there_is_left_and_what_is_missing_is_added(tmp_path):
    study = about(tmp_path)
    tell(TensorBoardCallback(), study, ALL[:2])
    before = {path: path.read_bytes() for path in tmp_path.rglob("events.*")}
    tell(TensorBoardCallback(), study, ALL, before=(0, 1))
    after = {path: path.read_bytes() for path in tmp_path.rglob("events.*")}
    assert len(after) == 3
    assert {path: after[path] for path in before} == before


def test_a_run_that_could_not_be_written_leaves_nothing(tmp_path, monkeypatch):
    from torch.utils.tensorboard import SummaryWriter

    with monkeypatch.context() as patch:
        patch.setattr(SummaryWriter, "add_text", lambda *_: 1 / 0)
        callback = TensorBoardCallback(tmp_path / "runs")
        with pytest.raises(ZeroDivisionError):
            tell(callback, about(tmp_path), ALL[:1])
    assert [path for path in (tmp_path / "runs").iterdir() if path.is_dir() and path.name != "adamw"] == []
    assert runs(tmp_path / "runs") == []
    tell(TensorBoardCallback(tmp_path / "runs"), about(tmp_path), ALL[:1], before=(0,))
    assert runs(tmp_path / "runs") == ["adamw/tune-00"]


def test_two_comparisons_do_not_mix(tmp_path):
    tell(TensorBoardCallback(tmp_path / "runs"), about(tmp_path), ALL[:1])
    with pytest.raises(InputError, match="holds the runs of another comparison"):
        tell(TensorBoardCallback(tmp_path / "runs"), about(tmp_path, id="def"), ALL[:1])


@pytest.mark.parametrize("label", ["path/to/mine.py:Mine", "..", "x" * 300, "漢" * 99, "clip(lion, at=1)"])
def test_any_label_has_a_directory_of_its_own(tmp_path, label):
    other = label.replace("/", "_") + "_"
    trials = [(tuning(0, label), COMPLETE), (tuning(0, other), COMPLETE)]
    tell(TensorBoardCallback(tmp_path), about(tmp_path), trials)
    found = runs(tmp_path)
    assert len(found) == 2
    assert all(run.count("/") == 1 and run.endswith("/tune-00") for run in found)


def test_no_path_is_refused():
    with pytest.raises(InputError, match="directory=5: a path is needed"):
        TensorBoardCallback(5)
