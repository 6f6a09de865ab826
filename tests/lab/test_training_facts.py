"""What is said of a training task has its numbers."""

from dataclasses import replace

from tests.lab.toy import Toy
from trimtab.lab.measures import STATE_BYTES, STEP_SECONDS, STEPS, TEST_LOSS, TEST_METRIC
from trimtab.lab.training_facts import training_facts
from trimtab.study.metric import Metric

METRIC = Metric("accuracy", "max", 0.97, (0, 1))


def facts(name="digits", reference="digits"):
    samples = {"train": 1077, "validation": 360, "test": 1}
    return training_facts(name, reference, METRIC, samples=samples, parameters=133_898, batch_size=64, budget=12_800)


def test_the_loss_ranks_and_the_metric_is_quoted():
    found = facts()
    assert found.objective == Metric("validation loss", "min")
    assert found.quoted == replace(METRIC, name="validation accuracy")
    assert found.solved is found.quoted
    assert (found.sign, found.rate, found.rate_title) == (1, "lr", "learning rate")


def test_costs_are_sample_gradients():
    cost = facts().cost
    assert (cost.one, cost.many) == ("sample-gradient", "sample-gradients")
    assert cost.explanation == "A sample-gradient is the gradient of one sample's loss: a step on 64 costs 64."
    assert facts().step_cost == 64


def test_sizes_and_sentences_have_the_numbers():
    assert facts().sizes == (
        ("steps a run", "200 × 64 samples"),
        ("parameters", "133,898"),
        ("samples to train on / choose by / test", "1,077 / 360 / 1"),
    )
    assert facts().paragraphs == (
        (
            "Task",
            "digits: 1,077 samples to train on, 360 samples to choose by, 1 sample to test; 133,898 trainable "
            "parameters.",
        ),
    )
    assert facts().length.startswith(
        " and a budget of 12,800 sample-gradients, which is 200 plain steps of 64 samples. A sample-gradient is"
    )
    assert not facts().length.endswith(".")  # the sentence is the report's


def test_a_task_that_is_called_otherwise_on_the_command_line_is_said_to_be():
    ((_, text),) = facts("mine", "task.py:Mine").paragraphs
    assert text.startswith("mine (task.py:Mine): 1,077 samples")


def test_what_is_measured_has_columns_and_prices():
    found = {measure.name: measure for measure in facts().measures}
    assert list(found) == [TEST_LOSS, TEST_METRIC, STEPS, STEP_SECONDS, STATE_BYTES]
    assert [m.heading for m in found.values() if m.in_ranking] == ["test accuracy", "ms a step", "state"]
    assert [m.brief for m in found.values() if m.brief] == ["ms/step", "state"]
    assert [(m.price, m.over) for m in found.values() if m.price] == [("time", "median"), ("memory", "largest")]
    assert [watched.name for watched in facts().watched] == ["learning rate", "batch size"]


def test_a_tasks_own_facts_are_counted_on_it():
    task = Toy()
    found = task.facts("toy.py:Toy", (), None)
    budget = task.steps * task.batch_size
    assert found == task.facts("toy.py:Toy", (), budget)
    assert dict(found.sizes)["steps a run"] == f"{task.steps} × {task.batch_size} samples"
    assert dict(found.sizes)["parameters"] == str(sum(p.numel() for p in task.model(None).parameters()))
    half = task.facts("toy.py:Toy", (), budget // 2)
    assert dict(half.sizes)["steps a run"] == f"{task.steps // 2} × {task.batch_size} samples"
