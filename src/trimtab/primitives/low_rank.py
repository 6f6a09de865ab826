"""Dominant subspaces of a matrix: finding them, going there and back, comparing two.

A subspace is held by a basis whose rows are orthonormal, one row of it for each dimension. It is a subspace of the
matrix's rows (``"right"``) or of its columns (``"left"``).
"""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.layout import working_dtype
from trimtab.primitives.rounding import keyed_generator, rounding_key

Side: TypeAlias = Literal["left", "right"]
Matrix: TypeAlias = Float[Tensor, "rows columns"]
Basis: TypeAlias = Float[Tensor, "rank side"]

OVERSAMPLING, POWER_ITERATIONS = 8, 2
"""Of the randomised decomposition (Halko, Martinsson & Tropp, 2011, arXiv:0909.4061)."""


def dominant_basis(matrix: Matrix, rank: int, side: Side, *, seed: object | None = None) -> Basis | None:
    """Returns the singular vectors of the largest singular values, which span the dominant subspace.

    Args:
        matrix: decomposed in float32, or in float64 if it is of that type.
        rank: dimension of the subspace, from 1 to the matrix's shorter side.
        side: of which singular vectors.
        seed: with one, the decomposition is randomised, in time proportional to the rank and accurate where singular
            values fall quickly; a function of this seed. ``None`` decomposes exactly.

    Returns:
        The basis, the vector of the largest value first; each vector's sign is arbitrary. ``None`` if the matrix has no
        dominant subspace: all zero, not finite, or the decomposition does not converge.
    """
    exact = matrix.to(working_dtype(matrix.dtype))
    if not exact.isfinite().all() or not exact.any():
        return None
    try:
        left, _, right = torch.linalg.svd(exact, full_matrices=False) if seed is None else _sketched(exact, rank, seed)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # torch has no type for it
        return None
    # A copy, for a view would keep all singular vectors alive.
    return (right[:rank] if side == "right" else left[:, :rank].T).clone(memory_format=torch.contiguous_format)


def random_basis(rank: int, size: int, seed: object, like: Tensor) -> Basis:
    """Returns a random subspace, as a function of the seed.

    Args:
        rank: its dimension, at most ``size``.
        size: length of its vectors.
        seed: anything whose ``repr`` tells it from others.
        like: what has the device and the working type of the basis.
    """
    orthonormal: Tensor = torch.linalg.qr(_normal((size, rank), seed, like)).Q
    return orthonormal.T.contiguous()


def project(matrix: Matrix, basis: Basis, side: Side) -> Matrix:
    """Returns a matrix's coordinates: ``rows x rank`` on the right side, ``rank x columns`` on the left."""
    return matrix @ basis.T if side == "right" else basis @ matrix


def add_back_(matrix: Matrix, coordinates: Matrix, basis: Basis, side: Side, scale: float = 1.0) -> Matrix:
    """Adds to a matrix, in place, the one in the subspace that has these coordinates, times a number; returns it."""
    factors = (coordinates, basis) if side == "right" else (basis.T, coordinates)
    return matrix.addmm_(*factors, alpha=scale)


def overlap(one: Basis, other: Basis) -> float:
    """Returns the share of a subspace that lies in another: 1 if they are the same, 0 if they are orthogonal."""
    return (one @ other.T).square().sum().item() / len(one)


def similarity(one: Float[Tensor, " size"], other: Float[Tensor, " size"]) -> float:
    """Returns the cosine of two vectors' angle without its sign, which in singular vectors is arbitrary."""
    return torch.nn.functional.cosine_similarity(one, other, dim=0).abs().item()


def _sketched(matrix: Matrix, rank: int, seed: object) -> tuple[Tensor, Tensor, Tensor]:
    """Returns about the largest singular values and their vectors."""
    width = min(rank + OVERSAMPLING, *matrix.shape)
    range_ = torch.linalg.qr(matrix @ _normal((matrix.shape[1], width), seed, matrix)).Q
    for _ in range(POWER_ITERATIONS):
        range_ = torch.linalg.qr(matrix @ torch.linalg.qr(matrix.T @ range_).Q).Q
    left, values, right = torch.linalg.svd(range_.T @ matrix, full_matrices=False)
    return range_ @ left, values, right


def _normal(shape: tuple[int, int], seed: object, like: Tensor) -> Tensor:
    drawn = torch.randn(shape, generator=keyed_generator(rounding_key(seed)), dtype=torch.float64)
    return drawn.to(like.device, working_dtype(like.dtype))
