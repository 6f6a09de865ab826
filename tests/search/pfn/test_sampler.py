"""The sampler: Optuna's contract, constraints, and that nothing but the study decides what comes next."""

import warnings
from typing import ClassVar

import optuna
import pytest
import torch
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.sampler import PFNSampler
from trimtab.study.errors import InputError
from trimtab.testing import SamplerConformance

SQUARE = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}


def small(d_max):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PFN(d_max, 8, 2, 1, borders=torch.linspace(-2, 2, 11)).eval().requires_grad_(requires_grad=False)


class TestConformance(SamplerConformance):
    """With a small network that was not trained, wide enough for every space of the suite."""

    sampler = PFNSampler
    settings: ClassVar = {"n_startup_trials": 1, "pfn": small(12), "candidates": 20, "refined": 0}
    evaluations = 4


def run(study, count):
    """Minimises the distance from the middle where the sum is at most .75."""
    for _ in range(count):
        trial = study.ask(SQUARE)
        x, y = trial.params["x"], trial.params["y"]
        trial.set_constraint("sum", x + y - 0.75)
        study.tell(trial, (x - 0.5) ** 2 + (y - 0.5) ** 2)
    return [trial.params for trial in study.trials[-count:]]


def test_it_finds_a_constrained_minimum():
    study = optuna.create_study(sampler=PFNSampler(seed=0, n_startup_trials=5))
    run(study, 17)
    feasible = [trial.value for trial in study.trials if trial.constraints["sum"] <= 0]
    assert min(feasible) == pytest.approx(0.03125, abs=0.002)
    random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    run(random, 17)
    assert min(trial.value for trial in random.trials if trial.constraints["sum"] <= 0) > 0.034


@pytest.mark.parametrize("acquisition", ["cei", "cei+", "pen"])
def test_a_new_sampler_goes_on_as_the_old_one_would_have(acquisition, tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"

    def sampler():
        return PFNSampler(seed=3, n_startup_trials=2, acquisition=acquisition, candidates=50, refined=2)

    whole = optuna.create_study(sampler=sampler())
    course = run(whole, 6)
    cut = optuna.create_study(sampler=sampler(), storage=storage, study_name="cut")
    course_of_two = run(cut, 4)
    again = optuna.load_study(sampler=sampler(), storage=storage, study_name="cut")
    assert course_of_two + run(again, 2) == course


def observed(values, **settings):
    """A study of which so many trials are known: name to value, and constraints."""
    study = optuna.create_study(sampler=PFNSampler(seed=0, n_startup_trials=1, pfn=small(2), **settings))
    for index, (value, constraints) in enumerate(values):
        params = {"x": 0.1 + 0.07 * index, "y": 0.9 - 0.08 * index}
        study.add_trial(create_trial(params=params, distributions=SQUARE, value=value, constraints=constraints))
    return study


def told(study, monkeypatch):
    """What the next trial is made of."""
    found = []
    original = type(study.sampler._proposal).next_point

    def spy(self, seen, *arguments, **options):
        found.append(seen)
        return original(self, seen, *arguments, **options)

    monkeypatch.setattr(type(study.sampler._proposal), "next_point", spy)
    study.ask(SQUARE)
    return found[0]


def test_what_the_network_sees(monkeypatch):
    study = observed([(1.0, {"b": 2.0, "a": -1.0}), (3.0, {"a": 0.5, "b": 0.0})])
    seen = told(study, monkeypatch)
    assert seen.x.tolist() == [pytest.approx([0.1, 0.9]), pytest.approx([0.17, 0.82])]
    assert seen.objective.tolist() == [-1.0, -3.0]  # what is minimised is to be maximised
    assert seen.constraints.tolist() == [[-1.0, 2.0], [0.5, 0.0]]  # by their names
    assert seen.pending is None


def test_trials_that_say_less_are_left_out(monkeypatch):
    inf = float("inf")
    values = [(1.0, {"a": 1.0}), (inf, {"a": 1.0}), (2.0, {}), (3.0, {"a": -inf}), (4.0, {"a": -1.0})]
    seen = told(observed(values), monkeypatch)
    assert seen.objective.tolist() == [-1.0, -4.0]


def test_running_trials_are_pending(monkeypatch):
    study = observed([(1.0, {}), (2.0, {})])
    running = study.ask(SQUARE)
    seen = told(study, monkeypatch)
    assert seen.pending.tolist() == [pytest.approx([running.params["x"], running.params["y"]])]
    assert seen.constraints.shape == (2, 0)
    assert study.trials[-1].state == TrialState.RUNNING


def test_startup_trials_are_random_and_any_number_of_settings_may_be_drawn():
    study = optuna.create_study(sampler=PFNSampler(seed=0, n_startup_trials=3))
    wide = {f"x{i}": FloatDistribution(0, 1) for i in range(9)}
    for _ in range(3):
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            trial = study.ask(wide)
        assert len(set(trial.params.values())) == 9
        study.tell(trial, 0.0)
    with pytest.raises(InputError, match="inputs=9: the networks that ship take at most 6"):
        study.ask(wide)


def test_settings_that_are_too_many_are_told_of_before_they_are_refused():
    wide = {f"x{i}": FloatDistribution(0, 1) for i in range(7)} | {"constant": FloatDistribution(1, 1)}
    sampler = PFNSampler(seed=0)
    sampler.check_space(wide | {"x0": FloatDistribution(0, 0)})  # six, and two that cannot be chosen
    sampler.check_space({})
    with pytest.raises(InputError, match=r"search_space=.*'x6'.*: inputs=7: the networks that ship take at most 6"):
        sampler.check_space(wide)
    study = optuna.create_study(sampler=sampler)
    study.tell(study.ask(wide), 0.0)
    with pytest.warns(UserWarning, match="trial 0 has too many settings .* ends with this error after 20 trials"):
        study.tell(study.ask(wide), 0.0)
    study.ask(wide)  # it is said once


def test_a_network_that_is_too_small_is_refused():
    study = optuna.create_study(sampler=PFNSampler(seed=0, n_startup_trials=1, pfn=small(1)))
    study.tell(study.ask(SQUARE), 0.0)
    with pytest.raises(InputError, match="2 dimensions, and the network takes 1"):
        study.ask(SQUARE)


def test_several_objectives_are_refused_before_an_evaluation():
    study, called = optuna.create_study(sampler=PFNSampler(seed=0), directions=["minimize", "minimize"]), []
    with pytest.raises(InputError, match="study has 2 objectives"):
        study.optimize(called.append, n_trials=1)
    assert called == []


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"seed": -1}, InputError, "seed"),
        ({"n_startup_trials": 0}, InputError, "n_startup_trials"),
        ({"pfn": "net"}, TypeError, "pfn='net'"),
        ({"acquisition": "ei"}, InputError, "acquisition='ei'"),
        ({"candidates": 0}, InputError, "candidates"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        PFNSampler(**settings)
