r"""The nearest orthogonal matrices, roughly and by products of matrices alone.

With the singular value decomposition :math:`G = U S V^\top`, the orthogonal factor is :math:`U V^\top`. An odd
polynomial of a matrix acts on its singular values and leaves the vectors: the iteration

.. math:: X_0 = G / \lVert G\rVert_F, \qquad X_{k+1} = a X_k + b\,(X_k X_k^\top) X_k + c\,(X_k X_k^\top)^2 X_k

drives all of them towards one. With Jordan's coefficients (2024, "Muon: An optimizer for hidden layers in neural
networks") five steps bring those above a hundredth of the norm between about 0.7 and 1.2, and no closer: small ones
grow fast, which is what counts. Products take their time from the shorter side, so that tall matrices are transposed.
"""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Coefficients: TypeAlias = tuple[float, float, float]

QUINTIC: Coefficients = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients, found by search for a large slope at zero."""

STEPS = 5

EPS = 1e-7
"""Norms below that count as so large: a matrix of zeros stays one."""


def orthogonalized(
    matrices: Sequence[Float[Tensor, "*stack m n"]],
    *,
    coefficients: Coefficients = QUINTIC,
    steps: int = STEPS,
    eps: float = EPS,
    dtype: torch.dtype = torch.bfloat16,
) -> list[Float[Tensor, "*stack m n"]]:
    """Returns the matrices with singular values near one, in the order given.

    All that have two lengths in common, in whichever order, and lie on one device are multiplied at once.

    Args:
        matrices: of any shapes, stacks of matrices among them, each of which is one by itself.
        coefficients: :math:`(a, b, c)` of the iteration.
        steps: of the iteration, >= 0.
        eps: the least norm that a matrix is divided by.
        dtype: in which products are made, and which the results have.
    """
    results: dict[int, Tensor] = {}
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, matrix in enumerate(matrices):
        alike.setdefault((*sorted(matrix.shape[-2:]), matrix.device), []).append(index)
    for indices in alike.values():
        flat = [_wide(matrices[index]).reshape(-1, *_wide(matrices[index]).shape[-2:]) for index in indices]
        found = _iterated(torch.cat(flat).to(dtype), coefficients, steps, eps)
        for index, part in zip(indices, torch.split(found, [len(each) for each in flat]), strict=True):
            results[index] = _wide(part, like=matrices[index]).reshape(matrices[index].shape)
    return [results[index] for index in range(len(matrices))]


def _wide(matrix: Tensor, like: Tensor | None = None) -> Tensor:
    """Turns a tall matrix on its side; or, what has been turned so, back."""
    rows, columns = (matrix if like is None else like).shape[-2:]
    return matrix.mT if rows > columns else matrix


def _iterated(stack: Float[Tensor, "k m n"], by: Coefficients, steps: int, eps: float) -> Float[Tensor, "k m n"]:
    a, b, c = by
    norms = torch.linalg.vector_norm(stack, dim=(-2, -1), keepdim=True).clamp(min=eps)
    stack = stack / norms
    for _ in range(steps):
        gram = stack @ stack.mT
        stack = torch.baddbmm(stack, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), stack, beta=a)
    return stack
