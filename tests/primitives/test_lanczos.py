"""Lanczos' method against dense eigenvalues, an independent implementation and its own identities."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from trimtab.primitives.lanczos import lanczos, random_direction


def symmetric(size, seed=0):
    matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (matrix + matrix.T) / 2


def times(matrix):
    return lambda vectors: [matrix @ vectors[0]]


def direction(size, seed=1, dtype=torch.float64):
    return random_direction([torch.empty(size, dtype=dtype)], torch.Generator().manual_seed(seed))


def test_as_many_steps_as_rows_give_all_eigenvalues():
    matrix = symmetric(30)
    found = lanczos(times(matrix), direction(30), 30)
    assert torch.allclose(found.ritz, torch.linalg.eigvalsh(matrix), atol=1e-8, rtol=0)
    assert found.dimension == 30


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_the_quadrature_is_exact_for_polynomials(steps):
    matrix, (start,) = symmetric(30), direction(30)
    found = lanczos(times(matrix), [3 * start], steps)  # its length does not matter
    assert float(found.weights.sum()) == pytest.approx(1, abs=1e-12)
    assert (found.weights >= 0).all()
    power = start
    for k in range(1, 2 * steps):
        power = matrix @ power
        assert found.moment(k) == pytest.approx(float(start @ power), rel=1e-9, abs=1e-9), k


def test_the_ends_of_a_spectrum_agree_with_scipy():
    matrix = symmetric(300) + torch.diag(torch.tensor([60.0, -50.0] + 298 * [0.0], dtype=torch.float64))
    found = lanczos(times(matrix), direction(300), 60)
    top, bottom = (float(eigsh(matrix.numpy(), k=1, which=which)[0][0]) for which in ("LA", "SA"))
    assert float(found.ritz[-1]) == pytest.approx(top, rel=1e-9)
    assert float(found.ritz[0]) == pytest.approx(bottom, rel=1e-9)


def test_there_are_no_ghosts_in_float32():
    values = torch.cat([torch.tensor([1000.0, 500.0]), torch.linspace(0, 1, 98)])
    found = lanczos(lambda v: [values * v[0]], direction(100, dtype=torch.float32), 60)
    assert int((found.ritz > 100).sum()) == 2  # without re-orthogonalisation 1000 is found again and again
    assert float(found.weights.sum()) == pytest.approx(1, abs=1e-12)


def test_a_start_in_an_invariant_subspace_ends_there():
    values = torch.tensor([1.0, 2.0, 5.0, 7.0], dtype=torch.float64)
    start = torch.tensor([0.6, 0.0, 0.8, 0.0], dtype=torch.float64)
    found = lanczos(lambda v: [values * v[0]], [start], 4)
    assert found.ritz.tolist() == pytest.approx([1, 5])
    assert found.weights.tolist() == pytest.approx([0.36, 0.64])


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_multiple_of_the_identity_has_one_ritz_value(value):
    found = lanczos(lambda v: [value * v[0]], direction(10), 5)
    assert found.ritz.tolist() == pytest.approx([value])
    assert found.weights.tolist() == pytest.approx([1])


def test_a_vector_may_be_several_tensors():
    matrix = symmetric(12)
    shapes = [(2, 3), (6,)]
    start = random_direction([torch.empty(shape, dtype=torch.float64) for shape in shapes], torch.Generator())

    def product(vectors):
        assert [tuple(each.shape) for each in vectors] == shapes
        flat = matrix @ torch.cat([each.reshape(-1) for each in vectors])
        return [flat[:6].view(2, 3), flat[6:]]

    whole = lanczos(times(matrix), [torch.cat([each.reshape(-1) for each in start])], 5)
    assert torch.allclose(lanczos(product, start, 5).ritz, whole.ritz, atol=1e-12)


def test_a_random_direction_is_that_of_its_generator_and_has_length_one():
    like = [torch.empty(3, 4), torch.empty(5, dtype=torch.float64)]
    first, again = (random_direction(like, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert [(each.shape, each.dtype) for each in first] == [(each.shape, each.dtype) for each in like]
    assert sum(float(each.double().square().sum()) for each in first) == pytest.approx(1, abs=1e-6)


def test_the_mean_over_random_starts_estimates_the_trace():
    matrix = symmetric(40) + 3 * torch.eye(40, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    like = [torch.empty(40, dtype=torch.float64)]
    moments = [lanczos(times(matrix), random_direction(like, generator), 2).moment(1) for _ in range(400)]
    error = float(np.std(moments)) / math.sqrt(len(moments))
    assert abs(float(np.mean(moments)) - float(matrix.trace()) / 40) < 4 * error


@pytest.mark.parametrize(("steps", "error"), [(0, ValueError), (2.5, TypeError), (True, TypeError)])
def test_bad_numbers_of_steps_are_refused(steps, error):
    with pytest.raises(error, match="steps="):
        lanczos(times(symmetric(3)), direction(3), steps)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="product number 1"):
        lanczos(lambda v: [bad * v[0]], direction(3), 2)
    with pytest.raises(ValueError, match="start has the norm"):
        lanczos(times(symmetric(3)), [torch.tensor([1.0, bad, 0.0])], 2)
    with pytest.raises(ValueError, match="start has the norm 0"):
        lanczos(times(symmetric(3)), [torch.zeros(3)], 2)
