"""Studies and comparisons on a Ray cluster, which is started here, once for all of these tests."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest

from tests.compare.test_command_comparison import comparison as command_comparison
from tests.compare.test_command_comparison import losses
from tests.compare.test_comparison import comparison
from tests.study.work import MANIFEST, LoggedWork, MisbehavingWork, fixed, hash_of, judged_by, log_of, points, what
from trimtab.compare.template import write_template
from trimtab.lab.measures import TEST_LOSS
from trimtab.study import running as study
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.executor import Finished
from trimtab.study.ray_executor import RayExecutor
from trimtab.study.running import run_study
from trimtab.study.store import Store

ROOT = Path(__file__).parents[1]


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("trimtab.study.ray_executor.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'trimtab\[ray\]'"):
        RayExecutor(MisbehavingWork())


@pytest.mark.parametrize("arguments", [{"jobs": 0}, {"threads": 0}])
def test_nonsense_is_refused(arguments):
    with pytest.raises(InputError, match="=0: at least one"):
        RayExecutor(MisbehavingWork(), **arguments)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_a_cluster_that_does_not_answer_is_named(address):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'trimtab[ray]'")
    with pytest.raises(InputError, match=f"no contact with Ray at '{address}'"):
        RayExecutor(MisbehavingWork(), address=address).__enter__()


@pytest.fixture(scope="module")
def cluster():
    """Ray, once for all tests here; executors use what is there, and leave it."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'trimtab[ray]'")
    os.environ["PYTHONPATH"] = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"
    with RayExecutor(MisbehavingWork(), jobs=2) as owner:
        yield ray
    assert owner._started_ray is False
    assert not ray.is_initialized()


def test_a_study_runs_every_point_once(cluster, tmp_path):
    log, wanted = tmp_path / "log", points(8)
    with Store(tmp_path, MANIFEST) as store, RayExecutor(LoggedWork(log)) as executor:
        outcomes = run_study(fixed(*wanted), store, executor)
    assert {key: o.loss for key, o in outcomes.items()} == {p.key: hash_of(p.key) % 1000 / 1000 for p in wanted}
    assert log_of(log)[0] == Counter(p.key for p in wanted)
    assert cluster.is_initialized()  # it was there before


def at_work(log):
    """Process ids of workers that have started a trial and not ended it."""
    lines = [line.split() for line in log.read_text().splitlines()]
    ended = {(key, process) for what, key, process in lines if what == "end"}
    return {int(process) for what, key, process in lines if what == "start" and (key, process) not in ended}


def test_workers_that_are_killed_lose_only_what_they_ran(cluster, tmp_path):
    log, wanted, killed = tmp_path / "log", points(10), []

    class Killer:
        def planned(self, points, outcomes): ...

        def started(self, point): ...

        def reported(self, point, cost, loss): ...

        def finished(self, point, outcome):
            while len(killed) < 2:  # once after each of the first two
                if running := at_work(log) - set(killed):
                    killed.append(running.pop())
                    os.kill(killed[-1], signal.SIGKILL)
                    return
                time.sleep(0.02)

    with Store(tmp_path, MANIFEST) as store, RayExecutor(LoggedWork(log, 0.3)) as executor:
        outcomes = run_study(fixed(*wanted), store, executor, observer=Killer())
    assert {key: o.loss for key, o in outcomes.items()} == {p.key: hash_of(p.key) % 1000 / 1000 for p in wanted}
    starts, _ = log_of(log)
    assert 10 < sum(starts.values()) <= 12


def test_trials_that_raise_or_kill_their_worker_are_recorded(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "ATTEMPTS", 2)
    with Store(tmp_path, MANIFEST) as store, RayExecutor(MisbehavingWork()) as executor:
        outcomes = run_study(fixed(*what("raise", "die", "work")), store, executor)
    raised, died, fine = (outcomes[f"toy/tune/a/{i}"] for i in range(3))
    assert raised.status == died.status == "failed"
    assert "RuntimeError: deliberate" in raised.error
    assert "its Ray worker died (WorkerCrashedError" in died.error
    assert "tried 2 times" in died.error
    assert fine.status == "complete"


def test_a_machine_that_can_run_nothing_ends_the_study_and_is_no_trials_fault(cluster, tmp_path):
    with Store(tmp_path, MANIFEST) as store, RayExecutor(MisbehavingWork()) as executor:
        with pytest.raises(UnfitWorkerError, match="there is no task here"):
            run_study(fixed(*what("unfit")), store, executor)
        assert store.outcomes() == {}


def test_a_pruner_gives_up_hopeless_trials(cluster, tmp_path):
    with Store(tmp_path, MANIFEST) as store, RayExecutor(MisbehavingWork(), answers=True) as executor:
        judge = judged_by(store, optuna.pruners.ThresholdPruner(upper=10.0))
        outcomes = run_study(fixed(*what("work", "ask")), store, executor, hopeless=judge)
    assert [outcomes[f"toy/tune/a/{i}"].status for i in range(2)] == ["complete", "pruned"]


def test_waiting_ends_when_it_is_told_to(cluster, tmp_path):
    with RayExecutor(LoggedWork(tmp_path / "log", 0.5), jobs=1) as executor:
        assert executor.wait(0.01) == []
        (point,) = points(1)
        executor.submit(point)
        assert executor.free == 0
        (event,) = executor.wait(30)
        assert isinstance(event, Finished)
        assert executor.free == 1


def test_a_comparison_is_the_comparison_on_local_workers(cluster, tmp_path):
    path = tmp_path / "task.py"
    task = f"{path}:{write_template(path)}"
    expected = comparison(task, tmp_path / "local", jobs=2).run()
    result = comparison(task, tmp_path / "ray", executor="ray", jobs=2).run()
    assert [(t.key, t.loss, t.measures.get(TEST_LOSS)) for t in result.trials] == [
        (t.key, t.loss, t.measures.get(TEST_LOSS)) for t in expected.trials
    ]


def test_commands_are_the_commands_on_local_workers(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Ray's workers are somewhere else, where the cluster was started
    line, place = "sh train.sh {optimizer} {lr} {seed} {trial}", "{trial}.json:loss"
    (tmp_path / "train.sh").write_text("echo '{\"loss\": '$2$3'}' > $4.json")
    options = {"line": line, "metric": None, "metric_file": place, "tune": ["lr=0..1"]}
    expected = command_comparison(**options).run()
    result = command_comparison(**options, out="ray", executor="ray").run()
    assert losses(result) == losses(expected)
    assert {trial.status for trial in result.trials} == {"complete"}
    assert len(list((tmp_path / "ray" / "trials").iterdir())) == 2 * (2 + 2)


UNDER_CONTROL_C = """
import signal, sys
from pathlib import Path
from tests.study.work import MANIFEST, LoggedWork, fixed, points
from trimtab.study.ray_executor import RayExecutor
from trimtab.study.store import Store
from trimtab.study.running import run_study

signal.signal(signal.SIGINT, signal.default_int_handler)
directory = Path(sys.argv[1])
try:
    with Store(directory, MANIFEST) as store, RayExecutor(LoggedWork(directory / "log", 30.0), jobs=1) as executor:
        run_study(fixed(*points(2)), store, executor)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_control_c_ends_trials_and_prints_nothing(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'trimtab[ray]'")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-c", UNDER_CONTROL_C, tmp_path],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    log = tmp_path / "log"
    deadline = time.monotonic() + 90
    while not log.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert output == ""
    worker = int(log.read_text().split()[2])
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
