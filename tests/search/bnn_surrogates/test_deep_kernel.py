"""Deep kernels."""

import pytest
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.input import Normalize
from botorch.models.utils.gpytorch_modules import (
    get_gaussian_likelihood_with_gamma_prior,
    get_matern_kernel_with_gamma_prior,
)
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import nn

from tests.search.bnn_surrogates import linear
from trimtab.search import DeepKernelGP
from trimtab.search.bnn_surrogates.deep_kernel import feature_network
from trimtab.study.errors import InputError

X, Y = linear.data()
SMALL = {"hidden": (6, 4), "pretrain_steps": 30, "steps": 20, "seed": 0}
NEW = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def likelihood_of(model):
    mll = ExactMarginalLogLikelihood(model.likelihood, model).train()
    return mll(model(*model.train_inputs), model.train_targets).item()


@pytest.mark.parametrize("given", [{"extractor": nn.Identity()}, {"hidden": ()}])
def test_without_a_network_it_is_the_process_of_botorch(given):
    deep = DeepKernelGP(X, Y, **given)
    plain = SingleTaskGP(
        X,
        Y,
        covar_module=get_matern_kernel_with_gamma_prior(2),
        likelihood=get_gaussian_likelihood_with_gamma_prior(),
    )
    assert likelihood_of(deep) == pytest.approx(likelihood_of(plain), abs=1e-12)
    for model in (deep, plain):
        model.likelihood.noise = 0.07
        model.covar_module.base_kernel.lengthscale = torch.tensor([[0.4, 0.9]], dtype=torch.float64)
    assert likelihood_of(deep) == pytest.approx(likelihood_of(plain), abs=1e-12)
    torch.testing.assert_close(deep.posterior(NEW).mean, plain.posterior(NEW).mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(deep.posterior(NEW).variance, plain.posterior(NEW).variance, rtol=1e-10, atol=1e-12)


def test_it_is_the_process_on_features():
    model = DeepKernelGP(X, Y, **SMALL).fit()
    with torch.no_grad():
        features, new = model.extractor(X), model.extractor(NEW)
    assert features.shape == (20, 4)
    plain = DeepKernelGP(X, Y, extractor=nn.Identity(), covar_module=model.covar_module, likelihood=model.likelihood)
    plain.mean_module = model.mean_module
    plain.set_train_data(features, model.train_targets, strict=False)
    torch.testing.assert_close(plain.posterior(new).mean, model.posterior(NEW).mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(plain.posterior(new).variance, model.posterior(NEW).variance, rtol=1e-7, atol=1e-9)


def test_training_raises_the_likelihood_and_moves_the_network():
    model = DeepKernelGP(X, Y, **(SMALL | {"pretrain_steps": 0, "steps": 0})).fit()
    before, untouched = likelihood_of(model), [weight.clone() for weight in model.extractor.parameters()]
    model.steps = 50
    model.fit()
    assert not model.training
    assert likelihood_of(model) > before
    for old, new in zip(untouched, model.extractor.parameters(), strict=True):
        assert not torch.equal(old, new)
    assert model.likelihood.noise.item() >= 1e-4


def test_pretraining_makes_the_features_linear_in_the_outputs():
    """A least-squares line on the features fits better after it."""

    waves = torch.sin(8 * X[:, :1])

    def misfit(steps):
        model = DeepKernelGP(X, waves, **(SMALL | {"pretrain_steps": steps, "steps": 0, "lr": 0.01})).fit()
        with torch.no_grad():
            phi = linear.features(model.extractor(X))
        return float((phi @ torch.linalg.lstsq(phi, waves).solution - waves).square().mean())

    assert misfit(400) < 0.2 * misfit(0)


def test_a_large_rate_leaves_the_noise_above_its_bound():
    model = DeepKernelGP(X, Y, **(SMALL | {"lr": 0.5, "steps": 40})).fit()
    assert model.likelihood.noise.item() >= 1e-4
    assert model.posterior(NEW).mean.isfinite().all()


def test_an_extractor_of_one_s_own_is_trained_in_place():
    own = feature_network(2, (3,), "relu", torch.Generator().manual_seed(5))
    before = own[0].weight.clone()
    model = DeepKernelGP(X, Y, extractor=own, pretrain_steps=5, steps=5).fit()
    assert model.extractor is own
    assert not torch.equal(own[0].weight, before)
    assert model.covar_module.base_kernel.lengthscale.shape == (1, 3)


def test_the_same_comes_from_the_same_seed_and_global_states_are_left():
    before = torch.get_rng_state()
    models = [DeepKernelGP(X, Y, **(SMALL | {"seed": seed})).fit() for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    one, same, other = (model.posterior(NEW).mean for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_inputs_go_through_their_transform_before_the_network():
    wide = 5 + 3 * X
    transformed = DeepKernelGP(wide, Y, **SMALL, input_transform=Normalize(d=2)).fit()
    unit = (X - X.min(0).values) / (X.max(0).values - X.min(0).values)
    plain = DeepKernelGP(unit, Y, **SMALL).fit()
    torch.testing.assert_close(transformed.posterior(wide).mean, plain.posterior(unit).mean, rtol=1e-6, atol=1e-6)


def test_known_variances_take_the_place_of_the_learned_one():
    Yvar = torch.full_like(Y, 0.3)
    model = DeepKernelGP(X, Y, Yvar, **SMALL).fit()
    torch.testing.assert_close(model.likelihood.noise, (Yvar / Y.var()).squeeze(1), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": -1}, "steps=-1"),
        ({"pretrain_steps": -1}, "pretrain_steps=-1"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"extractor": nn.Flatten(0)}, r"extractor=Flatten.*makes \(40,\) of \(20, 2\)"),
        ({"activation": "erf"}, "activation='erf'"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError, match=words):
        DeepKernelGP(X, Y, **(SMALL | settings))


def test_several_outputs_are_not_one_network_s():
    with pytest.raises(InputError, match="train_Y has 2 outputs"):
        DeepKernelGP(*linear.data(outputs=2), **SMALL)
