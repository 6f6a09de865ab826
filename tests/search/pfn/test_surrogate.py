"""The surrogate: all outputs at once are each output alone; what it refuses."""

import math

import pytest
import torch
from botorch.exceptions.errors import UnsupportedError

from trimtab.search.pfn.surrogate import PFNSurrogate
from trimtab.study.errors import InputError


def data(n=8, d=3, m=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, d, generator=generator, dtype=torch.float64)
    return x, torch.randn(n, m, generator=generator, dtype=torch.float64)


def queries(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_all_outputs_at_once_are_each_alone(untrained):
    x, y = data()
    model, points = PFNSurrogate(x, y, untrained), queries(6, 1, 3)
    together = model.posterior(points)
    assert together.logits.shape == (6, 1, 4, 20)
    assert (together.mean.shape, together.variance.shape) == ((6, 1, 4), (6, 1, 4))
    for j in range(4):
        alone = PFNSurrogate(x, y[:, [j]], untrained).posterior(points)
        direct = untrained(x[None], y[None, :, j], points.reshape(1, 6, 3))
        assert torch.allclose(together.logits[..., [j], :], alone.logits, atol=1e-12)
        assert torch.allclose(alone.logits[:, 0, 0], direct[0], atol=1e-12)
    chosen = model.posterior(points, output_indices=[2, 0])
    assert torch.allclose(chosen.logits, together.logits[..., [2, 0], :], atol=1e-12)


def test_batches_of_any_shape_have_their_points_in_place(untrained):
    model, points = PFNSurrogate(*data(), untrained), queries(2, 5, 1, 3)
    found = model.posterior(points).mean
    assert found.shape == (2, 5, 1, 4)
    assert torch.allclose(found[1, 3], model.posterior(points[1, 3]).mean, atol=1e-12)


def test_the_posterior_has_quantiles_densities_and_draws(untrained):
    posterior = PFNSurrogate(*data(), untrained).posterior(queries(3, 1, 3))
    quantiles = posterior.quantile(torch.tensor([0.1, 0.5, 0.9]).double())
    assert quantiles.shape == (3, 3, 1, 4)
    assert torch.allclose(posterior.distribution.cdf(posterior.logits, quantiles[1]), torch.tensor(0.5).double())
    assert torch.allclose(
        posterior.density(torch.tensor([0.3]).double())[0],
        posterior.distribution.log_prob(posterior.logits, 0.3).exp(),
    )
    draws = posterior.rsample(torch.Size([4000]), generator=torch.Generator().manual_seed(0))
    assert draws.shape == (4000, 3, 1, 4)
    assert torch.allclose(draws.mean(0), posterior.mean, atol=0.15)
    assert (posterior.dtype, posterior.device) == (torch.float64, torch.device("cpu"))
    with pytest.raises(InputError, match="generator=None"):
        posterior.sample(torch.Size([2]))


def test_gradients_reach_the_points(untrained):
    model, points = PFNSurrogate(*data(), untrained), queries(1, 1, 3)
    assert torch.autograd.gradcheck(lambda x: model.posterior(x).mean, points.requires_grad_(), eps=1e-6, atol=1e-6)


def test_more_observations_than_in_training_are_warned_of(untrained):
    with pytest.warns(UserWarning, match="51 observations: the network was trained on at most 50"):
        PFNSurrogate(*data(51), untrained)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.rand(3, 5), torch.zeros(3, 1), "from 1 to 4 inputs"),
        (torch.rand(3, 2) + 1, torch.zeros(3, 1), r"in \[0, 1\]"),
        (torch.rand(3, 2), torch.full((3, 1), math.nan), "y_context: finite"),
        (torch.rand(3, 2) * math.nan, torch.zeros(3, 1), r"in \[0, 1\]"),
        (torch.rand(0, 2), torch.zeros(0, 1), "at least one observation"),
        (torch.rand(3, 2), torch.zeros(3), "train_X and train_Y"),
        (torch.rand(3, 2), torch.zeros(2, 1), "train_X and train_Y"),
        (torch.rand(3, 2), torch.zeros(3, 0), "train_X and train_Y"),
    ],
)
def test_observations_that_cannot_be_are_refused(untrained, x, y, message):
    with pytest.raises(InputError, match=message):
        PFNSurrogate(x, y, untrained)


def test_points_that_cannot_be_are_refused(untrained):
    model = PFNSurrogate(*data(), untrained)
    with pytest.raises(UnsupportedError, match="only single points"):
        model.posterior(queries(4, 2, 3))
    with pytest.raises(UnsupportedError, match="observation_noise"):
        model.posterior(queries(4, 1, 3), observation_noise=torch.ones(1))
    with pytest.raises(UnsupportedError, match="posterior_transform"):
        model.posterior(queries(4, 1, 3), posterior_transform=abs)
    with pytest.raises(InputError, match=r"X: all inputs must be in \[0, 1\]"):
        model.posterior(queries(4, 1, 3) + 0.9)
    with pytest.raises(InputError, match="3 inputs were observed"):
        model.posterior(queries(4, 1, 2))
