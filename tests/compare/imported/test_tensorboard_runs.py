import sys

import pytest

from trimtab.compare.imported.outcomes import analyse
from trimtab.compare.imported.tensorboard_runs import is_event_directory, read_event_directory
from trimtab.study.errors import InputError, messages_of

tensorboard = pytest.importorskip("torch.utils.tensorboard", reason="TensorBoard is not installed")


def log(path, course, hparams=None, *, new_style=False, run_name=None):
    with tensorboard.SummaryWriter(str(path)) as writer:
        for step, value in course:
            writer.add_scalar("val/loss", value, step, new_style=new_style)
        writer.add_text("notes", "none")
        if hparams is not None:
            writer.add_hparams(hparams, {"final": course[-1][1]}, run_name=run_name)


@pytest.fixture
def runs(tmp_path):
    """Two optimizers with three seeds each, one of them logged as TensorFlow 2 does, and what has no scalar."""
    place = tmp_path / "logs"
    for optimizer, base in (("adam", 1.0), ("lion", 0.5)):
        for seed in range(3):
            course = [(0, 9.0), (10, base + 0.01 * seed)]
            log(
                place / "digits" / f"{optimizer}-{seed}",
                course,
                {"optimizer": optimizer, "seed": seed, "lr": 1e-3, "nesterov": True},
                new_style=optimizer == "lion",
            )
    with tensorboard.SummaryWriter(str(place / "words")) as writer:
        writer.add_text("notes", "no scalar")
    return place


COLUMNS = {"candidate": "hparams.optimizer", "seed": "hparams.seed", "score": "scalars.val/loss"}


def test_each_directory_of_event_files_is_a_row(runs):
    assert is_event_directory(runs)
    table = read_event_directory(runs)
    assert (table.name, table.stem, len(table.rows)) == ("logs", "logs", 6)
    cells = dict(table.rows[4].cells)
    assert 0 <= float(cells.pop("seconds")) < 300
    assert cells == {
        "run": "digits/lion-1", "path.0": "digits", "path.1": "lion-1", "path.1.name": "lion", "path.1.number": "1",
        "hparams.optimizer": "lion", "hparams.seed": "1", "hparams.lr": "0.001", "hparams.nesterov": "1",
        "scalars.val/loss": "0.51", "history.val/loss": "0:9.0;10:0.51",
        "scalars.final": "0.51", "history.final": "0:0.51",
    }  # fmt: skip


def test_runs_are_analysed_with_their_courses(runs):
    result = analyse(runs, direction="min", curve="history.val/loss", **COLUMNS)
    assert [c.label for c in result.candidates] == ["lion", "adam"]
    assert [point.cost for point in result.trials[0].curve] == [0, 10]
    assert result.candidates[0].loss.mean == pytest.approx(0.51)
    by_path = analyse(runs, direction="min", **COLUMNS | {"candidate": "path.1.name", "seed": "path.1.number"})
    assert [c.loss for c in by_path.candidates] == [c.loss for c in result.candidates]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "lr=0.1,seed=3/version_0",
            {"path.lr": "0.1", "path.seed": "3", "path.1.name": "version", "path.1.number": "0"},
        ),
        ("optim.name=adam/x", {"path.optim.name": "adam"}),
        ("seed12", {"path.0.name": "seed", "path.0.number": "12"}),
        ("2024-05-01/12", {}),
    ],
)
def test_paths_say_what_a_run_is(tmp_path, name, expected):
    log(tmp_path / name, [(0, 1.0)])
    (row,) = read_event_directory(tmp_path).rows
    found = {column: cell for column, cell in row.cells.items() if column.startswith("path.")}
    parts = {f"path.{place}": part for place, part in enumerate(name.split("/"))}
    assert found == parts | expected


def test_runs_that_are_there_twice_are_named_by_their_paths(tmp_path):
    for day in ("monday", "tuesday"):
        for name in ("adam", "lion"):
            log(tmp_path / "logs" / day / name, [(0, 1.0)], {"optimizer": name, "seed": 0})
    with pytest.raises(InputError) as refusal:
        analyse(tmp_path / "logs", direction="min", **COLUMNS)
    assert messages_of(refusal.value) == tuple(
        f"logs, runs monday/{name} and tuesday/{name}, column hparams.seed: {name} is there twice with seed 0"
        for name in ("adam", "lion")
    )


def test_nothing_of_a_long_run_is_left_out_and_the_last_value_of_a_step_counts(tmp_path):
    log(tmp_path, [*((step, 1.0) for step in range(1500)), (1499, 0.25)])
    (row,) = read_event_directory(tmp_path).rows
    assert row.cells["run"] == "."
    points = row.cells["history.val/loss"].split(";")
    assert (len(points), points[-1], row.cells["scalars.val/loss"]) == (1500, "1499:0.25", "0.25")


def test_hyperparameters_of_several_directories_stay_with_these(tmp_path):
    # one writer for all runs, which torch gives a directory each
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        for seed in (1, 2):
            writer.add_hparams({"seed": seed}, {"final": 0.5 * seed}, run_name=f"run{seed}")
    log(tmp_path / "own", [(0, 1.0)], {"seed": 3}, run_name=".")
    rows = [row.cells for row in read_event_directory(tmp_path).rows]
    assert [(cells["run"], cells["hparams.seed"]) for cells in rows] == [("own", "3"), ("run1", "1"), ("run2", "2")]


def test_what_is_none_of_tensorboards_is_refused(tmp_path, monkeypatch):
    assert not is_event_directory(tmp_path)
    with pytest.raises(InputError, match="neither runs of MLflow's nor event files of TensorBoard's"):
        analyse(tmp_path, direction="min")
    assert not is_event_directory("runs.csv")
    file = tmp_path / "events.out.tfevents.1"
    file.touch()
    with pytest.raises(InputError, match="has no run of TensorBoard's with a scalar"):
        read_event_directory(tmp_path)
    file.write_bytes(b"none" * 20)
    with pytest.raises(InputError, match="has no event of TensorBoard's in its event files"):
        read_event_directory(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.plugin_event_accumulator", None)
    with pytest.raises(InputError, match=r"pip install 'trimtab\[tensorboard\]'"):
        analyse(tmp_path, direction="min")
