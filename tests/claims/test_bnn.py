"""What exists for the claim on networks as surrogates only: its models and its loop."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from botorch.models import SingleTaskGP
from gpytorch.kernels import MaternKernel

from trimtab.claims import bnn as claim
from trimtab.claims.functions import polynomial, quasi_random
from trimtab.lab.problem import Workplace
from trimtab.search import DeepEnsembleSurrogate, HMCSurrogate, InfiniteWidthBNN, LinearizedLaplace
from trimtab.search.bnn_surrogates.tuning import RejectedChainError
from trimtab.study.point import Point
from trimtab.testing.global_randomness import global_states, require_untouched

SMALL = replace(claim.PLACES["Branin"], first=4, more=10)


@pytest.fixture
def cheap(monkeypatch):
    """Few steps of every search and of every training; what models are is left as it is."""
    monkeypatch.setattr(claim, "SEARCH_STEPS", 3)
    monkeypatch.setattr(claim, "DRAWS", 8)
    for name in (claim.ENSEMBLE, claim.LAPLACE):
        monkeypatch.setitem(claim.MODELS, name, partial(claim.MODELS[name], steps=20))
    short = partial(claim.MODELS[claim.HMC], num_samples=3, burn_in=6, pretrain_steps=20)
    monkeypatch.setitem(claim.MODELS, claim.HMC, short)


def test_the_old_process_has_the_priors_of_old():
    points = quasi_random(3, 6, 0)
    place = replace(claim.PLACES["Branin"], dimension=3)
    model = claim.old_process(place, points, points.sum(1, keepdim=True), 0)
    kernel, likelihood = model.covar_module, model.likelihood
    assert isinstance(kernel.base_kernel, MaternKernel)
    assert kernel.base_kernel.nu == 2.5
    assert kernel.base_kernel.lengthscale.shape == (1, 3)
    priors = kernel.base_kernel.lengthscale_prior, kernel.outputscale_prior, likelihood.noise_covar.noise_prior
    found = [
        (type(prior).__name__, round(float(prior.concentration), 6), round(float(prior.rate), 6)) for prior in priors
    ]
    assert found == [("GammaPrior", 3, 6), ("GammaPrior", 2, 0.15), ("GammaPrior", 1.1, 0.05)]
    assert float(likelihood.noise_covar.raw_noise_constraint.lower_bound) == pytest.approx(1e-4)
    assert not isinstance(claim.new_process(place, points, points[:, :1], 0).covar_module, type(kernel))


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        (claim.OLD, SingleTaskGP, {}),
        (claim.NEW, SingleTaskGP, {}),
        (claim.WIDE, InfiniteWidthBNN, {}),
        (claim.ENSEMBLE, DeepEnsembleSurrogate, {"members": 10, "asked": (10.0, 0.1), "tune": None}),
        (claim.LAPLACE, LinearizedLaplace, {"asked": (10.0, 0.1)}),
        (claim.HMC, HMCSurrogate, {"asked": (10.0, 0.1), "tune": None}),
    ],
)
def test_every_model_searches_and_begins_where_all_do(name, kind, settings, cheap, monkeypatch):
    made, fit = [], claim.MODELS[name]
    monkeypatch.setitem(claim.MODELS, name, lambda *given: made.append(fit(*given)) or made[-1])
    before = global_states()
    points, missed = claim.searched(SMALL, name, 3)
    require_untouched(before)
    spread = quasi_random(2, 14, 3)
    assert (points.shape, missed, len(made)) == ((14, 2), 0, 2)
    assert torch.equal(points[:4], spread[:4])
    assert not torch.equal(points[4:], spread[4:])
    assert ((points >= 0) & (points <= 1)).all()
    assert {type(each) for each in made} == {kind}
    assert {key: getattr(made[0], key) for key in settings} == settings
    assert torch.equal(claim.searched(SMALL, name, 3)[0], points)


@pytest.mark.parametrize(("place", "bias_var"), [("Branin", 1.3), ("polynomial", 1.6)])
def test_the_variances_of_the_infinitely_wide_network_stay_as_they_are(place, bias_var):
    points = quasi_random(4, 8, 0)
    kernel = claim.infinitely_wide(claim.PLACES[place], points, points[:, :1], 0).covar_module
    assert (kernel.depth, kernel.weight_var.item(), kernel.bias_var.item()) == (
        3,
        pytest.approx(10),
        pytest.approx(bias_var),
    )


def test_the_chain_has_the_lengths_that_are_told():
    chain = claim.MODELS[claim.HMC]
    assert chain.keywords == {"num_samples": 100, "burn_in": 200}


@pytest.mark.filterwarnings("ignore:A not p.d.:linear_operator.utils.warnings.NumericalWarning")  # close to the maximum
def test_a_search_by_a_model_that_knows_the_function_ends_higher():
    bowl = replace(SMALL, draw=lambda *_: lambda points: -(points - 0.3).square().sum(-1), more=20)
    depth = {
        name: sum(bowl.draw(2, 0)(claim.searched(bowl, name, seed)[0]).max().item() for seed in (5, 6, 7))
        for name in (claim.SPREAD, claim.NEW)
    }
    assert 0 >= depth[claim.NEW] > depth[claim.SPREAD] / 10


def test_a_round_without_a_model_takes_the_quasi_random_points_that_are_next(monkeypatch):
    def reject(*_):
        raise RejectedChainError("it hardly moved")

    monkeypatch.setitem(claim.MODELS, claim.NEW, reject)
    points, missed = claim.searched(SMALL, claim.NEW, 3)
    assert missed == 2
    assert torch.equal(points, quasi_random(2, 14, 3))
    assert torch.equal(points, claim.searched(SMALL, claim.SPREAD, 3)[0])

    def break_down(*_):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setitem(claim.MODELS, claim.NEW, break_down)
    with pytest.raises(RuntimeError, match="a mistake"):
        claim.searched(SMALL, claim.NEW, 3)


def test_random_corners_are_those_next_to_the_quasi_random_points():
    points, missed = claim.searched(SMALL, claim.CORNERS, 3)
    spread = quasi_random(2, 14, 3)
    assert torch.equal(points, torch.cat([spread[:4], (spread[4:] > 0.5).double()]))
    assert missed == 0


def test_how_many_settings_are_at_a_bound_is_measured_of_what_was_chosen(tmp_path):
    point = Point("bnn", "final", "random corners, Branin", 0, {}, 7)
    outcome = claim.CLAIM.arm(point.candidate).outcome(point, lambda *_: False, Workplace(tmp_path))
    assert outcome.measures["settings at a bound"] == 1


def test_the_best_value_is_in_standard_deviations_above_the_mean(tmp_path):
    point = Point("bnn", "final", "quasi-random, polynomial", 0, {}, 7)
    outcome = claim.CLAIM.arm(point.candidate).outcome(point, lambda *_: False, Workplace(tmp_path))
    values = polynomial(100, 7)(quasi_random(100, 1024, 7)).numpy()
    best = values[:80].max()
    assert outcome.measures == {
        "best value": pytest.approx((best - values.mean()) / values.std(ddof=1)),
        "its value": pytest.approx(best),
        "settings at a bound": 0,
        "rounds without a model": 0,
    }
    assert (outcome.status, outcome.loss) == ("complete", None)


def test_what_decides_has_more_seeds_and_what_is_beside_it_does_not():
    seeds = {arm.name: arm.test_seeds for arm in claim.CLAIM.arms}
    assert len(seeds) == 4 * 7 + 1
    deciding = {name for each in claim.CLAIM.comparisons if each.decides for name in each.arms}
    assert {name for name, each in seeds.items() if each == claim.DECIDING_SEEDS} == deciding | {
        f"{floor}, {place}" for floor in claim.FLOORS for place in claim.MANY
    }
    assert {min(each) for each in seeds.values()} == {1000}


def test_the_claim_is_known_without_botorch():
    code = "import sys; import trimtab.claims.bnn; print('botorch' in sys.modules, 'gpytorch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
