"""Surrogates by name: what all of them have to do in BoTorch."""

import copy
import random
from functools import partial

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogExpectedHypervolumeImprovement
from botorch.models import SingleTaskGP
from botorch.models.transforms.input import Normalize
from botorch.optim import optimize_acqf
from botorch.sampling.get_sampler import get_sampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning

from tests.search.bnn_surrogates import linear
from trimtab.search import (
    DeepEnsembleSurrogate,
    DeepKernelGP,
    HMCSurrogate,
    InfiniteWidthBNN,
    LinearizedLaplace,
    SGHMCSurrogate,
    make_surrogate,
)
from trimtab.search.bnn_surrogates.make import NAMES
from trimtab.study.errors import InputError

SETTINGS = {
    "gp": {},
    "hmc": {"hidden": (5,), "num_samples": 8, "burn_in": 20, "step_size": 0.05, "pretrain_steps": 20, "n_leapfrog": 4},
    "sghmc": {"hidden": (5,), "steps": 60, "burn_in": 20},
    "ensemble": {"hidden": (5,), "members": 4, "steps": 20},
    "infinite_width": {"depth": 2},
    "deep_kernel": {"hidden": (5,), "pretrain_steps": 10, "steps": 10},
    "laplace": {"hidden": (5,), "steps": 50},
}
CLASSES = {
    "gp": SingleTaskGP,
    "hmc": HMCSurrogate,
    "sghmc": SGHMCSurrogate,
    "ensemble": DeepEnsembleSurrogate,
    "infinite_width": InfiniteWidthBNN,
    "deep_kernel": DeepKernelGP,
    "laplace": LinearizedLaplace,
}
OURS = tuple(name for name in NAMES if name != "gp")
DRAWS = ("hmc", "sghmc", "ensemble")
BOUNDS = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
NEW = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
X, Y = linear.data(points=12)
TWO_X, TWO_Y = linear.data(points=12, outputs=2)


@pytest.fixture(scope="module")
def fitted():
    """Each surrogate with one output, and with two."""
    return {
        (name, len(data[1].T)): make_surrogate(name, *data, seed=0, **SETTINGS[name])
        for name in NAMES
        for data in ((X, Y), (TWO_X, TWO_Y))
    }


@pytest.mark.parametrize("name", NAMES)
def test_classes(fitted, name):
    assert type(fitted[name, 1]) is CLASSES[name]
    assert fitted[name, 2].num_outputs == 2


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", OURS)
def test_shapes_and_gradients(fitted, name, outputs):
    model = fitted[name, outputs]
    points = NEW.clone().requires_grad_()
    posterior = model.posterior(points)
    assert posterior.mean.shape == posterior.variance.shape == (4, 3, outputs)
    assert (posterior.variance > 0).all()
    samples = get_sampler(posterior, torch.Size([6]), seed=0)(posterior)
    assert samples.shape == (6, 4, 3, outputs)
    (gradient,) = torch.autograd.grad(samples.sum(), points)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0
    assert model.posterior(NEW[0]).rsample(torch.Size([2, 3])).shape == (2, 3, 3, outputs)


@pytest.mark.parametrize("name", DRAWS)
def test_samples_are_functions(fitted, name):
    """The same point twice in a batch has the same value in every sample."""
    twice = torch.stack([NEW[0, 0], NEW[0, 1], NEW[0, 0]]).expand(4, 3, 2)
    posterior = fitted[name, 2].posterior(twice)
    for samples in (posterior.rsample(torch.Size([20])), get_sampler(posterior, torch.Size([20]), seed=0)(posterior)):
        assert torch.equal(samples[..., 0, :], samples[..., 2, :])
        assert samples[..., 0, :].std(0).min() > 0


@pytest.mark.parametrize("name", OURS)
def test_expected_improvement_is_optimised(fitted, name):
    model = fitted[name, 1]
    sampler = get_sampler(model.posterior(NEW[0]), torch.Size([32]), seed=0)
    acquisition = qLogExpectedImprovement(model, best_f=Y.max(), sampler=sampler)
    torch.manual_seed(0)
    found, value = optimize_acqf(
        acquisition, BOUNDS, q=2, num_restarts=2, raw_samples=8, options={"maxiter": 8, "seed": 0}
    )
    assert found.shape == (2, 2)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert value >= acquisition(NEW[:, :2]).max() - 1e-6


@pytest.mark.parametrize("name", DRAWS)
def test_expected_improvement_of_a_point_is_that_over_draws(fitted, name):
    """As many samples as draws: BoTorch's smoothed improvement comes close to the mean over draws."""
    model = fitted[name, 1]
    posterior = model.posterior(NEW[:, :1])
    best = float(posterior.mean.mean())
    sampler = get_sampler(posterior, torch.Size([posterior.ensemble_size]), seed=0)
    acquisition = qLogExpectedImprovement(model, best_f=best, sampler=sampler, tau_relu=1e-9)
    expected = (posterior.values.squeeze((-1, -2)) - best).clamp_min(0).mean(-1)
    torch.testing.assert_close(acquisition(NEW[:, :1]).exp(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", OURS)
def test_expected_hypervolume_improvement_is_optimised(fitted, name, monkeypatch):
    monkeypatch.setattr(logei, "_load_attempted", True)  # or it compiles what makes it faster, for most of a minute
    model = fitted[name, 2]
    reference = TWO_Y.min(0).values - 0.1
    partitioning = FastNondominatedPartitioning(reference, TWO_Y)
    sampler = get_sampler(model.posterior(NEW[0]), torch.Size([16]), seed=0)
    acquisition = qLogExpectedHypervolumeImprovement(model, reference, partitioning, sampler=sampler)
    torch.manual_seed(0)
    found, value = optimize_acqf(
        acquisition, BOUNDS, q=2, num_restarts=1, raw_samples=4, options={"maxiter": 4, "seed": 0}
    )
    assert found.shape == (2, 2)
    assert value.isfinite()


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", OURS)
def test_a_state_is_restored_bit_for_bit(fitted, name, outputs):
    model = fitted[name, outputs]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    data = (X, Y) if outputs == 1 else (TWO_X, TWO_Y)
    other = make_surrogate(name, data[0], data[1].flip(0), seed=1, **SETTINGS[name])
    assert not torch.equal(other.posterior(NEW).mean, model.posterior(NEW).mean)
    if name in ("infinite_width", "deep_kernel"):  # a process takes its data from its constructor
        exact = getattr(model, "models", [model])
        fresh = copy.deepcopy(model)
        for each, own in zip(getattr(fresh, "models", [fresh]), exact, strict=True):
            for weight in each.parameters():
                weight.data.add_(0.1)
            each.load_state_dict(own.state_dict(), keep_transforms=False)
        other = fresh
    else:
        other.load_state_dict(state)
    restored, expected = other.posterior(NEW), model.posterior(NEW)
    assert torch.equal(restored.mean, expected.mean)
    assert torch.equal(restored.variance, expected.variance)
    seeded = get_sampler(expected, torch.Size([5]), seed=3)
    assert torch.equal(seeded(restored), seeded(expected))


@pytest.mark.parametrize("name", ["hmc", "sghmc", "ensemble", "laplace"])
def test_new_observations_need_a_new_fit(fitted, name):
    with pytest.raises(NotImplementedError, match="condition_on_observations"):
        fitted[name, 1].condition_on_observations(X[:1], Y[:1])


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_says_all_and_global_states_are_left(fitted, name):
    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002

    before = states()
    make = partial(make_surrogate, name, seed=0, **SETTINGS[name])
    model = make(X, Y)
    assert states() == before
    assert torch.equal(model.posterior(NEW).mean, fitted[name, 1].posterior(NEW).mean)


@pytest.mark.parametrize("name", ["gp", "infinite_width", "deep_kernel"])
def test_known_variances(name):
    noisy = make_surrogate(name, TWO_X, TWO_Y, Yvar=torch.full_like(TWO_Y, 0.5), seed=0, **SETTINGS[name])
    sure = make_surrogate(name, TWO_X, TWO_Y, Yvar=torch.full_like(TWO_Y, 1e-4), seed=0, **SETTINGS[name])
    assert noisy.posterior(TWO_X).variance.mean() > 1.2 * sure.posterior(TWO_X).variance.mean()


@pytest.mark.parametrize("name", ["hmc", "sghmc", "ensemble", "laplace"])
def test_known_variances_are_refused_by_name(name):
    with pytest.raises(InputError, match=f"Yvar: {name} has one variance"):
        make_surrogate(name, X, Y, Yvar=torch.ones_like(Y))


def test_deep_kernels_of_several_outputs_share_nothing():
    transform = Normalize(d=2)
    model = make_surrogate("deep_kernel", TWO_X, TWO_Y, seed=0, input_transform=transform, **SETTINGS["deep_kernel"])
    first, second = model.models
    assert first.extractor is not second.extractor
    assert not torch.equal(first.extractor[0].weight, second.extractor[0].weight)
    assert first.input_transform is not second.input_transform
    alone = make_surrogate(
        "deep_kernel", TWO_X, TWO_Y[:, :1], seed=0, input_transform=Normalize(d=2), **SETTINGS["deep_kernel"]
    )
    torch.testing.assert_close(alone.posterior(NEW).mean, first.posterior(NEW).mean, rtol=1e-9, atol=1e-9)


def test_bad_input():
    with pytest.raises(InputError, match="name='forest': one of gp, hmc, sghmc, ensemble"):
        make_surrogate("forest", X, Y)
    with pytest.raises(InputError, match="seed=-1"):
        make_surrogate("gp", X, Y, seed=-1)
    with pytest.raises(TypeError, match="colour"):
        make_surrogate("laplace", X, Y, colour="red")
    for Yvar, message in (
        (-0.5 * torch.ones_like(Y), "Yvar holds -0.5: variances are >= 0"),
        (torch.ones(3), r"Yvar of shape \(3,\): a tensor of variances"),
        (0.1, "Yvar=0.1: a tensor of variances"),
    ):
        with pytest.raises(InputError, match=message):
            make_surrogate("gp", X, Y, Yvar=Yvar)
    for name in NAMES:
        with pytest.raises(InputError, match="train_Y has the shape"):
            make_surrogate(name, X, Y.flatten())
        with pytest.raises(InputError, match="train_X has 1 points"):
            make_surrogate(name, X[:1], Y[:1])
