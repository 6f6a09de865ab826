import pytest

from trimtab.compare.imported.mlflow_runs import is_tracking_directory, read_tracking_directory
from trimtab.compare.imported.outcomes import analyse
from trimtab.study.errors import InputError


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def mlruns(tmp_path):
    """As MLflow's file store writes them: two optimizers with three seeds each, and a run that failed."""
    place = tmp_path / "mlruns"
    experiment = place / "17"
    write(experiment / "meta.yaml", "artifact_location: x\nexperiment_id: '17'\nname: digits\n")
    number = 0
    for optimizer, base in (("adam", 1.0), ("lion", 0.5)):
        for seed in range(3):
            run = experiment / f"{number:032x}"
            write(run / "meta.yaml", f"run_name: quick-{number}\nstatus: 3\nstart_time: 1000\nend_time: 3500\n")
            write(run / "params" / "optimizer", optimizer)
            write(run / "params" / "seed", f"{seed}\n")
            write(run / "tags" / "mlflow.user", "somebody")
            write(run / "metrics" / "val" / "loss", f"1 9.0 0\n2 {base + 0.01 * seed} 10\n")
            number += 1
    failed = experiment / "failed"
    write(failed / "meta.yaml", "run_name: broken\nstatus: 4\nstart_time: 1\nend_time: null\n")
    return place


COLUMNS = {"candidate": "params.optimizer", "seed": "params.seed", "score": "metrics.val/loss"}


def test_each_finished_run_is_a_row(mlruns):
    assert is_tracking_directory(mlruns)
    table = read_tracking_directory(mlruns)
    assert (table.name, len(table.rows)) == ("mlruns", 6)
    assert table.left_out == "1 run that is not finished"
    assert table.rows[4].cells == {
        "experiment": "digits", "run": "quick-4", "run_id": f"{4:032x}", "seconds": "2.5",
        "params.optimizer": "lion", "params.seed": "1", "tags.mlflow.user": "somebody",
        "metrics.val/loss": "0.51", "history.val/loss": "0:9.0;10:0.51",
    }  # fmt: skip


def test_a_run_that_was_deleted_is_none(mlruns):
    meta = mlruns / "17" / f"{4:032x}" / "meta.yaml"
    write(meta, meta.read_text("utf-8") + "lifecycle_stage: deleted\n")
    table = read_tracking_directory(mlruns)
    assert len(table.rows) == 5
    assert "quick-4" not in [row.name for row in table.rows]
    assert table.left_out == "1 run that is not finished"


def test_runs_are_analysed_with_their_courses(mlruns):
    result = analyse(mlruns, direction="min", curve="history.val/loss", **COLUMNS)
    assert [c.label for c in result.candidates] == ["lion", "adam"]
    ((_, source),) = result.problem.paragraphs
    assert source.endswith("Left out: 1 run that is not finished.")
    assert [point.cost for point in result.trials[0].curve] == [0, 10]
    assert result.candidates[0].loss.mean == pytest.approx(0.51)


def test_what_file_managers_leave_behind_is_no_parameter(mlruns):
    known = read_tracking_directory(mlruns)
    run = mlruns / "17" / f"{1:032x}"
    for kind in ("params", "metrics"):
        (run / kind / ".DS_Store").write_bytes(b"\0\xff")
    assert read_tracking_directory(mlruns) == known
    (run / "params" / "broken").write_bytes(b"\xff")
    with pytest.raises(InputError, match="broken cannot be read: 'utf-8' codec"):
        read_tracking_directory(mlruns)


def test_what_is_none_of_mlflows_is_refused(tmp_path, mlruns):
    assert not is_tracking_directory(tmp_path / "mlruns" / "17" / f"{1:032x}")
    assert not is_tracking_directory("runs.csv")
    broken = mlruns / "17" / f"{1:032x}" / "metrics" / "val" / "loss"
    broken.write_text("1 good 3\n")
    with pytest.raises(InputError, match="loss, line 1: a time, a value and a step are needed, got '1 good 3'"):
        read_tracking_directory(mlruns)
    (mlruns / "17" / "meta.yaml").write_text("- a list\n")
    with pytest.raises(InputError, match=r"meta\.yaml is no file of MLflow's"):
        read_tracking_directory(mlruns)
    empty = tmp_path / "empty"
    write(empty / "0" / "meta.yaml", "name: Default\n")
    with pytest.raises(InputError, match="has no run of MLflow's that is finished"):
        read_tracking_directory(empty)
