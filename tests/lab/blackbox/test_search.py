"""What is fair in a search: first points, noise, who is done first, constraints, and what is paid for once."""

import json
from typing import ClassVar

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from trimtab import BlackBox, Metric, Observation
from trimtab.lab.blackbox import kept as kept_module
from trimtab.lab.blackbox.functions import Branin
from trimtab.lab.blackbox.kept import KeptEvaluations
from trimtab.lab.blackbox.search import COVERED, FEASIBLE, Search
from trimtab.lab.problem import Workplace
from trimtab.study.errors import InputError
from trimtab.study.point import Point


class Valley(BlackBox):
    """A valley that may only be looked at where x + y >= 1."""

    name, metric = "valley", Metric("depth", "min")
    space: ClassVar = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1), "n": IntDistribution(1, 3)}
    evaluations, constraints = 40, 1
    optimum, tolerance = 0.5, 1e-3

    def evaluate(self, params, generator):
        return Observation(params["x"] ** 2 + params["y"] ** 2 + params["n"] - 1, (1 - params["x"] - params["y"],))


def sampler_of(kind):
    return lambda seed: kind(seed=seed)


def searched(problem, build, *, seed=0, budget=16, kept=None):
    search = Search(problem, build, seed=seed, budget=budget, kept=kept)
    losses = []
    while not search.meter.exhausted:
        losses.append(search.step())
    return search, losses


def params_of(search):
    return [trial.params for trial in search._study.trials]


@pytest.mark.parametrize(("budget", "first"), [(3, 0), (8, 2), (16, 4), (40, 8), (80, 8)])
def test_the_first_points_are_the_same_for_all_and_counted(budget, first):
    assert Valley().points_before(budget) == first  # 2 (3 + 1) at most
    one, other = (params_of(searched(Valley(), sampler_of(k), budget=budget)[0]) for k in (RandomSampler, TPESampler))
    assert len(one) == len(other) == budget
    assert one[:first] == other[:first]
    if first:
        assert params_of(searched(Valley(), sampler_of(RandomSampler), seed=1, budget=budget)[0])[:first] != one[:first]


def test_the_first_points_are_spread_over_the_space():
    params = params_of(searched(Valley(), sampler_of(RandomSampler), budget=40)[0])[:8]
    for name in ("x", "y"):  # eight points of a scrambled Sobol' sequence: one in each eighth
        assert sorted(int(8 * each[name]) for each in params) == list(range(8))
    assert {each["n"] for each in params} == {1, 2, 3}


def test_what_misses_a_constraint_counts_as_worse_than_all_of_the_first_points():
    class Tempted(RandomSampler):
        def recommend(self, study):
            return {"x": 0.0, "y": 0.0, "n": 1}  # the deepest, and not allowed

    search, _ = searched(Valley(), sampler_of(Tempted))
    first = [trial.value for trial in search._study.trials[:4]]
    evaluation = search.evaluate()
    assert evaluation.metric == pytest.approx(max(first) + (max(first) - min(first)) - 0.5)
    assert search.measures()[FEASIBLE] == 0
    search, _ = searched(Valley(), sampler_of(RandomSampler))
    known = [t for t in search._study.trials if t.params["x"] + t.params["y"] >= 1]
    best = min(known, key=lambda trial: trial.value)
    assert search.recommended().params == best.params
    assert search.evaluate().metric == pytest.approx(best.value - 0.5)
    assert search.evaluate().loss == pytest.approx(np.log10(best.value - 0.5))
    assert search.measures()[FEASIBLE] == 1


def test_samplers_are_told_of_constraints_and_variances():
    class Sure(Valley):
        def evaluate(self, params, generator):
            found = super().evaluate(params, generator)
            return Observation(found.value, found.constraints, 0.25)

    search, _ = searched(Sure(), sampler_of(RandomSampler), budget=2)
    for trial in search._study.trials:
        assert trial.constraints == {"c0": 1 - trial.params["x"] - trial.params["y"]}
        assert trial.user_attrs == {"variance": 0.25}


def test_an_interval_that_is_given_holds_the_truth_or_does_not():
    class Says:
        def __init__(self, interval):
            self.params, self.interval = {"x": 0.5, "y": 0.5, "n": 1}, interval

    def build(interval):
        class Sampler(RandomSampler):
            def recommend(self, study):
                return Says(interval)

        return sampler_of(Sampler)

    for interval, covered in (((0.4, 0.6), 1.0), ((0.5, 0.5), 1.0), ((0.51, 0.6), 0.0)):
        search, _ = searched(Valley(), build(interval), budget=4)
        search.evaluate()
        assert search.measures()[COVERED] == covered
    search, _ = searched(Valley(), sampler_of(RandomSampler), budget=4)
    search.evaluate()
    assert COVERED not in search.measures()


@pytest.mark.parametrize("workers", [1, 4])
def test_a_pool_has_so_many_under_way_and_ends_with_the_budget(workers):
    seen = []

    class Watches(RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            if name == "y":
                seen.append(sum(each.state == optuna.trial.TrialState.RUNNING for each in study.trials))
            return super().sample_independent(study, trial, name, distribution)

    class Alone(Valley):
        def points_before(self, budget):
            return 0

    problem = Alone()
    problem.workers = workers
    search, _ = searched(problem, sampler_of(Watches), budget=20)
    assert search.meter.used == search.steps == len(seen) == 20
    assert seen == [*range(1, workers + 1), *[workers] * (20 - workers)]  # with the one that is asked for


def finished_in(search):
    done = [trial for trial in search._study.trials if trial.datetime_complete]
    return [trial.number for trial in sorted(done, key=lambda trial: trial.datetime_complete)]


def test_who_is_done_first_follows_from_the_seed_and_not_from_the_sampler():
    problem = Valley()
    problem.workers = 4
    one, other, again = (
        finished_in(searched(problem, sampler_of(kind), seed=seed, budget=24)[0])
        for kind, seed in ((RandomSampler, 3), (TPESampler, 3), (RandomSampler, 4))
    )
    assert one == other != again
    assert one != sorted(one) == list(range(24))
    assert finished_in(searched(Valley(), sampler_of(RandomSampler), seed=3, budget=8)[0]) == list(range(8))


def test_the_shift_follows_from_the_seed_and_is_the_same_for_all():
    one, other, third = (
        searched(Branin(), sampler_of(kind), seed=seed, budget=4)[0]._problem.shift
        for kind, seed in ((RandomSampler, 3), (TPESampler, 3), (RandomSampler, 4))
    )
    assert one == other != third


class Dear(BlackBox):
    """An evaluation that costs something."""

    name, metric = "dear", Metric("height", "max")
    space: ClassVar = {"x": FloatDistribution(0, 1), "kind": CategoricalDistribution(["a", "b"])}
    evaluations = 8
    paid: ClassVar[list] = []

    def evaluate(self, params, generator):
        self.paid.append(params)
        return Observation(params["x"] + 0.1 * generator.normal())

    def true_value(self, params, split):
        return params["x"]


@pytest.fixture
def dear(monkeypatch):
    monkeypatch.setattr(kept_module, "DEAR", 0.0)
    Dear.paid.clear()
    return Dear()


def test_nothing_that_was_paid_for_is_paid_again(dear, tmp_path):
    kept = KeptEvaluations(tmp_path / "kept" / "0.jsonl")
    half = Search(dear, sampler_of(TPESampler), seed=0, budget=8, kept=kept)
    first = [half.step() for _ in range(3)]  # of which the first are two points, and then it is killed
    assert len(Dear.paid) == 4
    _, losses = searched(dear, sampler_of(TPESampler), budget=8, kept=kept)
    assert len(Dear.paid) == 8
    assert losses[:3] == first
    Dear.paid.clear()
    _, without = searched(dear, sampler_of(TPESampler), budget=8)
    assert (losses, len(Dear.paid)) == (without, 8)
    # another sampler shares the first points, and nothing else
    Dear.paid.clear()
    searched(dear, lambda seed: RandomSampler(seed=seed + 1), budget=8, kept=kept)
    assert len(Dear.paid) == 6


def test_a_line_that_was_cut_off_costs_one_evaluation(dear, tmp_path):
    path = tmp_path / "0.jsonl"
    _, losses = searched(dear, sampler_of(RandomSampler), budget=8, kept=KeptEvaluations(path))
    lines = [line for line in path.read_text().splitlines() if line]
    assert len(lines) == 8
    assert all(json.loads(line)["observation"]["variance"] is None for line in lines)
    path.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    Dear.paid.clear()
    assert searched(dear, sampler_of(RandomSampler), budget=8, kept=KeptEvaluations(path))[1] == losses
    assert len(Dear.paid) == 1
    Dear.paid.clear()
    searched(dear, sampler_of(RandomSampler), budget=8, kept=KeptEvaluations(path))
    assert Dear.paid == []


def test_they_lie_in_the_study_s_directory_by_problem_and_seed(dear, tmp_path):
    place = Workplace(tmp_path / "runs" / "dear")
    point = Point("dear", "final", "random", 0, {}, 1000)
    for _ in range(2):
        dear.trial(sampler_of(RandomSampler), point, budget=8, report=lambda *_: False, place=place)
    assert len(Dear.paid) == 8
    (_,) = (tmp_path / "runs" / "evaluations").glob("dear-*/1000.jsonl")
    other = Dear()
    other.space = {"x": FloatDistribution(0, 2), "kind": CategoricalDistribution(["a", "b"])}
    other.trial(sampler_of(RandomSampler), point, budget=8, report=lambda *_: False, place=place)
    assert len(list((tmp_path / "runs" / "evaluations").iterdir())) == 2


def test_what_is_quick_is_not_kept(tmp_path):
    path = tmp_path / "0.jsonl"
    searched(Valley(), sampler_of(RandomSampler), budget=4, kept=KeptEvaluations(path))
    assert not path.exists()


def test_what_is_returned_has_to_fit_what_is_declared():
    problem = Valley()
    problem.constraints = 2
    with pytest.raises(
        InputError, match=r"here\.evaluate, for the middle .*: 1 constraints were returned, and .* has 2"
    ):
        problem.check("here")
    problem.constraints = 1
    problem.check("here")
    for name, value, message in (
        ("workers", 0, r"here\.workers"),
        ("constraints", -1, r"here\.constraints"),
        ("tolerance", 0.0, r"here\.tolerance=0\.0: a regret > 0"),
        ("optimum", "low", r"here\.optimum"),
        ("space", {"x": FloatDistribution(0, 1), "y": range(3)}, r"here\.space: 'y' needs one of"),
    ):
        broken = Valley()
        setattr(broken, name, value)
        with pytest.raises((InputError, TypeError), match=message):
            broken.check("here")


def test_every_sampler_of_the_suite_is_a_base_sampler():
    with pytest.raises(InputError, match="no optuna"):
        Search(Valley(), lambda seed: BaseSampler, seed=0, budget=4)


def test_nothing_is_recommended_before_all_first_points_are_through():
    for workers in (1, 4):
        problem = Valley()
        problem.workers = workers
        search = Search(problem, sampler_of(RandomSampler), seed=0, budget=16)
        search.step()
        assert all(trial.value is not None for trial in search._study.trials[:4])
        assert search.steps >= 4
        assert search.evaluate().metric > 0


def test_a_sampler_is_tried_without_an_evaluation(dear):
    point = Point("dear", "final", "random", 0, {}, 1000)
    dear.attempt(sampler_of(RandomSampler), point, budget=8, place=Workplace(None))
    assert Dear.paid == []

    class Broken(RandomSampler):
        def sample_independent(self, *_):
            raise RuntimeError("it is broken")

    with pytest.raises(RuntimeError, match="it is broken"):
        dear.attempt(sampler_of(Broken), point, budget=8, place=Workplace(None))


def test_a_sampler_that_cannot_do_with_the_space_says_so_without_an_evaluation(dear):
    class Narrow(RandomSampler):
        def check_space(self, space):
            raise InputError(f"not of {', '.join(sorted(space))}")

    point = Point("dear", "final", "random", 0, {}, 1000)
    with pytest.raises(InputError, match="not of kind, x"):
        dear.attempt(sampler_of(Narrow), point, budget=8, place=Workplace(None))
    assert Dear.paid == []


def test_a_recommendation_that_raises_is_no_secret():
    class Raises(RandomSampler):
        def recommend(self, study):
            raise ValueError("of shapes that do not fit")

    search, _ = searched(Valley(), sampler_of(Raises))
    with pytest.raises(ValueError, match="shapes that do not fit"):
        search.evaluate()


def test_while_nothing_is_feasible_nobody_is_asked_to_recommend():
    class Never(RandomSampler):
        def recommend(self, study):
            raise AssertionError("there is nothing to recommend")

    class Shut(Valley):
        def evaluate(self, params, generator):
            return Observation(params["x"], (1 + params["x"],))

    search, _ = searched(Shut(), sampler_of(Never))
    nearest = min(search._study.trials, key=lambda trial: trial.params["x"])
    assert search.recommended().params == nearest.params
    search.evaluate()
    assert search.measures()[FEASIBLE] == 0
