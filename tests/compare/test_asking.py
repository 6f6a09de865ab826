"""What is asked for is looked at before anything runs."""

import re

import pytest

from tests.compare.test_comparison import comparison
from trimtab.compare.comparison import Comparison
from trimtab.compare.template import write_template
from trimtab.study.errors import InputError


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "task.py"
    return f"{path}:{write_template(path)}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": "lin"}, "did you mean lion"),
        ({"candidates": "lion(betas=(0.9, 2.0))"}, r"cannot be built: betas\[1\]=2.0 must lie in"),
        ({"reference": "sgd"}, "reference='sgd' is not among the candidates"),
        ({"pruner": "medium"}, "did you mean median"),
        ({"jobs": 0}, "jobs=0"),
        ({"trials": 0}, "trials=0"),
        ({"steps": 0}, "steps=0"),
        ({"budget": "20m"}, "nothing to choose"),
        ({"budget": "20"}, "--budget 20m is the time for the whole comparison"),
        ({"task": "digts"}, "unknown problem 'digts'"),
    ],
)
def test_bad_input_is_named_before_anything_is_written(task, tmp_path, change, message):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=message):
        comparison(**{"task": task, "out": out, **change})
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"executor": "raye"}, "executor='raye'.*ray"),
        ({"ray_address": "auto"}, "only of use with executor='ray'"),
        ({"store": "runs/digits"}, "store='runs/digits' is not the URL of a database"),
    ],
)
def test_places_that_cannot_work_are_refused(task, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        comparison(task, tmp_path, **arguments)


@pytest.mark.parametrize("reference", ["sgd(lr=1e-3)", "sgd( lr = 0.001 )", "sgd(lr=0.001)"])
def test_a_reference_may_be_written_as_a_candidate_is(tmp_path, reference):
    made = Comparison("diabetes", "adamw,sgd(lr=1e-3)", tmp_path, reference=reference)
    assert made.reference == "sgd(lr=0.001)"


@pytest.mark.parametrize("reference", ["sgd(lr=2e-3)", "sgd,adamw", "sgd(", "nobody", ""])
def test_a_reference_that_is_no_candidate_is_named_as_it_is_written(tmp_path, reference):
    with pytest.raises(InputError, match=f"reference='{re.escape(reference)}' is not among the candidates"):
        Comparison("diabetes", "adamw,sgd(lr=1e-3)", tmp_path, reference=reference)
