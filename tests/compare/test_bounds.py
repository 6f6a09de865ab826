import json

import pytest

from trimtab.compare.bounds import Ranges
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.training_facts import training_facts
from trimtab.study.facts import Facts
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome


def facts(metric="accuracy", direction="max", bounds=None):
    quoted = Metric(metric, direction, bounds=bounds)
    return training_facts("toy", "toy", quoted, samples={}, parameters=1, batch_size=1, budget=1)


def facts_of_commands(metric, direction, bounds=None):
    found = Metric(metric, direction, bounds=bounds)
    return command_facts("train", "train.py", found, source="", rate=None, timeout=None)


def outcome(loss, metric):
    return Outcome("complete", loss, metric)


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("accuracy", [0.2, 1.0], (0, 1)),
        ("val_acc", [0.2, 0.9], (0, 1)),
        ("cell accuracy", [20.0, 97.0], (0, 100)),
        ("ROC-AUC", [0.5, 0.9], (0, 1)),
        ("F1", [0.0, 1.0], (0, 1)),
        ("accuracy", [20.0, 120.0], (0, None)),  # something else that is called so
        ("R²", [0.4, 0.5], (None, 1)),
        ("r2", [-3.0, 0.5], (None, 1)),
        ("bits per byte", [2.0, 8.0], (0, None)),
        ("improvement", [-1.0, 2.0], (None, None)),
        ("neg_rmse", [-1.0, -2.0], (None, 0)),
        ("backoff", [0.5, 0.9], (0, None)),  # the letters "acc" or "ap" in a word are not the word
    ],
)
def test_metrics_are_known_by_their_names_and_values(metric, values, expected):
    assert Ranges.of(facts(metric), [outcome(1.0, value) for value in values]).metric == expected


def test_what_a_task_states_counts_unless_a_value_contradicts():
    stated = facts("score", bounds=(0, 10))
    assert Ranges.of(stated, [outcome(1.0, 3.0)]).metric == (0, 10)
    assert Ranges.of(stated, [outcome(1.0, 11.0)]).metric == (0, None)
    assert Ranges.of(facts("accuracy", bounds=(None, None)), [outcome(1.0, 0.5)]).metric == (None, None)
    # as it comes back from a store
    stored = Facts.from_dict(json.loads(json.dumps(stated.to_dict())))
    assert Ranges.of(stored, [outcome(1.0, 3.0)]).metric == (0, 10)


def test_losses_are_bounded_by_zero_where_none_was_ever_negative():
    below = Outcome("complete", 1.0, 0.5, curve=(CurvePoint(0, None, -0.1, 0.5),))
    assert Ranges.of(facts(), [outcome(1.0, 0.5)]).loss == (0, None)
    assert Ranges.of(facts(), [outcome(1.0, 0.5), below]).loss == (None, None)
    assert Ranges.of(facts(), []).loss == (0, None)


def test_a_commands_loss_is_its_metric_with_a_sign():
    more = Ranges.of(facts_of_commands("accuracy", "max"), [outcome(-0.9, 0.9)])
    assert (more.metric, more.loss, more.span) == ((0, 1), (-1, 0), 1)
    less = Ranges.of(facts_of_commands("error", "min", (0, 1)), [outcome(0.1, 0.1)])
    assert (less.metric, less.loss, less.span) == ((0, 1), (0, 1), 1)
    open_ended = Ranges.of(facts_of_commands("rmse", "min"), [outcome(3.0, 3.0)])
    assert (open_ended.loss, open_ended.span) == ((0, None), None)
    assert Ranges.of(facts(), [outcome(1.0, 0.5)]).span is None  # a task's loss is not its accuracy
