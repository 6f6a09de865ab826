"""Orthogonal factors: what the iteration does to singular values, alone and many at once."""

import pytest
import torch
from torch.optim._muon import _zeropower_via_newtonschulz

from trimtab.primitives import newton_schulz
from trimtab.primitives.newton_schulz import EPS, QUINTIC, STEPS, orthogonalized

EXACT = {"dtype": torch.float64}
CUBIC = (1.5, -0.5, 0.0)
"""Newton's own, which ends where singular values are one."""


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def polynomial(values, steps=STEPS, by=QUINTIC):
    a, b, c = by
    for _ in range(steps):
        values = a * values + b * values**3 + c * values**5
    return values


@pytest.mark.parametrize("shape", [(4, 4), (3, 8), (8, 3), (1, 5), (5, 1), (2, 3, 7, 4)])
@pytest.mark.parametrize("steps", [0, 1, STEPS])
def test_singular_values_are_those_of_the_polynomial_and_vectors_stay(shape, steps):
    matrix = noise(*shape)
    (found,) = orthogonalized([matrix], steps=steps, **EXACT)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    norm = torch.linalg.vector_norm(matrix, dim=(-2, -1), keepdim=True)[..., 0]
    expected = left @ torch.diag_embed(polynomial(values / norm, steps)) @ right
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (5, 6), (13, 30), (30, 14), (2, 3, 7, 15)])
def test_blocks_on_and_below_the_diagonal_are_all_that_is_computed_of_symmetric_products(shape, monkeypatch):
    matrix = noise(*shape)
    (whole,) = orthogonalized([matrix], **EXACT)
    monkeypatch.setattr(newton_schulz, "FEWEST_ROWS", 4)
    (found,) = orthogonalized([matrix], **EXACT)
    torch.testing.assert_close(found, whole, rtol=1e-11, atol=1e-13)


def test_with_newtons_coefficients_it_ends_at_the_orthogonal_factor():
    matrix = noise(6, 9)
    (found,) = orthogonalized([matrix], coefficients=CUBIC, steps=60, **EXACT)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(found, left @ right, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found @ found.mT, torch.eye(6, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_five_steps_bring_singular_values_near_one():
    (found,) = orthogonalized([noise(64, 96)], **EXACT)
    values = torch.linalg.svdvals(found)
    assert 0.6 < values.min() < values.max() < 1.25


def test_many_at_once_are_each_alone():
    matrices = [
        noise(*shape, seed=seed) for seed, shape in enumerate([(4, 7), (7, 4), (4, 7), (3, 4, 7), (5, 5), (7, 7)])
    ]
    together = orthogonalized(matrices, **EXACT)
    assert [each.shape for each in together] == [each.shape for each in matrices]
    for matrix, found in zip(matrices, together, strict=True):
        (alone,) = orthogonalized([matrix], **EXACT)
        torch.testing.assert_close(found, alone, rtol=1e-12, atol=1e-13)
    for place in range(3):
        (alone,) = orthogonalized([matrices[3][place]], **EXACT)
        torch.testing.assert_close(together[3][place], alone, rtol=1e-12, atol=1e-13)


def test_a_matrix_on_its_side_gives_the_result_on_its_side():
    matrix = noise(5, 8)
    upright, aside = orthogonalized([matrix, matrix.mT.contiguous()], **EXACT)
    torch.testing.assert_close(upright.mT, aside, rtol=1e-11, atol=1e-13)


def test_scaling_changes_nothing_and_zeros_stay():
    matrix = noise(5, 8)
    (one,), (other,) = (orthogonalized([matrix * scale], **EXACT) for scale in (1.0, 1e6))
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
    (zeros,) = orthogonalized([torch.zeros(3, 4)])
    assert not zeros.any()
    tiny = torch.full((2, 2), EPS / 100, dtype=torch.float64)
    (found,) = orthogonalized([tiny], steps=0, **EXACT)
    torch.testing.assert_close(found, tiny / EPS)


@pytest.mark.parametrize("shape", [(32, 32), (16, 64), (64, 16)])
def test_it_is_that_of_torch_to_rounding(shape):
    matrix = noise(*shape).float()
    (found,) = orthogonalized([matrix])
    expected = _zeropower_via_newtonschulz(matrix, QUINTIC, STEPS, EPS)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("decades", "share"), [(1, 0.03), (2, 0.045), (3, 0.075)])
@pytest.mark.parametrize("shape", [(64, 256), (256, 64), (64, 80)])
def test_singular_values_that_span_powers_of_ten_are_brought_no_further(shape, decades, share):
    # of Gaussian noise they lie close together, and a gradient's do not: steps in a row would lose the small ones
    left, right = (torch.linalg.qr(noise(length, 64, seed=length))[0] for length in shape)
    matrix = (left * torch.logspace(0, -decades, 64, dtype=torch.float64)) @ right.mT
    (found,) = orthogonalized([matrix.float()])
    assert torch.linalg.svdvals(found.double()).max() < 1.22
    expected = _zeropower_via_newtonschulz(matrix.float(), QUINTIC, STEPS, EPS)
    assert (found - expected).norm() < share * expected.norm()


def test_nothing_is_changed_in_place():
    matrix = noise(4, 6)
    before = matrix.clone()
    orthogonalized([matrix], **EXACT)
    assert torch.equal(matrix, before)
    assert orthogonalized([]) == []


def test_threads_share_the_matrices_and_leave_their_number_as_it_was():
    matrices = [noise(*shape, seed=seed) for seed, shape in enumerate([(40, 30), (30, 40), (9, 9), (2, 5, 6), (8, 3)])]
    threads = torch.get_num_threads()
    found = {}
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found[count] = orthogonalized(matrices, **EXACT)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for alone, shared in zip(found[1], found[3], strict=True):
        torch.testing.assert_close(alone, shared, rtol=1e-11, atol=1e-13)


def test_what_goes_wrong_in_a_thread_is_raised():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(RuntimeError):
            orthogonalized([torch.ones(2, 2), torch.ones(3, 3)], steps=1, dtype=torch.int32)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_matrices_are_made_and_finished_where_they_are_iterated():
    matrices = [noise(4, 6, seed=1), noise(6, 4, seed=2)]
    found = orthogonalized(
        [torch.empty(4, 6), torch.empty(6, 4)],
        prepared=lambda index: matrices[index],
        finished=lambda index, matrix: matrix * (index + 1),
        **EXACT,
    )
    for index, (each, alone) in enumerate(zip(found, orthogonalized(matrices, **EXACT), strict=True)):
        torch.testing.assert_close(each, alone * (index + 1), rtol=1e-11, atol=1e-13)
