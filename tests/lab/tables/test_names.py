"""What a problem is called that is made of a table."""

import pytest

from tests.lab.tables.tables import houses, write
from trimtab import Comparison, TableTask
from trimtab.lab.loading import load_task

LONG = [f"measurement {number}" for number in range(20)]


@pytest.fixture
def table(tmp_path):
    numbers = {name: [(7 + row) * (place + 3) % 17 / 2 for row in range(100)] for place, name in enumerate(LONG)}
    return write(tmp_path / "lab.csv", {**houses(100), **numbers})


def test_many_columns_may_be_left_out(table, tmp_path):
    task = TableTask(table, "price", drop=LONG, split_seed=2)
    assert Comparison(task, "adamw,sgd", out=tmp_path / "out").first.plan.problem == task.name
    assert task.name.startswith("lab-price(choices ")
    again = load_task(task.reference)
    assert (again.name, again.understood.dropped, again.definition()) == (task.name, tuple(LONG), task.definition())
    paragraphs = dict(task.facts("", (), None).paragraphs)
    assert f"({table}(target=price, drop='{','.join(LONG)}', split_seed=2))" in paragraphs["Task"]
    assert paragraphs["Choices"] == f"{task.name} is short for the choices (drop='{','.join(LONG)}', split_seed=2)."


def test_other_choices_have_another_name_however_long_they_are(table):
    choices = [
        {"drop": LONG[:8]},
        {"drop": LONG[:9]},
        {"drop": LONG[:8], "split_seed": 1},
        {"categories": LONG[:8]},
        {"drop": LONG[:8], "categories": LONG[8:]},
        {"drop": LONG[:8], "metric": "rmse"},
    ]
    names = [TableTask(table, "price", **each).name for each in choices]
    assert len(set(names)) == len(choices)
    assert TableTask(table, "price", **choices[0]).name == names[0]


def test_short_choices_stand_in_the_name(table):
    task = TableTask(table, "price", drop=LONG[:3])
    assert task.name == "lab-price(drop='measurement 0,measurement 1,measurement 2')"
    assert "Choices" not in dict(task.facts("", (), None).paragraphs)
    assert "Choices" not in dict(TableTask(table, "price").facts("", (), None).paragraphs)


def test_a_column_whose_name_has_two_lines_may_be_left_out(tmp_path):
    table = write(tmp_path / "lab.csv", {**houses(100), "size\nnet": list(range(7, 107))})
    assert Comparison(TableTask(table, "price", drop="size\nnet"), "adamw,sgd", out=tmp_path / "out").first


def test_a_table_with_a_long_name_and_many_choices_can_be_pruned(tmp_path):
    table = write(tmp_path / f"{'a_long_name_' * 6}.csv", {**houses(100), "state of it": houses(100)["state"]})
    task = TableTask(table, "price", drop=["state of it", "state"], categories="district", split_seed=2**32 - 1)
    pruned = f"pruned({task.reference}, sparsity=0.9)"
    plan = Comparison(pruned, "magnitude,uniform", out=tmp_path / "out").first.plan
    assert plan.problem == f"pruned({task.name}, sparsity=0.9)"
