"""Objectives as Optuna's users have them: found in files, looked at, seeded, and judged anew in the end."""

import random
from functools import partial

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler

from trimtab.lab.blackbox import kept as kept_module
from trimtab.lab.blackbox.kept import KeptEvaluations
from trimtab.lab.blackbox.objective import Objective
from trimtab.lab.blackbox.search import FEASIBLE, Search
from trimtab.lab.loading import fingerprint, load_problem, parameters
from trimtab.lab.problem import Workplace
from trimtab.study.errors import InputError
from trimtab.study.point import Point

SOURCE = '''
import random
import numpy, torch

def objective(trial):
    """How far from the middle."""
    x = trial.suggest_float("x", -1, 3)
    if trial.suggest_categorical("deep", [False, True]):
        x += 0.1 * trial.suggest_int("layers", 1, 4)
    noise = random.random() + numpy.random.rand() + torch.rand(()).item()
    return (x - 0.5) ** 2 + 0.1 * noise

def steps(trial: "optuna.Trial") -> float:
    trial.set_constraint("small", trial.suggest_int("n", 1, 9) - 3)
    return 10.0 / trial.params["n"]

def helper(x):
    return x
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tune.py"
    path.write_text(SOURCE)
    return path


def legacy_state():
    return np.random.get_state()[1].tolist()  # noqa: NPY002


def sampler_of(kind):
    return lambda seed: kind(seed=seed)


def searched(problem, build, *, seed=0, budget=12, kept=None):
    search = Search(problem, build, seed=seed, budget=budget, kept=kept)
    losses = []
    while not search.meter.exhausted:
        losses.append(search.step())
    return search, losses


def test_it_is_found_in_a_file_and_looked_at_once(file):
    problem = load_problem(f"{file}:objective")
    problem.check("tune.py:objective")
    assert (problem.name, problem.direction, problem.evaluations) == ("tune", "minimize", 40)
    assert list(problem.distributions) == ["x", "deep"]  # in the middle, "deep" is its first choice
    assert dict(problem.facts("t", (), 12).paragraphs)["Problem"].startswith("tune (t): x in [-1, 3], deep in {False")
    assert problem.summary.startswith("How far from the middle.")
    more = load_problem(f"{file}:steps(direction=maximize, evaluations=9, repeats=2, workers=2)")
    assert (more.name.partition("(")[0], more.direction, more.steps, more.workers) == ("steps", "maximize", 9, 2)
    names = [each.name for each in parameters(f"{file}:steps")]
    assert names == ["direction", "evaluations", "repeats", "workers", "metric"]
    with pytest.raises(InputError, match="it has objective, steps: write"):
        load_problem(str(file))
    assert fingerprint(f"{file}:steps") != fingerprint(f"{file}:objective")


def test_a_function_of_something_else_is_none(file):
    with pytest.raises(InputError):
        load_problem(f"{file}:helper")


def test_its_randomness_follows_from_the_seed_and_the_global_states_stay(file):
    problem = load_problem(f"{file}:objective")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  # as people do
    torch.manual_seed(1)
    before = random.getstate(), legacy_state(), torch.get_rng_state()
    one, other = (searched(problem, sampler_of(RandomSampler), seed=4)[1] for _ in range(2))
    third = searched(problem, sampler_of(TPESampler), seed=4)[1]
    assert one == other
    assert one[:3] == third[:3]  # the first points, with the same noise
    assert searched(problem, sampler_of(RandomSampler), seed=5)[1] != one
    assert random.getstate() == before[0]
    assert legacy_state() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_settings_that_appear_are_searched_as_well(file):
    search, _ = searched(load_problem(f"{file}:objective"), sampler_of(RandomSampler), budget=20)
    with_layers = [trial for trial in search._study.trials if "layers" in trial.params]
    assert 0 < len(with_layers) < 20
    assert all(trial.params["deep"] for trial in with_layers)
    assert with_layers[0].distributions["layers"] == IntDistribution(1, 4)


def test_what_is_recommended_is_evaluated_anew_in_the_end_alone():
    calls = []

    def noisy(trial):
        calls.append(trial.suggest_float("x", 0, 1))
        return calls[-1] + random.random()

    problem = Objective(noisy, repeats=5)
    search = Search(problem, sampler_of(RandomSampler), seed=0, budget=6)
    for _ in range(5):
        search.step()
        assert search.evaluate().loss == min(each.value for each in search._study.trials)
    assert len(calls) == 1 + 5  # one was a look at its space
    search.step()
    value = search.evaluate().loss
    assert len(calls) == 1 + 6 + 5
    assert calls[-5:] == [search.recommended().params["x"]] * 5
    assert value > min(each.value for each in search._study.trials)  # which was luck
    assert search.evaluate().loss == value
    assert len(calls) == 12


def test_without_noise_once_is_enough():
    calls = []

    def exact(trial):
        calls.append(trial.suggest_float("x", 0, 1))
        return calls[-1]

    search, losses = searched(Objective(exact, repeats=5), sampler_of(RandomSampler), budget=6)
    assert search.evaluate().loss == min(losses)
    assert len(calls) == 1 + 6 + 1


def test_constraints_are_its_own(file):
    search, _ = searched(load_problem(f"{file}:steps"), sampler_of(RandomSampler))
    search.evaluate()
    seen = {trial.params["n"] for trial in search._study.trials}
    assert search.recommended().params == {"n": max(seen & {1, 2, 3})}
    assert search.measures()[FEASIBLE] == 1
    assert {tuple(trial.constraints) for trial in search._study.trials} == {("small",)}


def test_pruned_trials_are_pruned_and_others_that_raise_fail():
    def troubled(trial):
        n = trial.suggest_int("n", 0, 2)
        if n == 0:
            raise optuna.TrialPruned
        return 1 / (n - 1) if n == 1 else 1.0

    class Middle(Objective):
        @property
        def distributions(self):
            return {"n": IntDistribution(0, 2)}

        constraints = 0

    search, _ = searched(Middle(troubled), sampler_of(RandomSampler), budget=12)
    states = {(trial.params["n"], trial.state.name) for trial in search._study.trials}
    assert states == {(0, "PRUNED"), (1, "FAIL"), (2, "COMPLETE")}


def test_what_was_paid_for_is_not_paid_again_though_it_suggests_while_it_runs(file, monkeypatch, tmp_path):
    monkeypatch.setattr(kept_module, "DEAR", 0.0)
    problem, kept = load_problem(f"{file}:objective"), KeptEvaluations(tmp_path / "0.jsonl")
    count = []
    function = problem._function
    problem._function = lambda trial: count.append(1) or function(trial)
    one, losses = searched(problem, sampler_of(TPESampler), kept=kept)
    paid = len(count)
    again, same = searched(problem, sampler_of(TPESampler), kept=kept)
    assert same == losses
    assert len(count) == paid
    assert [t.params for t in one._study.trials] == [t.params for t in again._study.trials]
    other, _ = searched(problem, lambda seed: RandomSampler(seed=seed + 1), kept=kept)
    pairs = zip(one._study.trials, other._study.trials, strict=True)
    others = sum(each.params != another.params for each, another in pairs)
    assert len(count) == paid + others < paid + 12  # of the first points, some are the same


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda trial: 1.0, "here suggests nothing: there is nothing to search"),
        (lambda trial: (trial.suggest_float("x", 0, 1), 2.0), r"here, in the middle .* one objective is searched"),
        (lambda trial: trial.suggest_float("x", 1, 0), "here, in the middle of its ranges, raised ValueError"),
        (lambda trial: float("nan") * trial.suggest_float("x", 0, 1), r"raised ValueError: nan was returned"),
        (lambda trial: None, r"raised TypeError: value None was returned"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(function, message):
    with pytest.raises(InputError, match=message):
        Objective(function).check("here")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"direction": "up"}, "direction='up'"), ({"repeats": 0}, "repeats"), ({"evaluations": 0.5}, "evaluations")],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises((InputError, TypeError), match=message):
        Objective(lambda trial: 1.0, **settings)


def test_a_trial_is_a_search_to_its_end(file, tmp_path):
    problem = load_problem(f"{file}:objective")
    point = Point("tune", "final", "random", 0, {}, 1000)
    run = partial(problem.trial, sampler_of(RandomSampler), point, budget=8, report=lambda *_: False)
    outcome = run(place=Workplace(tmp_path / "runs" / "tune"))
    assert (outcome.status, outcome.cost) == ("complete", 8)
    assert problem.distributions["x"] == FloatDistribution(-1, 3)


OBJECTS = '''
import functools

class Scaled:
    """A parabola of some height."""

    def __init__(self, height):
        self.height = height

    def __call__(self, trial):
        return self.height * trial.suggest_float("x", -1, 3) ** 2

scaled = Scaled(2.0)

def shifted(trial, by):
    return (trial.suggest_float("x", -1, 3) - by) ** 2

one = functools.partial(shifted, by=1.0)
'''


@pytest.mark.parametrize(("name", "value"), [("scaled", 2.0), ("one", 0.0)])
def test_what_is_called_with_a_trial_is_one(name, value, tmp_path):
    (tmp_path / "tune.py").write_text(OBJECTS)
    problem = load_problem(f"{tmp_path}/tune.py:{name}")
    assert isinstance(problem, Objective)
    assert problem.name == "tune"
    assert problem.evaluate({"x": 1.0}, np.random.default_rng(0)).value == value
    before = problem.source()
    (tmp_path / "tune.py").write_text(OBJECTS.replace("2.0", "3.0"))
    assert problem.source() != before


def test_it_has_all_of_a_trial_in_the_end_too():
    def objective(trial):
        trial.set_user_attr("names", trial.study.study_name)
        trial.report(1.0, 0)
        return trial.suggest_float("x", 0, 1) + trial.should_prune() + len(trial.study.trials) + trial.number

    assert Objective(objective).evaluate({"x": 0.25}, np.random.default_rng(0)).value == 1.25


@pytest.mark.parametrize("value", [torch.tensor(0.5), np.array(0.5), np.float32(0.5), torch.tensor([0.5])])
def test_what_optuna_takes_for_a_number_is_one(value):
    assert Objective(lambda trial: value).evaluate({}, np.random.default_rng(0)).value == 0.5


def test_what_fails_in_the_middle_is_looked_at_elsewhere():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        if x == 0.5:
            raise optuna.TrialPruned
        return x

    problem = Objective(objective)
    problem.check("tune.py:objective")
    assert list(problem.distributions) == ["x"]


def test_who_ends_the_process_loses_an_evaluation_alone():
    def objective(trial):
        if trial.suggest_float("x", 0, 1) < 0.4:
            raise SystemExit(3)
        return trial.params["x"]

    search, losses = searched(Objective(objective), sampler_of(RandomSampler))
    assert len(losses) > 1
    failed = [trial for trial in search._study.trials if trial.state.name == "FAIL"]
    assert failed
    assert all(trial.params["x"] < 0.4 for trial in failed)
    with pytest.raises(
        InputError, match=r"in the middle of its ranges, raised RuntimeError: it ended the process, by sys"
    ):
        Objective(lambda trial: exit(trial.suggest_int("n", 1, 3))).check("tune.py:objective")
