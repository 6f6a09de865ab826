"""The laws, fitted to matrices whose law is known."""

import math

import pytest
import torch

from trimtab.primitives.lanczos import Spectrum
from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur, Wigner, pooled

P, OUTLIER = 300, 30.0


def sampled(batch, seed=0):
    """The spectrum of a mean of so many squares of random vectors, of which one direction is an outlier."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.ones(P, dtype=torch.float64)
    scale[0] = math.sqrt(OUTLIER)
    vectors = torch.randn(batch, P, generator=generator, dtype=torch.float64) * scale
    return Spectrum(torch.linalg.eigvalsh(vectors.T @ vectors / batch), torch.full((P,), 1 / P, dtype=torch.float64), P)


def test_what_a_batch_shows_is_taken_back_to_the_population():
    model = MarchenkoPastur.fitted(sampled(400), 400)
    assert model.eigenvalue == pytest.approx(OUTLIER, rel=0.15)
    assert model.variance * model.directions == pytest.approx(P - 1, rel=0.05)
    assert model.knee == pytest.approx((P - 1) / OUTLIER, rel=0.2)


@pytest.mark.parametrize("batch", [20, 60])
def test_a_large_batch_foretells_a_small_one(batch):
    model = MarchenkoPastur.fitted(sampled(400), 400)
    found = sum(float(sampled(batch, seed).ritz[-1]) for seed in range(1, 9)) / 8
    assert model.extremal(batch) == pytest.approx(found, rel=0.2)


def test_the_batch_itself_is_foretold_exactly():
    spectrum = sampled(200)
    assert MarchenkoPastur.fitted(spectrum, 200).extremal(200) == pytest.approx(float(spectrum.ritz[-1]))
    assert MarchenkoPastur.fitted(spectrum, 200, 200).eigenvalue == pytest.approx(float(spectrum.ritz[-1]))


def test_wigners_law_is_taken_back():
    model = Wigner.fitted(11.6, 1600.0, 100)
    assert model.eigenvalue == pytest.approx(10)
    assert model.extremal(100) == pytest.approx(11.6)
    assert model.knee == pytest.approx(16)
    assert model.is_outlier(100)
    assert not model.is_outlier(10)


def test_a_lone_outlier_has_no_noise():
    lone = Spectrum(torch.tensor([0.0, 5.0], dtype=torch.float64), torch.tensor([0.5, 0.5], dtype=torch.float64), 2)
    model = MarchenkoPastur.fitted(lone, 10)
    assert (model.eigenvalue, model.knee, model.extremal(1)) == (5.0, 0.0, 5.0)


def test_no_curvature_is_refused():
    with pytest.raises(ValueError, match="no curvature"):
        MarchenkoPastur.fitted(Spectrum(torch.tensor([-1.0]), torch.tensor([1.0]), 3), 10)


def test_pooled_spectra_are_a_mean():
    one, other = sampled(50, 1), sampled(50, 2)
    both = pooled([one, other])
    assert float(both.weights.sum()) == pytest.approx(1)
    assert both.moment(2) == pytest.approx((one.moment(2) + other.moment(2)) / 2)
    assert bool((both.ritz[1:] >= both.ritz[:-1]).all())
