"""What a worker does with a point of a comparison."""

import sys

import pytest

from tests.lab.toy import Toy
from trimtab import Comparison
from trimtab.catalog.candidates import parse_candidates
from trimtab.compare import WORKERS_OF_TASKS
from trimtab.compare.work import Work
from trimtab.lab.problem import Workplace
from trimtab.study.errors import UnfitWorkerError
from trimtab.study.point import Point


def test_a_machine_without_the_tasks_file_is_named_and_no_trial_has_failed(tmp_path):
    (adamw,) = parse_candidates("adamw")
    work = Work({"task": f"{tmp_path / 'task.py'}:Task"}, {"adamw": adamw}, {"task": 10}, Workplace(tmp_path))
    with pytest.raises(UnfitWorkerError, match=r"where a trial was to run: there is no file .*task\.py"):
        work(Point("task", "tune", "adamw", 0, {"lr": 0.1}, seed=0), lambda cost, loss: False)


def test_a_candidate_that_ends_the_program_when_it_is_tried_cannot_run(tmp_path):
    class Leaving(Toy):
        def attempt(self, build, point, *, budget, place):
            sys.exit("there is no data set here")

    (adamw,) = parse_candidates("adamw")
    work = Work({"toy": Leaving()}, {"toy": {"adamw": adamw}}, {"toy": 10}, Workplace(tmp_path))
    outcome = work(Point("toy", "check", "adamw", 0, {"lr": 0.1}, seed=0), lambda cost, loss: False)
    assert (outcome.status, outcome.error) == ("failed", "SystemExit: there is no data set here")


def test_workers_of_tasks_find_the_catalogue_imported_and_the_command_line_prepares_the_same(tmp_path):
    modules = set(Comparison("digits", "adamw", tmp_path).work().modules)
    assert "trimtab.catalog.candidates" in modules
    assert modules <= set(WORKERS_OF_TASKS)
