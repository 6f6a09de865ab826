"""The sampler: Optuna's suites and ours, going on with a stored study, constraints, conditions, missing values."""

import doctest
from typing import ClassVar

import numpy as np
import optuna
import pytest
import torch
from botorch.exceptions.warnings import InputDataWarning
from botorch.models import SingleTaskGP
from botorch.models.ensemble import EnsembleModel
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import SingleOnlySamplerTestCase
from optuna.trial import TrialState

from trimtab.search.bnn_surrogates.make import make_surrogate
from trimtab.search.bo_tutorial import sampler
from trimtab.search.bo_tutorial.fast_fit import Data
from trimtab.search.bo_tutorial.fast_gp import FastGP
from trimtab.search.bo_tutorial.sampler import BOSampler
from trimtab.study.errors import InputError
from trimtab.testing import SamplerConformance
from trimtab.testing.global_randomness import global_states, require_untouched

optuna.logging.set_verbosity(optuna.logging.WARNING)

CHEAP = {"n_startup_trials": 3, "num_restarts": 2, "raw_samples": 32}
SPACE = {"x": FloatDistribution(0.0, 1.0), "n": IntDistribution(1, 4), "c": CategoricalDistribution("abc")}


class TestConformance(SamplerConformance):
    sampler = BOSampler
    settings: ClassVar = {"n_startup_trials": 1, "num_restarts": 2, "raw_samples": 16}
    evaluations = 6


class TestOneObjective(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: BOSampler(seed=0, n_startup_trials=0)


def study_of(**settings):
    return optuna.create_study(sampler=BOSampler(**{"seed": 0, **CHEAP, **settings}))


def worth(params):
    return (params["x"] - 0.3) ** 2 + 0.1 * abs(params["n"] - 2) + 0.2 * "abc".index(params["c"])


def run(study, count, space=SPACE, value=worth):
    for _ in range(count):
        trial = study.ask(dict(space))
        study.tell(trial, value(trial.params))
    return [trial.params for trial in study.trials]


def test_a_networks_surrogate_waits_for_two_trials_and_takes_points_of_an_earlier_range():
    study = study_of(surrogate="infinite_width", n_startup_trials=0, raw_samples=8)
    run(study, 4, {"x": FloatDistribution(0.0, 1.0)}, lambda params: params["x"])
    run(study, 2, {"x": FloatDistribution(0.4, 1.2)}, lambda params: params["x"])
    assert len(study.trials) == 6
    with pytest.warns(InputDataWarning, match="unit cube"):  # elsewhere it is a mistake
        make_surrogate("infinite_width", torch.tensor([[0.0], [2.0]]).double(), torch.eye(2)[:, :1].double(), seed=0)


def test_a_new_sampler_goes_on_with_a_stored_study_exactly_as_the_old_one(tmp_path):
    whole = run(study_of(), 9)
    storage = f"sqlite:///{tmp_path}/study.db"
    optuna.create_study(storage=storage, study_name="a")
    for _ in range(9):
        again = optuna.load_study(storage=storage, study_name="a", sampler=BOSampler(seed=0, **CHEAP))
        run(again, 1)
    assert [trial.params for trial in again.trials] == whole


def test_it_gets_near_the_best():
    study = study_of(num_restarts=4, raw_samples=128)
    run(study, 22)
    found = study.sampler.recommend(study).params
    assert (found["n"], found["c"]) == (2, "a")
    assert found["x"] == pytest.approx(0.3, abs=0.1)
    assert study.best_value < 0.01


@pytest.mark.parametrize("acquisition", ["noisy_ei", "ei"])
def test_both_acquisitions_learn(acquisition):
    study = study_of(acquisition=acquisition)
    run(study, 12, {"x": SPACE["x"]}, lambda params: (params["x"] - 0.62) ** 2)
    assert study.best_value < 1e-3


def test_the_start_is_two_trials_a_parameter_and_two_more():
    space = {"x": SPACE["x"], "y": FloatDistribution(0, 1)}
    one, other = (
        run(optuna.create_study(sampler=BOSampler(seed=0, num_restarts=1, raw_samples=samples)), 7, space, sum_of)
        for samples in (8, 16)  # which make no difference to the start
    )
    assert one[:6] == other[:6]
    assert len({tuple(np.round(list(each.values()), 6)) for each in one[:6]}) == 6
    steps = [sum_of(each) for each in one]
    assert steps[6] < min(steps[:6])


def sum_of(params):
    return sum(params.values())


def test_what_the_model_does_not_know_is_drawn_by_the_independent_sampler():
    class Known(optuna.samplers.RandomSampler):
        def sample_independent(self, study, trial, param_name, param_distribution):
            return 0.125

    study = study_of(independent_sampler=Known())
    assert run(study, 1, {"x": SPACE["x"]}, lambda params: 0.0) == [{"x": 0.125}]
    run(study, 3, {"x": SPACE["x"]}, lambda params: params["x"])
    trial = study.ask({"x": SPACE["x"], "new": FloatDistribution(0, 1)})
    assert trial.params["new"] == 0.125
    assert trial.params["x"] != 0.125


def test_conditional_parameters_are_learned():
    def objective(trial):
        if trial.suggest_categorical("model", ["svm", "forest"]) == "svm":
            return abs(trial.suggest_float("c", 0, 1) - 0.8)
        return 0.5 + 0.1 * trial.suggest_int("depth", 1, 5)

    study = study_of(n_startup_trials=8)
    study.optimize(objective, n_trials=22)
    late = [trial.params for trial in study.trials[-6:]]
    assert sum(params["model"] == "svm" for params in late) >= 4
    assert study.best_params["c"] == pytest.approx(0.8, abs=0.02)


def test_a_range_that_changes_is_followed():
    study = study_of()
    run(study, 5, {"x": FloatDistribution(0, 10)}, lambda params: abs(params["x"] - 22))
    late = run(study, 8, {"x": FloatDistribution(20, 30)}, lambda params: abs(params["x"] - 22))[-3:]
    assert all(20 <= params["x"] <= 30 for params in late)
    assert study.best_value < 0.5


@pytest.mark.parametrize("space", [{"x": FloatDistribution(0, 1e9)}, {"x": FloatDistribution(1e-300, 1e9, log=True)}])
def test_ranges_that_shrink_by_orders_of_magnitude(space):
    (kind,) = space.values()
    study = study_of()
    run(study, 5, space, lambda params: params["x"])
    narrow = {"x": FloatDistribution(0.5, 1.0, log=kind.log)}
    late = run(study, 7, narrow, lambda params: abs(params["x"] - 0.8))[-7:]
    assert all(0.5 <= params["x"] <= 1.0 for params in late)


def test_noise_in_tiny_units_is_noise():
    generator = np.random.default_rng(0)
    study = study_of()
    found = run(study, 16, {"n": IntDistribution(1, 4)}, lambda params: 1e-14 * (params["n"] + generator.normal()))
    assert found.count({"n": 1}) > 3


def constrained(study, count, allowed):
    for _ in range(count):
        trial = study.ask({"x": SPACE["x"]})
        trial.set_constraint("room", trial.params["x"] - allowed)
        study.tell(trial, -trial.params["x"])
    return [trial.params["x"] for trial in study.trials]


def test_constraints_are_kept_and_first_of_all_found():
    found = constrained(study_of(), 14, 0.4)
    assert 0.395 < max(x for x in found if x <= 0.4) <= 0.4
    assert sum(x <= 0.41 for x in found[-6:]) >= 4
    rare = constrained(study_of(seed=3), 12, 0.02)
    assert min(rare[:3]) > 0.02  # nothing feasible to begin with
    assert min(rare) <= 0.02


def test_trials_that_run_are_gone_around():
    study = study_of()
    run(study, 6, {"x": SPACE["x"]}, lambda params: (params["x"] - 0.5) ** 2)
    asked = sorted(study.ask({"x": SPACE["x"]}).params["x"] for _ in range(4))
    assert min(np.diff(asked)) > 1e-3


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED])
def test_settings_that_fail_are_not_asked_for_again_and_again(state):
    study = study_of()
    run(study, 6, {"x": SPACE["x"]}, lambda params: params["x"])
    asked = []
    for _ in range(5):
        trial = study.ask({"x": SPACE["x"]})
        asked.append(trial.params["x"])
        study.tell(trial, state=state)
    assert len({round(x, 3) for x in asked}) == 5


def test_without_noise_no_setting_comes_twice_before_all_have_been_had():
    space = {"n": IntDistribution(1, 4), "c": CategoricalDistribution("ab")}
    study = study_of()
    for _ in range(2):  # which agree: there is no noise
        study.enqueue_trial({"n": 1, "c": "a"})
    found = run(study, 9, space, lambda params: params["n"] + (params["c"] == "b"))
    assert len({tuple(params.values()) for params in found[3:]} | {(1, "a")}) == 7  # six others, each once
    run(study, 2, space, lambda params: params["n"] + (params["c"] == "b"))  # and then it goes on


def test_with_noise_a_setting_may_come_again():
    generator = np.random.default_rng(0)
    study = study_of()
    space = {"n": IntDistribution(1, 6)}
    found = run(study, 20, space, lambda params: params["n"] + generator.standard_normal())
    assert found.count({"n": 1}) > 3


def same_gp(points, values):
    """The model that ``"gp"`` has, as BoTorch's."""
    fast = FastGP(Data(points.numpy(), values[:, 0].numpy(), np.ones(len(points))))
    model = SingleTaskGP(points, values)
    model.covar_module.lengthscale = torch.tensor(fast.hyperparameters.lengthscales)
    model.likelihood.noise = torch.tensor(fast.hyperparameters.noise, dtype=torch.float64)
    model.mean_module.constant.data.fill_(fast.constant)
    return model.eval()


@pytest.mark.parametrize("acquisition", ["noisy_ei", "ei"])
def test_a_surrogate_of_ones_own_that_is_the_same_suggests_the_same(acquisition):
    space = {"x": SPACE["x"], "y": FloatDistribution(0, 1)}

    def value(params):
        return (params["x"] - 0.3) ** 2 + params["y"]

    ours, theirs = (study_of(acquisition=acquisition, surrogate=each) for each in ("gp", same_gp))
    run(ours, 7, space, value)
    theirs.add_trials(ours.trials)
    one, other = (study.ask(dict(space)).params for study in (ours, theirs))
    assert [one["x"], one["y"]] == pytest.approx([other["x"], other["y"]], abs=0.02)


class Members(EnsembleModel):
    """Not Gaussian, and drawn with torch's and NumPy's global generators."""

    def __init__(self, points, values):
        super().__init__()
        self.shifts = torch.randn(6, dtype=torch.float64) * 0.1 + np.random.normal() * 0.01  # noqa: NPY002
        self._num_outputs = 1

    def forward(self, X):
        return -(X.unsqueeze(-3) - 0.7 - self.shifts[:, None, None]).square().sum(-1, keepdim=True)


def test_any_model_serves_and_global_random_states_stay():
    before = global_states()
    courses = [run(study_of(surrogate=Members), 6, {"x": SPACE["x"]}, lambda params: params["x"]) for _ in range(2)]
    assert courses[0] == courses[1]
    assert courses[0][-1]["x"] == pytest.approx(0.7, abs=0.25)
    require_untouched(before)


def test_many_settings_are_thinned():
    study = study_of()
    generator = np.random.default_rng(0)
    kinds = {"x": SPACE["x"]}
    study.add_trials(
        optuna.create_trial(params={"x": x}, distributions=kinds, value=(x - 0.25) ** 2)
        for x in generator.random(1100).tolist()
    )
    assert study.ask(kinds).params["x"] == pytest.approx(0.25, abs=0.15)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"acquisition": "kg"}, ValueError, "acquisition='kg': one of noisy_ei, ei is needed"),
        ({"surrogate": "forest"}, ValueError, "surrogate='forest': one of gp, "),
        ({"n_startup_trials": -1}, ValueError, "n_startup_trials=-1"),
        ({"num_restarts": 0}, ValueError, "num_restarts=0"),
        ({"raw_samples": 1.5}, ValueError, "raw_samples=1.5"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"independent_sampler": "tpe"}, TypeError, "independent_sampler='tpe'"),
    ],
)
def test_it_is_refused_by_name(settings, error, message):
    with pytest.raises(error, match=message):
        BOSampler(**settings)


def test_several_objectives_are_refused_before_an_evaluation():
    study, called = optuna.create_study(sampler=BOSampler(seed=0), directions=["minimize", "minimize"]), []
    with pytest.raises(InputError, match="study has 2 objectives"):
        study.optimize(called.append, n_trials=1)
    assert called == []


def test_a_surrogate_that_returns_no_model_is_refused_by_name():
    study = study_of(surrogate=lambda X, Y: None, n_startup_trials=1)
    study.tell(study.ask({"x": SPACE["x"]}), 0.0)
    with pytest.raises(TypeError, match="surrogate returned None: a fitted botorch"):
        study.ask({"x": SPACE["x"]})


def test_no_seed_is_another_seed_each_time():
    space = {"x": SPACE["x"]}
    assert run(study_of(seed=None), 1, space, lambda _: 0.0) != run(study_of(seed=None), 1, space, lambda _: 0.0)


def test_the_examples_are_true():
    assert doctest.testmod(sampler).failed == 0
