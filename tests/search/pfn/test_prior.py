"""The prior: its functions have the moments and the smoothness that it says."""

import math

import pytest
import torch
from gpytorch.kernels import MaternKernel

from trimtab.search.pfn.prior import GaussianProcessPrior
from trimtab.study.errors import InputError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_observations_have_the_covariance_of_the_kernel():
    prior = GaussianProcessPrior(d_max=2, spread=0.0, noise=0.01, unused=0.0)
    x = torch.rand(4, 2, generator=generator(), dtype=torch.float64)
    y, scales = prior.observations(x.expand(40_000, -1, -1), generator(1))
    kernel = MaternKernel(nu=2.5).double()
    kernel.lengthscale = 0.4
    expected = kernel(x).to_dense().detach() + 0.01 * torch.eye(4)
    assert torch.all(scales == 0.4)
    assert torch.allclose(y.mT @ y / len(y), expected, atol=0.03)
    assert y.mean(0).abs().max() < 0.03


def test_length_scales_are_log_normal_clipped_and_grow():
    prior = GaussianProcessPrior(d_max=8, unused=0.0)
    for d, growth in ((1, 1), (2, 1), (8, 2)):
        scales = prior.length_scales(4000, d, generator()) / growth
        assert scales.log().mean().item() == pytest.approx(math.log(0.4), abs=0.03)
        assert scales.log().std().item() == pytest.approx(0.5, abs=0.03)
    wide = GaussianProcessPrior(spread=3.0, unused=0.0).length_scales(1000, 2, generator())
    assert (wide.min().item(), wide.max().item()) == pytest.approx((0.08, 3.0))


def test_inputs_are_unused_as_often_as_they_should_and_never_all():
    scales = GaussianProcessPrior(d_max=2, unused=0.5).length_scales(20_000, 2, generator())
    unused = torch.isinf(scales).double()
    assert unused.mean().item() == pytest.approx(0.25, abs=0.01)  # one of two in half of the functions
    assert unused.sum(1).max() == 1


def test_a_function_does_not_depend_on_inputs_that_it_does_not_use():
    prior = GaussianProcessPrior(d_max=2, noise=1e-8, unused=0.6)
    x = torch.rand(300, 1, 2, generator=generator(), dtype=torch.float64).repeat(1, 2, 1)
    x[:, 1, 0] = 1 - x[:, 0, 0]
    y, scales = prior.observations(x, generator(1))
    moved = (y[:, 0] - y[:, 1]).abs()
    assert moved[scales[:, 0].isinf()].max() < 1e-3
    assert moved[~scales[:, 0].isinf()].median() > 0.1


def test_numbers_of_inputs_are_drawn_as_often_as_there_are_inputs():
    prior, source = GaussianProcessPrior(d_max=3), generator()
    drawn = [prior.sample(1, 2, source)[0].shape[-1] for _ in range(600)]
    assert [drawn.count(d) / 600 for d in (1, 2, 3)] == pytest.approx([1 / 6, 1 / 3, 1 / 2], abs=0.06)
    assert {GaussianProcessPrior(3, d_min=3).sample(1, 2, source)[0].shape[-1] for _ in range(20)} == {3}


def test_draws_are_the_generators():
    prior, state = GaussianProcessPrior(), torch.get_rng_state()
    (x, y), (x2, y2), (x3, _) = (prior.sample(3, 4, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(x, x2)
    assert torch.equal(y, y2)
    assert not (x.shape == x3.shape and torch.equal(x, x3))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "settings",
    [
        {"d_max": 0},
        {"d_min": 3},
        {"median": 0.0},
        {"spread": -1.0},
        {"least": 3.0},
        {"noise": 0.0},
        {"unused": 1.0},
        {"median": math.nan},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        GaussianProcessPrior(**settings)
