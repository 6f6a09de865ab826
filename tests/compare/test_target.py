from dataclasses import replace

import pytest

from trimtab.compare.target import Target
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.training_facts import training_facts
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome


def facts(target=None):
    metric = Metric("accuracy", "max", target)
    return training_facts("toy", "toy", metric, samples={}, parameters=1, batch_size=1, budget=1)


def run(*losses):
    return Outcome("complete", curve=tuple(CurvePoint(10 * i, None, loss, 1 - loss) for i, loss in enumerate(losses)))


def test_the_target_of_the_task_is_one_of_its_metric():
    target = Target(facts(0.7), [0.1], "adamw")
    assert target.words == "validation accuracy >= 0.7"
    assert target.costs([run(0.9, 0.3, 0.1), run(0.9, 0.4), run(0.2)]) == [10.0, 0.0]


@pytest.mark.parametrize(
    ("ends", "level", "reached"), [([0.1, 0.3, 0.9], "0.3", 2), ([0.1, 0.2, 0.3, 9.0], "0.3", 3), ([0.5], "0.5", 1)]
)
def test_without_one_more_than_half_of_the_references_runs_reach_it(ends, level, reached):
    target = Target(facts(), ends, "adamw")
    assert target.words == f"validation loss <= {level}, the median at which adamw ends"
    assert len(target.costs([run(10.0, end) for end in ends])) == reached > len(ends) / 2


def test_of_a_command_whose_metric_is_to_be_large_the_target_is_turned_back():
    facts = command_facts("train", "train.py", Metric("accuracy", "max"), source="", rate=None, timeout=None)
    target = Target(facts, [-0.9, -0.8, -0.2], "adamw")
    assert target.words == "accuracy >= 0.8, the median at which adamw ends"
    assert target.costs([run(0.0, -0.85), run(0.0, -0.7)]) == [10.0]


@pytest.mark.parametrize("status", ["diverged", "failed"])
@pytest.mark.parametrize("target", [Target(facts(0.7), [0.1], "adamw"), Target(facts(), [0.3], "adamw")])
def test_a_run_that_did_not_come_to_its_end_reaches_nothing(target, status):
    touched = replace(run(0.9, 0.1, 5.0), status=status)
    assert target.costs([touched, run(0.9, 0.1, 0.2), touched]) == [10.0]


def test_a_reference_without_complete_runs_sets_none():
    target = Target(facts(), None, "adamw")
    assert target.words == "none: the reference has no complete runs"
    assert target.costs([run(0.0)]) == []


@pytest.mark.parametrize("level", [None, 0.7])
def test_a_lucky_look_on_the_way_reaches_nothing_where_only_the_last_tells_the_truth(level):
    lucky, good = run(0.9, 0.1, 0.8), run(0.9, 0.8, 0.2)
    before, at_end = (Target(replace(facts(level), true_at_end=last), [0.3], "tpe") for last in (False, True))
    assert before.costs([lucky, good]) == [10.0, 20.0]
    assert at_end.costs([lucky, good]) == [20.0]
