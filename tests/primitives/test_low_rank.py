import pytest
import torch

from trimtab.primitives.low_rank import (
    add_back_,
    dominant_basis,
    overlap,
    project,
    random_basis,
    similarity,
)
from trimtab.primitives.memory import storage_bytes


def matrix(rows=8, columns=5, dtype=torch.float64, seed=0):
    return torch.randn(rows, columns, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def project_back(coordinates, basis, side):
    rows = len(coordinates) if side == "right" else basis.shape[1]
    columns = basis.shape[1] if side == "right" else coordinates.shape[1]
    return add_back_(torch.zeros(rows, columns, dtype=basis.dtype), coordinates, basis, side)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (5, 5)])
def test_rows_are_orthonormal_and_as_long_as_the_side(shape, side, seed):
    basis = dominant_basis(matrix(*shape), 2, side, seed=seed)
    assert basis.shape == (2, shape[side == "right"])
    assert (basis @ basis.T - torch.eye(2)).abs().max() < 1e-12
    assert basis.is_contiguous()
    assert storage_bytes(basis) == basis.nbytes


@pytest.mark.parametrize("side", ["left", "right"])
def test_no_subspace_of_that_dimension_holds_more_of_the_matrix(side):
    given = matrix()
    basis = dominant_basis(given, 2, side)
    kept = project_back(project(given, basis, side), basis, side)
    values = torch.linalg.svdvals(given)
    assert (given - kept).square().sum() == pytest.approx(values[2:].square().sum().item(), rel=1e-12)
    other = random_basis(2, given.shape[side == "right"], 0, given)
    assert (given - project_back(project(given, other, side), other, side)).norm() > (given - kept).norm()


@pytest.mark.parametrize("side", ["left", "right"])
def test_with_full_rank_nothing_is_lost(side):
    given = matrix(5, 5)
    basis = dominant_basis(given, 5, side)
    assert torch.allclose(project_back(project(given, basis, side), basis, side), given, atol=1e-13)


def test_the_randomized_decomposition_finds_a_subspace_that_stands_out():
    left, _ = torch.linalg.qr(matrix(60, 60))
    right, _ = torch.linalg.qr(matrix(40, 40, seed=1))
    values = 0.5 ** torch.arange(40, dtype=torch.float64)
    given = left[:, :40] * values @ right
    for side in ("left", "right"):
        exact, drawn = dominant_basis(given, 3, side), dominant_basis(given, 3, side, seed=7)
        assert overlap(exact, drawn) > 1 - 1e-9
        assert torch.equal(drawn, dominant_basis(given, 3, side, seed=7))
        assert not torch.equal(drawn, dominant_basis(given, 3, side, seed=8))


def test_random_numbers_are_nobody_elses():
    state = torch.get_rng_state()
    dominant_basis(matrix(), 2, "left", seed=0)
    random_basis(2, 5, 0, matrix())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("value", [0.0, torch.nan, torch.inf])
@pytest.mark.parametrize("seed", [None, 0])
def test_what_has_no_dominant_subspace(value, seed):
    given = torch.zeros(4, 3)
    given[1, 1] = value
    assert dominant_basis(given, 2, "right", seed=seed) is None


def test_a_decomposition_that_fails_is_none(monkeypatch):
    def fail(*_, **__):
        raise torch.linalg.LinAlgError("did not converge")

    monkeypatch.setattr(torch.linalg, "svd", fail)
    assert dominant_basis(matrix(), 2, "right") is None


@pytest.mark.parametrize(("given", "working"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_decompositions_are_in_working_precision(given, working):
    assert dominant_basis(matrix(dtype=torch.float64).to(given), 2, "right").dtype == working


def test_random_subspaces_are_functions_of_the_seed():
    like = matrix()
    one = random_basis(3, 6, (1, "a"), like)
    assert (one @ one.T - torch.eye(3)).abs().max() < 1e-12
    assert torch.equal(one, random_basis(3, 6, (1, "a"), like))
    assert not torch.equal(one, random_basis(3, 6, (2, "a"), like))


def test_overlap_and_similarity_do_not_see_signs():
    basis = dominant_basis(matrix(), 2, "right")
    assert overlap(basis, -basis.flip(0)) == pytest.approx(1)
    assert similarity(basis[0], -basis[0]) == pytest.approx(1)
    e = torch.eye(4)
    assert overlap(e[:2], e[2:]) == 0
    assert overlap(e[:2], e[1:3]) == 0.5
    assert similarity(e[0], e[1]) == 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_is_added_back_is_scaled_and_in_place(side):
    given, added = matrix(), matrix(seed=1)
    basis = dominant_basis(added, 2, side)
    coordinates, before = project(added, basis, side), given.clone()
    assert add_back_(given, coordinates, basis, side, 0.25) is given
    assert torch.allclose(given, before + 0.25 * project_back(coordinates, basis, side))
