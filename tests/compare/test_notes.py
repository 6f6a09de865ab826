"""Facts of stores: as they were written down, or made of what trimtab 0.1 wrote."""

import json
from types import SimpleNamespace

import pytest

from trimtab.compare.notes import stored_facts
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.training_facts import training_facts
from trimtab.study.metric import Metric

PLAN = SimpleNamespace(budget=1920)
TASK = {
    "name": "mine", "reference": "task.py:Mine", "metric": "accuracy", "direction": "max", "target": 0.97,
    "samples": {"train": 341, "validation": 114, "test": 113}, "parameters": 513, "batch_size": 32, "kind": "task",
    "metric_source": "", "rate": "lr", "timeout": None, "bounds": [0, 1],
}  # fmt: skip
COMMAND = {
    "name": "train", "reference": "python train.py", "metric": "val_acc", "direction": "max", "target": None,
    "samples": {}, "parameters": None, "batch_size": None, "kind": "command", "metric_source": "the last number",
    "rate": "learning_rate", "timeout": 60.0, "bounds": None,
}  # fmt: skip


def test_facts_that_were_written_down_are_read():
    facts = command_facts("train", "x", Metric("err", "min"), source="s", rate=None, timeout=None)
    assert stored_facts(PLAN, json.loads(json.dumps({"facts": facts.to_dict(), "task": TASK}))) == facts


def test_facts_of_a_task_of_before():
    found = stored_facts(PLAN, {"task": TASK})
    assert found == training_facts(
        "mine",
        "task.py:Mine",
        Metric("accuracy", "max", 0.97, (0, 1)),
        samples={"train": 341, "validation": 114, "test": 113},
        parameters=513,
        batch_size=32,
        budget=1920,
    )
    assert (found.objective.name, found.sign, found.step_cost, found.rate) == ("validation loss", 1, 32, "lr")
    assert found.quoted == Metric("validation accuracy", "max", 0.97, (0, 1))
    assert dict(found.sizes)["steps a run"] == "60 × 32 samples"
    assert found.paragraphs[0][1].startswith("mine (task.py:Mine): 341 samples to train on")


@pytest.mark.parametrize("later", ["kind", "metric_source", "rate", "timeout", "bounds"])
def test_a_task_from_before_there_were_commands(later):
    notes = {name: value for name, value in {**TASK, "bounds": None}.items() if name != later}
    assert stored_facts(PLAN, {"task": notes}) == stored_facts(PLAN, {"task": {**TASK, "bounds": None}})


@pytest.mark.parametrize(("direction", "sign", "side"), [("max", -1, "higher"), ("min", 1, "lower")])
def test_facts_of_commands_of_before(direction, sign, side):
    found = stored_facts(SimpleNamespace(budget=None), {"task": {**COMMAND, "direction": direction}})
    assert (found.objective, found.quoted, found.sign) == (Metric("val_acc", direction), None, sign)
    assert (found.rate, found.rate_title, found.cost.many) == ("learning_rate", "learning_rate", "reported values")
    assert found.step_cost is None
    assert found.sizes == (("time-out", "60 s a run"),)
    assert found.paragraphs == (
        ("Command", "python train.py"),
        ("Metric", f"val_acc, {side} is better: the last number."),
    )
    assert found.length.endswith("more than 60 seconds has failed")
