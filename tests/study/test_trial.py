"""What goes wrong in a trial is its outcome, and what its machine lacks is not."""

import sys

import pytest

from tests.study.work import points
from trimtab.study.errors import UnfitWorkerError
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.trial import attempt


def leaves(point, report):
    sys.exit("there is no data set here")


@pytest.mark.parametrize("code", ["there is no data set here", 0, None])
def test_a_trial_that_ends_the_program_has_failed_whatever_its_exit_code(code):
    outcome = attempt(lambda point, report: sys.exit(code), points(1)[0], lambda cost, loss: False)
    assert outcome.status == "failed"
    assert outcome.error.startswith("Traceback")
    assert outcome.error.splitlines()[-1].startswith("SystemExit" if code is None else f"SystemExit: {code}")


def test_its_worker_lives_on_and_runs_it_once():
    with LocalExecutor(leaves, jobs=1, threads=1) as executor:
        while not executor.free:
            executor.wait()
        (before,) = executor.process_ids
        executor.submit(points(1)[0])
        (event,) = executor.wait(60)
        assert "SystemExit: there is no data set here" in event.outcome.error
        assert (executor.free, executor.process_ids) == (1, [before])


def test_a_worker_that_can_run_nothing_says_so():
    def work(point, report):
        raise UnfitWorkerError("there is no task here")

    with pytest.raises(UnfitWorkerError, match="there is no task here"):
        attempt(work, points(1)[0], lambda cost, loss: False)
