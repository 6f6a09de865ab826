"""A posterior of finitely many functions, and its sampler."""

import pytest
import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.sampling.get_sampler import get_sampler
from botorch.sampling.index_sampler import IndexSampler

from trimtab.search.bnn_surrogates.draws_posterior import DrawsPosterior, DrawsSampler

NOISE = torch.tensor([0.3, 2.0], dtype=torch.float64)


def values(*batch, members=7, q=3, m=2):
    return torch.randn(*batch, members, q, m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("batch", [(), (4,), (2, 5)])
def test_a_sample_is_one_member_at_all_points_and_of_the_same_number_in_all_batches(batch):
    posterior = DrawsPosterior(values(*batch))
    sampler = get_sampler(posterior, torch.Size([10]), seed=1)
    assert isinstance(sampler, DrawsSampler)
    assert isinstance(sampler, IndexSampler)
    samples = sampler(posterior)
    assert samples.shape == (10, *batch, 3, 2)
    numbers = sampler.base_samples.tolist()
    expected = torch.stack([posterior.values[..., number, :, :] for number in numbers])
    assert torch.equal(samples, expected)


def test_members_come_equally_often():
    posterior = DrawsPosterior(values())
    for count in (3, 7, 14, 20):
        drawn = DrawsSampler(torch.Size([count]), seed=0)
        drawn(posterior)
        times = torch.bincount(drawn.base_samples, minlength=7)
        assert times.max() - times.min() <= 1
    mean = DrawsSampler(torch.Size([2, 7]), seed=0)(posterior).mean((0, 1))
    torch.testing.assert_close(mean, posterior.mean, rtol=1e-14, atol=1e-14)


def test_a_sampler_is_fixed_by_its_seed_and_touches_no_global_state():
    posterior, larger = DrawsPosterior(values()), DrawsPosterior(values(members=50))
    before = torch.get_rng_state()
    one, same, other = (DrawsSampler(torch.Size([20]), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one(posterior), same(posterior))
    assert torch.equal(one(posterior), one(posterior))
    assert not torch.equal(one(posterior), other(posterior))
    one(larger)
    assert one.base_samples.unique().numel() == 20  # anew, for as many members as there are now
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_adds_to_variances_and_samples():
    functions, observed = DrawsPosterior(values(4)), DrawsPosterior(values(4), NOISE)
    assert torch.equal(observed.mean, functions.mean)
    torch.testing.assert_close(observed.variance, functions.variance + NOISE, rtol=1e-14, atol=0)
    size = torch.Size([4000])
    sampler = get_sampler(observed, size, seed=2)
    assert torch.equal(sampler(observed), sampler(observed))
    noise = sampler(observed) - get_sampler(functions, size, seed=2)(functions)
    # of 4 000 draws a variance is known within 2.2 %, and a mean within 1.6 % of its deviation
    torch.testing.assert_close(noise.var(0), NOISE.expand(4, 3, 2), rtol=0.09, atol=0)
    assert (noise.mean(0).abs() < 4 * NOISE.sqrt() / 4000**0.5).all()
    before = torch.get_rng_state()
    drawn = observed.rsample(size)
    torch.set_rng_state(before)
    assert drawn.shape == (4000, 4, 3, 2)
    spread = values(4).var(1, correction=0)  # draws are of the members, so their variance is that of all of them
    torch.testing.assert_close(drawn.var(0), spread + NOISE, rtol=0.12, atol=0)


def test_numbers_of_members_tell_no_noise():
    with pytest.raises(UnsupportedError, match="observation_noise"):
        DrawsPosterior(values(), NOISE).rsample_from_base_samples(torch.Size([1]), torch.zeros(1, dtype=torch.long))
