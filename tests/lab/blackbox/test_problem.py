"""A search: whose randomness it is, what is recommended, what is measured, and which problems cannot be."""

import itertools
from typing import ClassVar

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import CmaEsSampler, GPSampler, RandomSampler, TPESampler

from trimtab import BlackBox, Metric
from trimtab.lab.blackbox import sampler_clock
from trimtab.lab.blackbox.search import SUGGESTION, Search
from trimtab.lab.blackbox.spaces import middle
from trimtab.lab.problem import Workplace
from trimtab.study.errors import InputError
from trimtab.study.metric import Evaluation
from trimtab.study.point import Point


class Bowl(BlackBox):
    """A bowl with noise."""

    name = "bowl"
    metric = Metric("height", "min")
    space: ClassVar = {"x": FloatDistribution(-1, 1), "n": IntDistribution(1, 5)}
    evaluations = 8
    seen: ClassVar[list] = []

    def evaluate(self, params, generator):
        noise = generator.normal(size=params["n"])[0]  # how much is drawn depends on the settings
        self.seen.append(float(noise))
        return self.true_value(params, "validation") + 0.01 * noise

    def true_value(self, params, split):
        return (params["x"] - 0.3) ** 2 + params["n"]


class Hill(Bowl):
    metric = Metric("height", "max")

    def evaluate(self, params, generator):
        return self.true_value(params, "validation")

    def true_value(self, params, split):
        return -super().true_value(params, split)


SAMPLERS = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=2),
    "gp": lambda seed: GPSampler(seed=seed, n_startup_trials=4),
    "cmaes": lambda seed: CmaEsSampler(seed=seed),
}


def course(build, seed=0, problem=None, count=6):
    search = Search(problem or Bowl(), build, seed=seed, budget=count)
    found = [search.step() for _ in range(count)]
    return search, found, [trial.params for trial in search._study.trials]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_makes_the_course_and_another_makes_another(name):
    _, first, params = course(SAMPLERS[name], 3)
    _, again, same = course(SAMPLERS[name], 3)
    assert (first, params) == (again, same)
    assert course(SAMPLERS[name], 4, count=2)[2] != params[:2]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_nth_evaluation_has_the_same_noise_for_every_sampler():
    noises = []
    for sampler in SAMPLERS.values():
        Bowl.seen.clear()
        course(sampler, 5)
        noises.append(list(Bowl.seen))
    assert len(set(noises[0])) == 6
    assert all(noise == noises[0] for noise in noises)
    Bowl.seen.clear()
    course(SAMPLERS["random"], 6)
    assert Bowl.seen != noises[0]


class Recommends(RandomSampler):
    def recommend(self, study):
        return {"x": 0.3, "n": len(study.trials)}


def test_what_a_sampler_recommends_counts_and_else_the_best_observed():
    search, _, _ = course(lambda seed: Recommends(seed=seed), count=2)
    assert search.recommended().params == {"x": 0.3, "n": 2}
    assert search.evaluate().metric == 2.0
    search, losses, params = course(SAMPLERS["random"])
    best = params[int(np.argmin(losses))]
    assert search.recommended().params == best
    assert search.evaluate() == Evaluation(Bowl().true_value(best, ""), Bowl().true_value(best, ""))


def test_while_a_sampler_s_own_constraints_are_not_met_what_violates_them_least_is_recommended():
    told = iter([(3.0, -9.0), (1.0, 1.0), (0.5, 1.5), (2.0, 0.0), (0.0, -1.0)])

    def build(seed):
        with pytest.warns(FutureWarning, match="constraints_func"):
            return TPESampler(seed=seed, constraints_func=lambda _trial: next(told))

    search = Search(Bowl(), build, seed=0, budget=5)
    for _ in range(4):
        search.step()
        least = search._study.trials[1:] or search._study.trials
        best = min(least, key=lambda trial: trial.value)
        assert search.recommended().params == best.params
        assert search.evaluate().loss == Bowl().true_value(best.params, "validation")
    search.step()
    assert search.recommended().params == search._study.trials[4].params


class Counted(BlackBox):
    """A line that is observed without noise."""

    name, metric, space = "counted", Metric("height", "min"), Bowl.space

    def __init__(self):
        self.observed, self.asked = [], []

    def evaluate(self, params, generator):
        self.observed.append(params)
        return params["x"] + params["n"]


class Told(Counted):
    tested = True

    def true_value(self, params, split):
        self.asked.append((params, split))
        return params["x"] + params["n"] + (split == "test")


def final_run(problem, build, budget=30):
    point = Point(problem.name, "final", "it", 0, {}, 1000)
    outcome = problem.trial(build, point, budget=budget, report=lambda *_: False, place=Workplace(None))
    assert outcome.status == "complete", outcome.error
    return outcome


def test_where_observing_is_exact_nothing_is_evaluated_beyond_the_budget():
    problem, told = Counted(), Told()
    outcome = final_run(problem, SAMPLERS["random"])
    assert len(problem.observed) == 30
    assert outcome.curve == final_run(told, SAMPLERS["random"]).curve


def test_the_truth_is_asked_again_when_other_settings_are_recommended_and_on_the_test_once():
    problem = Told()
    outcome = final_run(problem, SAMPLERS["random"])
    assert len(problem.observed) == 30
    asked = [params for params, split in problem.asked if split == "validation"]
    assert len(asked) == len({tuple(params.items()) for params in asked}) < 20
    assert [params for params, split in problem.asked if split == "test"] == asked[-1:]
    assert outcome.measures["test metric"] == outcome.metric + 1


def test_settings_that_nobody_observed_are_observed_once():
    class Fixed(RandomSampler):
        def recommend(self, study):
            return {"x": 0.3, "n": 2}

    problem = Counted()
    assert final_run(problem, lambda seed: Fixed(seed=seed)).metric == 2.3
    assert len(problem.observed) == 31


def test_what_is_noisy_has_to_say_the_truth():
    class Lucky(Counted):
        def evaluate(self, params, generator):
            return generator.normal()

    class Honest(Lucky):
        def true_value(self, params, split):
            return 0.0

    with pytest.raises(InputError, match=r"here\.evaluate returned .* for the same settings: where it is noisy, tr"):
        Lucky().check("here")
    Honest().check("here")
    Counted().check("here")


def test_before_anything_was_observed_the_middle_counts():
    search = Search(Bowl(), SAMPLERS["random"], seed=0, budget=4)
    assert search.recommended().params == {"x": 0.0, "n": 3}
    assert search.evaluate().metric == pytest.approx(3.09)
    assert search.measures() == {}


def test_where_more_is_better_losses_are_its_negatives_and_the_most_is_found():
    search, losses, params = course(SAMPLERS["random"], problem=Hill())
    values = [Hill().true_value(each, "") for each in params]
    assert losses == [-value for value in values]
    assert search.recommended().params == params[int(np.argmax(values))]
    assert search.evaluate() == Evaluation(-max(values), max(values))


def test_time_is_the_samplers_and_not_the_evaluations(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(sampler_clock.time, "perf_counter", lambda: float(next(clock)))

    class Slow(Bowl):
        def evaluate(self, params, generator):
            for _ in range(100):
                next(clock)
            return 1.0

    search, _, _ = course(SAMPLERS["random"], problem=Slow(), count=3)
    assert search.measures() == {SUGGESTION: 6.0}  # one for each call of Optuna's, two of which are for settings


class Breaks(Bowl):
    """Where some evaluations have no value."""

    def __init__(self, works):
        self.works, self.count = works, 0

    def evaluate(self, params, generator):
        self.count += 1
        if not self.works(self.count):
            raise RuntimeError(f"evaluation {self.count} broke")
        return params["x"]


def test_an_evaluation_that_raises_is_lost_and_the_run_is_not():
    problem = Breaks(lambda count: count % 3 != 1)
    search = Search(problem, SAMPLERS["tpe"], seed=0, budget=9)
    losses = [search.step() for _ in range(8)]  # the first step goes on until there is a value
    assert (search.meter.used, problem.count) == (9, 9)
    states = [trial.state.name for trial in search._study.trials]
    assert states == ["FAIL", "COMPLETE", "COMPLETE"] * 3
    values = [trial.value for trial in search._study.trials if trial.value is not None]
    assert losses == [*values[:2], values[1], *values[2:4], values[3], *values[4:]]
    assert search.evaluate().loss == Bowl().true_value(search.recommended().params, "")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e200, None, "low", (1.0, 2.0)])
def test_what_is_no_finite_number_is_lost_as_well(value):
    class Odd(Bowl):
        def evaluate(self, params, generator):
            return value if params["n"] > 2 else 1.0

    search = Search(Odd(), SAMPLERS["random"], seed=0, budget=12)
    while not search.meter.exhausted:
        search.step()
    found = {(trial.params["n"] > 2, trial.state.name) for trial in search._study.trials}
    assert found == {(True, "FAIL"), (False, "COMPLETE")}


def test_what_always_raises_fails_with_its_first_reason():
    point = Point("bowl", "final", "random", 0, {}, 1000)
    problem = Breaks(lambda count: False)
    outcome = problem.trial(SAMPLERS["tpe"], point, budget=5, report=lambda *_: False, place=Workplace(None))
    assert (outcome.status, outcome.cost, problem.count) == ("failed", 5, 5)
    assert "evaluation 1 broke" in outcome.error


def test_what_is_no_sampler_is_refused():
    with pytest.raises(InputError, match=r"3 is no optuna\.samplers\.BaseSampler"):
        Search(Bowl(), lambda seed: 3, seed=0, budget=4)


def test_a_trial_is_a_search_to_its_end():
    point = Point("bowl", "final", "random", 0, {}, 1000)
    outcome = Bowl().trial(SAMPLERS["random"], point, budget=5, report=lambda *_: False, place=Workplace(None))
    assert (outcome.status, outcome.cost) == ("complete", 5)
    assert [each.cost for each in outcome.curve] == [1, 2, 3, 4, 5]
    assert set(outcome.measures) == {SUGGESTION}
    times = [value for _, value in outcome.traces[SUGGESTION]]
    assert times == sorted(times)
    assert outcome.measures[SUGGESTION] == pytest.approx(times[-1] / 4)  # of five evaluations the first is given
    assert outcome.loss == outcome.metric


def test_the_course_begins_with_the_first_points_and_is_looked_at_twenty_times_after_them():
    point = Point("hill", "final", "random", 0, {}, 1000)
    outcome = Hill().trial(SAMPLERS["random"], point, budget=40, report=lambda *_: False, place=Workplace(None))
    assert [each.cost for each in outcome.curve] == [*range(6, 12), *range(12, 41, 2)]
    search = Search(Hill(), SAMPLERS["random"], seed=1000, budget=40)
    search.step()
    assert (search.steps, search.meter.used) == (6, 6)
    assert outcome.curve[0].loss == -search._study.best_value  # what was observed, which is exact here
    assert [each.loss for each in outcome.curve] == sorted((each.loss for each in outcome.curve), reverse=True)


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        (FloatDistribution(-5, 10), 2.5),
        (FloatDistribution(1e-4, 1, log=True), 1e-2),
        (FloatDistribution(0, 0.75, step=0.25), 0.5),
        (FloatDistribution(2, 2), 2.0),
        (IntDistribution(1, 9), 5),
        (IntDistribution(2, 8, step=3), 5),
        (IntDistribution(1, 256, log=True), 16),
        (CategoricalDistribution(["low", "high"]), "low"),
    ],
)
def test_the_middle_of_a_range_is_on_its_scale_and_its_steps(distribution, value):
    found = middle({"x": distribution})["x"]
    assert found == pytest.approx(value) if isinstance(value, float) else found == value
    assert type(found) is type(value)
    assert distribution._contains(distribution.to_internal_repr(found))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "height"}, r"here\.metric: expected a trimtab\.Metric, got 'height'"),
        ({"space": {}}, r"here\.space=\{\}: at least one setting with its distribution is needed"),
        ({"space": [1]}, r"here\.space=\[1\]: at least one setting"),
        ({"space": {"x": (0, 1)}}, r"here\.space: 'x' needs one of optuna\.distributions' .* not \(0, 1\)"),
        ({"evaluations": 0}, r"here\.evaluations"),
        ({"seeds": 0}, r"here\.seeds"),
        ({"name": ""}, r"here\.name"),
        (
            {"evaluate": lambda p, g: None},
            r"here\.evaluate, for the middle of the space: value None was returned; a finite number",
        ),
        ({"evaluate": lambda p, g: True}, r"here\.evaluate, for the middle of the space: value True was returned"),
        ({"evaluate": lambda p, g: float("inf")}, r"here\.evaluate, for the middle of the space: inf was returned"),
        ({"evaluate": lambda p, g: p["y"]}, r"here\.evaluate raised KeyError: 'y'"),
        (
            {"evaluate": lambda p, g: 1, "true_value": lambda p, s: "good"},
            r"here\.true_value, for the middle of the space: value 'good' was returned",
        ),
        (
            {"tested": True, "true_value": lambda p, s: {"validation": 1}[s]},
            r"here\.true_value on test raised KeyError: 'test'",
        ),
    ],
)
def test_problems_that_cannot_be_are_refused(change, message):
    problem = Bowl()
    for name, value in change.items():
        setattr(problem, name, value)
    with pytest.raises(InputError, match=message):
        problem.check("here")


@pytest.mark.parametrize("name", ["name", "metric", "space"])
def test_what_is_missing_is_named(name):
    lacking = {key: value for key, value in vars(Bowl).items() if key in ("name", "metric", "space") and key != name}
    problem = type("Lacking", (BlackBox,), {**lacking, "evaluate": Bowl.evaluate, "true_value": Bowl.true_value})()
    with pytest.raises(InputError, match=f"here: the problem has no '{name}'; set it in the class body"):
        problem.check("here")


def test_numbers_of_numpy_are_numbers():
    problem = Bowl()
    problem.evaluate = lambda params, generator: np.float32(1.5)
    problem.check("here")


def test_what_is_observed_is_the_truth_unless_told_otherwise():
    class Exact(BlackBox):
        def evaluate(self, params, generator):
            return params["x"] + generator.integers(10)

    assert Exact().true_value({"x": 1.0}, "validation") == Exact().true_value({"x": 1.0}, "test")


def test_facts_are_in_words_of_evaluations():
    facts = Bowl().facts("file.py:Bowl", (), 12)
    assert (facts.cost.many, facts.step_cost, facts.rate, facts.length) == (
        "evaluations",
        1,
        None,
        " of 12 evaluations",
    )
    assert facts.sizes == (("evaluations a run", "12"), ("settings to find", "2"))
    assert facts.paragraphs[0] == ("Problem", "bowl (file.py:Bowl): x in [-1, 1], n in [1, 5].")
    assert [m.heading for m in facts.measures] == ["in interval", "ms a suggestion"]
    assert facts.overhead == SUGGESTION == facts.watched[0].name
    assert facts.ending == ""
