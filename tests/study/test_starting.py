"""Worker processes begin as if each had been started by itself."""

import gc
import math
import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.study.comparing import compare_commands
from trimtab.lab.work import TrainingWork
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.executor import Finished
from trimtab.study.local_executor import MOST_DEAD, LocalExecutor
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point

VARIABLE = "TRIMTAB_TEST_VARIABLE"
changed = []


def what_is_there(point, report):
    shared = Path(f"/proc/{os.getppid()}/maps")
    found = {
        "variable": float(os.environ.get(VARIABLE, "nan")),
        "threads": torch.get_num_threads(),
        "seed": torch.initial_seed(),
        "draws": np.random.random(),  # noqa: NPY002 - whether this generator, which tasks use, is seeded anew
        "cuda": torch.cuda.is_initialized(),
        "changed": len(changed),
        "doubles": torch.get_default_dtype() == torch.float64,
        "parent": os.getppid(),
        "torch": shared.is_file() and "libtorch" in shared.read_text(),
        "collected": any(each is torch for each in gc.get_objects()),
    }
    return Outcome("complete", 0.0, measures={name: float(value) for name, value in found.items()})


class Training(TrainingWork):
    """Work of a function, for which workers prepare as for training."""

    def __init__(self, function):
        self.function = function

    def __call__(self, point, report):
        return self.function(point, report)


def seen(jobs=1):
    points = [Point("toy", "tune", "a", index, {}, seed=0) for index in range(jobs)]
    found = []
    with LocalExecutor(Training(what_is_there), jobs=jobs, threads=3) as executor:
        while executor.free < jobs:
            executor.wait()
        for point in points:  # each worker gets one
            executor.submit(point)
        while len(found) < jobs:
            found += [event.outcome.measures for event in executor.wait() if isinstance(event, Finished)]
    return found


def test_workers_see_the_variables_of_now(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert math.isnan(seen()[0]["variable"])
    monkeypatch.setenv(VARIABLE, "5")
    assert seen()[0]["variable"] == 5
    monkeypatch.delenv(VARIABLE)
    assert math.isnan(seen()[0]["variable"])


def test_workers_inherit_nothing_that_was_done_here(monkeypatch):
    (first,) = seen()
    monkeypatch.setattr(sys.modules[__name__], "changed", [1])
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        one, other = seen(2)
    finally:
        torch.set_default_dtype(torch.float32)
    for name in ("threads", "cuda", "changed", "doubles"):
        assert one[name] == other[name] == first[name]
    assert (first["threads"], first["changed"], first["cuda"], first["doubles"]) == (3, 0, 0, 0)


def test_what_tasks_draw_without_a_seed_differs_from_worker_to_worker():
    one, other = seen(2)
    for name in ("seed", "draws"):
        assert one[name] != other[name]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker imports torch itself")
def test_torch_is_imported_once_for_all_workers():
    one, other = seen(2)
    assert one["parent"] == other["parent"] != os.getpid()
    assert one["torch"] == other["torch"] == 1
    # no worker looks for garbage in what it shares, which would copy it
    assert one["collected"] == other["collected"] == 0


PLAIN_THEN_TRAINING = """
import sys
sys.path.insert(0, {here!r})
from work_of_a_test import Plain, Training, seen

if __name__ == "__main__":
    print(seen(Plain()), seen(Training()), seen(Plain()))
"""

WORK = """
import sys
from trimtab.lab.work import NEEDED
from trimtab.study.executor import Finished
from trimtab.study.local_executor import MOST_DEAD, LocalExecutor
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point


class Plain:
    modules = ("json",)

    def __call__(self, point, report):
        return Outcome("complete", 0.0, measures={"torch": float("torch" in sys.modules)})


class Training(Plain):
    modules = NEEDED


def seen(work):
    with LocalExecutor(work, jobs=1) as executor:
        while not executor.free:
            executor.wait()
        executor.submit(Point("toy", "tune", "a", 0, {}, seed=0))
        while True:
            for event in executor.wait():
                if isinstance(event, Finished):
                    return event.outcome.measures["torch"]
"""


def test_workers_import_what_their_work_needs_and_no_more(tmp_path):
    (tmp_path / "work_of_a_test.py").write_text(WORK)
    (tmp_path / "program.py").write_text(PLAIN_THEN_TRAINING.format(here=str(tmp_path)))
    done = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=True)
    linux = sys.platform == "linux"  # where the third worker is forked from what has imported torch for the second
    assert done.stdout.split() == ["0.0", str(float(linux)), str(float(linux))]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such process")
def test_workers_outlive_the_process_that_they_were_forked_from_and_are_replaced_without_it():
    point = Point("toy", "tune", "a", 0, {}, seed=0)
    with LocalExecutor(Training(what_is_there), jobs=1, threads=1) as executor:
        while not executor.free:
            executor.wait()
        os.kill(multiprocessing.forkserver._forkserver._forkserver_pid, signal.SIGKILL)
        first = finished(executor, point)
        (worker,) = executor.process_ids
        os.kill(worker, signal.SIGKILL)
        while executor.process_ids == [worker] or not executor.free:
            executor.wait()
        second = finished(executor, point)
    assert first["threads"] == second["threads"] == 1
    assert first["parent"] != second["parent"]


def test_a_start_that_nobody_answers_is_tried_again(monkeypatch):
    """As where the process that workers are forked from was killed, and is not dead yet."""
    monkeypatch.setattr("trimtab.study.local_executor._DYING", 0.0)
    start, refused = LocalExecutor._start_once, [ConnectionRefusedError, EOFError]

    def refusing(executor, visible):
        if refused:
            raise refused.pop()
        return start(executor, visible)

    monkeypatch.setattr(LocalExecutor, "_start_once", refusing)
    with LocalExecutor(Training(what_is_there), jobs=1, threads=1) as executor:
        while not executor.free:
            executor.wait()
        assert finished(executor, Point("toy", "tune", "a", 0, {}, seed=0))["threads"] == 1
    refused[:] = [ConnectionRefusedError] * 100
    with pytest.raises(ConnectionRefusedError), LocalExecutor(Training(what_is_there), jobs=1, threads=1):
        pass


class EndsAtOnce:
    """Ends so many workers before they can begin: by a signal, or with an exit code."""

    modules = ()

    def __init__(self, directory, times, number=None):
        self.directory, self.times, self.number = directory, times, number

    def begin(self, threads):
        if len(list(self.directory.iterdir())) < self.times:
            (self.directory / str(os.getpid())).touch()
            if self.number is None:
                os._exit(3)
            os.kill(os.getpid(), self.number)

    def __call__(self, point, report):
        return Outcome("complete", 0.0)


def wait_for_worker(executor):
    while not executor.free:
        executor.wait()


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, r"was killed by signal 9 \(SIGKILL\)"), (None, "ended with exit code 3")]
)
def test_workers_that_end_before_they_can_begin_are_not_replaced_for_ever(tmp_path, number, words):
    work = EndsAtOnce(tmp_path, 3 * MOST_DEAD, number)
    with LocalExecutor(work, jobs=1, threads=1) as executor, pytest.raises(UnfitWorkerError, match=words):
        wait_for_worker(executor)
    assert len(list(tmp_path.iterdir())) == MOST_DEAD


def test_a_worker_that_begins_shows_that_others_may(tmp_path):
    with LocalExecutor(EndsAtOnce(tmp_path, MOST_DEAD - 1, signal.SIGKILL), jobs=1, threads=1) as executor:
        for _ in range(2):  # more than too many, but not in a row
            wait_for_worker(executor)
            begun = executor.process_ids
            for ended in tmp_path.iterdir():
                ended.unlink()
            os.kill(begun[0], signal.SIGKILL)
            while executor.process_ids == begun:
                executor.wait()


def finished(executor, point):
    executor.submit(point)
    while True:
        for event in executor.wait():
            if isinstance(event, Finished):
                return event.outcome.measures


def works_with_a_loader(point, report):
    loader = torch.utils.data.DataLoader(torch.arange(4.0), batch_size=2, num_workers=2)
    return Outcome("complete", 0.0, measures={"sum": float(sum(batch.sum() for batch in loader)), "way": own_way()})


def own_way():
    """The number of the way in which processes come to be here."""
    return multiprocessing.get_all_start_methods().index(multiprocessing.get_start_method())


def test_a_worker_may_load_batches_in_processes_of_its_own():
    with LocalExecutor(Training(works_with_a_loader), jobs=1, threads=1) as executor:
        while not executor.free:
            executor.wait()
        assert finished(executor, Point("toy", "tune", "a", 0, {}, seed=0)) == {"sum": 6.0, "way": own_way()}


PROGRAM = """
import sys
from tests.study.comparing import compare_commands
print([candidate.rank for candidate in compare_commands({out!r}).candidates], "torch" in sys.modules)
"""


def ran(command, program, tmp_path):
    text = PROGRAM.format(out=str(tmp_path / "out"))
    if program:
        program.write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        command,
        input=None if program else text,
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )


def test_a_program_on_standard_input_may_compare_commands_and_imports_no_torch(tmp_path):
    done = ran([sys.executable, "-"], None, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[1, 1] False\n"


def test_a_script_that_does_its_work_when_it_is_imported_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    done = ran([sys.executable, str(script)], script, tmp_path)
    assert done.returncode == 1
    assert "InputError: workers import the script that starts them" in done.stderr
    assert "in use by another" not in done.stderr
    assert done.stderr.strip().endswith("because workers import that script.")


def test_a_process_that_may_have_no_children_says_so(tmp_path):
    refusal = pytest.raises(InputError, match=r"^SpawnPoolWorker-\d+ is a daemonic process, .* may start no workers")
    with multiprocessing.get_context("spawn").Pool(1) as pool, refusal:
        pool.apply(compare_commands, (tmp_path / "out",))
    assert not (tmp_path / "out").exists()
