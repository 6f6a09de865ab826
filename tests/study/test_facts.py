"""Facts are data: they survive JSON, and say which side of which number is the better one."""

import json

import pytest

from tests.report.synthetic import facts as task_facts
from tests.report.third_kind import FACTS as THIRD
from trimtab.lab.commands.problem import command_facts
from trimtab.study.facts import Facts, Measure, Unit, brief
from trimtab.study.metric import Metric

COMMAND = command_facts("train", "train.py", Metric("acc", "max"), source="printed", rate="step", timeout=60.0)
BARE = Facts("f", "f.py:F", Metric("height", "min"), Unit("step"))


@pytest.mark.parametrize("facts", [task_facts(), COMMAND, THIRD, BARE], ids=["task", "command", "third kind", "bare"])
def test_what_json_made_of_facts_is_read_as_the_same(facts):
    read = Facts.from_dict(json.loads(json.dumps(facts.to_dict(), allow_nan=False)))
    assert read == facts
    assert hash(read) == hash(facts)  # tuples are tuples again


@pytest.mark.parametrize(
    ("bounds", "read"), [(None, None), ((0, None), (0, None)), ((None, 1.0), (None, 1.0)), ((0.0, 1.0), (0.0, 1.0))]
)
def test_bounds_and_targets_come_back(bounds, read):
    facts = Facts(
        "f", "f", Metric("height", "max", 0.5, bounds), Unit("step"), quoted=Metric("depth", "min", 2.0, bounds)
    )
    again = Facts.from_dict(json.loads(json.dumps(facts.to_dict())))
    assert (again.objective.bounds, again.objective.target, again.quoted.target) == (read, 0.5, 2.0)


def test_the_sign_is_that_of_the_objective():
    assert [facts.sign for facts in (task_facts(), COMMAND, THIRD, BARE)] == [1, -1, -1, 1]  # accuracy ranks nothing


def test_what_is_solved_is_the_quoted_number_where_it_has_a_target():
    objective, quoted = Metric("height", "max", 3.0), Metric("depth", "min")
    assert Facts("f", "f", objective, Unit("step")).solved is objective
    assert Facts("f", "f", objective, Unit("step"), quoted=quoted).solved is objective
    aimed = Metric("depth", "min", 0.1)
    assert Facts("f", "f", objective, Unit("step"), quoted=aimed).solved is aimed


@pytest.mark.parametrize(
    ("rate", "words", "title"),
    [
        ("lr", "the learning rate", "learning rate"),
        ("step", "", "step"),
        ("theta", "the angle", "angle"),
        (None, "", ""),
    ],
)
def test_the_rate_has_a_title(rate, words, title):
    assert Facts("f", "f", Metric("height", "min"), Unit("step"), rate=rate, rate_words=words).rate_title == title


def test_heads_of_columns_are_brief():
    assert [brief(name) for name in ("validation loss", "acc", "test accuracy")] == ["val loss", "acc", "test accuracy"]


def test_what_is_not_explained_is_shown_of_trials_alone():
    assert not Measure("steps", "steps").in_ranking
    assert Measure("steps", "steps", explanation="How many.").in_ranking


def test_units_are_counted():
    assert (Unit("evaluation").one, Unit("evaluation").many) == ("evaluation", "evaluations")
