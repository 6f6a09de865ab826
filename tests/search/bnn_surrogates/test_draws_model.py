"""Posteriors of models that keep draws."""

import pytest
import torch
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.transforms.input import Normalize
from botorch.models.transforms.outcome import Log, Standardize

from tests.search.bnn_surrogates import linear
from trimtab.search import DeepEnsembleSurrogate

X, Y = linear.data(outputs=2)
SMALL = {"hidden": (4,), "members": 3, "steps": 20, "seed": 0}
NEW = torch.rand(5, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_values_are_networks_in_the_units_of_the_outputs():
    model = DeepEnsembleSurrogate(X, Y, **SMALL).fit()
    posterior = model.posterior(NEW)
    raw = model.network(model.weight_draws, NEW.reshape(-1, 2)).reshape(3, 5, 3, 2).movedim(0, 1)
    torch.testing.assert_close(posterior.values, Y.mean(0) + Y.std(0) * raw, rtol=1e-12, atol=1e-12)
    bare = DeepEnsembleSurrogate(X, linear.standard(Y), outcome_transform=None, **SMALL).fit()
    assert not hasattr(bare, "outcome_transform")
    torch.testing.assert_close(bare.posterior(NEW).values, raw, rtol=1e-9, atol=1e-9)


def test_a_choice_of_outputs():
    model = DeepEnsembleSurrogate(X, Y, **SMALL).fit()
    both, second = (model.posterior(NEW, output_indices=chosen, observation_noise=True) for chosen in (None, [1]))
    assert torch.equal(second.values, both.values[..., 1:])
    assert torch.equal(second.variance, both.variance[..., 1:])


def test_noise_is_in_units_of_the_outputs():
    model = DeepEnsembleSurrogate(X, Y, **SMALL, noise_var=0.4).fit()
    added = model.posterior(NEW, observation_noise=True).variance - model.posterior(NEW).variance
    torch.testing.assert_close(added, (0.4 * Y.var(0)).expand(5, 3, 2), rtol=1e-10, atol=0)
    own = torch.rand(5, 3, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    added = model.posterior(NEW, observation_noise=own).variance - model.posterior(NEW).variance
    torch.testing.assert_close(added, own * Y.var(0), rtol=1e-9, atol=1e-12)


def test_an_outcome_transform_that_is_not_linear():
    model = DeepEnsembleSurrogate(X, Y.exp(), **SMALL, outcome_transform=Log()).fit()
    plain = DeepEnsembleSurrogate(X, Y, **SMALL, outcome_transform=None).fit()
    torch.testing.assert_close(model.posterior(NEW).values, plain.posterior(NEW).values.exp(), rtol=1e-9, atol=0)
    with pytest.raises(UnsupportedError, match="observation_noise"):
        model.posterior(NEW, observation_noise=True)


def test_inputs_go_through_their_transform():
    wide = 5 + 3 * X
    model = DeepEnsembleSurrogate(wide, Y, **SMALL, input_transform=Normalize(d=2)).fit()
    unit = (X - X.min(0).values) / (X.max(0).values - X.min(0).values)
    plain = DeepEnsembleSurrogate(unit, Y, **SMALL).fit()
    model.train()  # and back, by posterior: what was learned of the inputs stays
    torch.testing.assert_close(model.posterior(wide[:4]).values, plain.posterior(unit[:4]).values, rtol=1e-9, atol=1e-9)


def test_posterior_transforms_are_called_as_botorch_does():
    seen = {}

    def transform(posterior, X):
        seen.update(posterior=posterior, X=X)
        return "transformed"

    model = DeepEnsembleSurrogate(X, Y, **SMALL).fit()
    assert model.posterior(NEW, posterior_transform=transform) == "transformed"
    assert torch.equal(seen["X"], NEW)
    assert torch.equal(seen["posterior"].mean, model.posterior(NEW).mean)
    weights = torch.ones(2, dtype=torch.float64)
    with pytest.raises(NotImplementedError):  # for no ensemble BoTorch has a weighted sum
        model.posterior(NEW, posterior_transform=ScalarizedPosteriorTransform(weights))


def test_an_outcome_transform_of_one_s_own_is_fitted_to_the_outputs():
    model = DeepEnsembleSurrogate(X, Y, **SMALL, outcome_transform=Standardize(m=2))
    torch.testing.assert_close(model.targets, linear.standard(Y), rtol=1e-13, atol=1e-13)
