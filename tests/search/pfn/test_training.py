"""Training: where the loss begins, what it comes to on a prior that has a closed form, and that a seed decides all."""

import io
import math

import pytest
import torch

from trimtab.search.pfn import training
from trimtab.search.pfn.bar_distribution import BarDistribution
from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.prior import GaussianProcessPrior
from trimtab.search.pfn.training import prior_borders, train_pfn
from trimtab.study.errors import InputError

SMALL = {"width": 16, "heads": 2, "layers": 1, "buckets": 20, "batch": 8}


class Lines:
    """y = w x + noise, x in [0, 1], w normal, noise of standard deviation .1."""

    d_max = 1

    def sample(self, functions, points, generator):
        x = torch.rand(functions, points, 1, generator=generator, dtype=torch.float64)
        slope = torch.randn(functions, 1, generator=generator, dtype=torch.float64)
        noise = 0.1 * torch.randn(functions, points, generator=generator, dtype=torch.float64)
        return x, slope * x.squeeze(-1) + noise


def test_equal_masses_are_where_the_loss_begins():
    """The loss of equal masses is the entropy of a normal observation, and that of an untrained network is about it."""
    prior, losses = GaussianProcessPrior(), []
    bars = BarDistribution(prior_borders(prior, torch.Generator().manual_seed(0), buckets=20))
    y = torch.randn(20_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert -bars.log_prob(torch.zeros(20).double(), y).mean().item() == pytest.approx(entropy, abs=0.02)
    train_pfn(prior, 1, 0, **{**SMALL, "batch": 300}, report=lambda _, loss: losses.append(loss))
    assert losses[0] == pytest.approx(entropy, abs=0.2)


def test_borders_have_equal_masses():
    prior = GaussianProcessPrior()
    borders = prior_borders(prior, torch.Generator().manual_seed(0), buckets=10)
    y = torch.cat([prior.sample(500, 5, torch.Generator().manual_seed(seed))[1].flatten() for seed in range(1, 9)])
    masses = torch.histogram(y, borders).hist / len(y)
    expected = torch.tensor([0.05, *[0.1] * 8, 0.05], dtype=torch.float64)  # half of the outermost lies beyond
    assert torch.allclose(masses, expected, atol=0.02)
    normal = torch.distributions.Normal(0.0, math.sqrt(1 + 1e-4)).icdf(torch.linspace(0.1, 0.9, 9).double())
    assert torch.allclose(borders[1:-1], normal, atol=0.06)


def test_lines_are_predicted_as_bayes_rule_has_it():
    network = train_pfn(Lines(), 550, 0, width=32, heads=2, layers=1, buckets=200, batch=16, lr=8e-3)
    x, y = Lines().sample(200, 30, torch.Generator().manual_seed(1))
    seen, query = x[:, :12], x[:, 12:]
    precision = 1 + (seen.squeeze(-1) ** 2).sum(1, keepdim=True) / 0.01
    slope = (seen.squeeze(-1) * y[:, :12]).sum(1, keepdim=True) / 0.01 / precision
    predicted = network.distribution().mean(network(seen, y[:, :12], query).double())
    error = predicted - slope * query.squeeze(-1)
    assert error.square().mean().sqrt().item() < 0.05


def test_the_seed_decides_all():
    state = torch.get_rng_state()
    one, other, third = (train_pfn(Lines(), 3, seed, **SMALL) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert not torch.equal(one.embed_x.weight, third.embed_x.weight)


def test_the_rate_rises_and_falls():
    shares = [training._share_of_rate(step, 7000) for step in range(7000)]
    assert shares[0] == pytest.approx(1 / 200)
    assert max(shares) == shares[199] == shares[200] == 1
    assert shares[3600] == pytest.approx(0.5)
    assert 0 < shares[-1] < 1e-6


@pytest.mark.parametrize("settings", [{"steps": 0}, {"seed": -1}, {"lr": 0.0}, {"lr": math.nan}, {"batch": 0}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        train_pfn(**{"prior": GaussianProcessPrior(), "steps": 1, "seed": 0, **settings})


def test_the_command_writes_a_network_and_says_how_good_it_is(tmp_path):
    out, path = io.StringIO(), tmp_path / "net.safetensors"
    training.main(["--inputs", "3", "--steps", "2", "--out", str(path), "--batch", "4", "--functions", "4"], out)
    assert "20 observations: held-out loss" in out.getvalue()
    network = PFN.load(path)
    assert (network.d_max, network.sizes.most_context) == (3, 50)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(207_000, abs=1000)
    assert path.stat().st_size < 1_000_000
