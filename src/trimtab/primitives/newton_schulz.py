r"""The nearest orthogonal matrices, roughly and by products of matrices alone.

With the singular value decomposition :math:`G = U S V^\top`, the orthogonal factor is :math:`U V^\top`. An odd
polynomial of a matrix acts on its singular values and leaves the vectors: the iteration

.. math:: X_0 = G / \lVert G\rVert_F, \qquad X_{k+1} = a X_k + b\,(X_k X_k^\top) X_k + c\,(X_k X_k^\top)^2 X_k

drives all of them towards one. With Jordan's coefficients (2024, "Muon: An optimizer for hidden layers in neural
networks") five steps bring those above a hundredth of the norm between about 0.7 and 1.2, and no closer: small ones
grow fast, which is what counts. Products take their time from the shorter side, so that tall matrices are transposed.

An accelerator is filled by many matrices that are multiplied at once. On a CPU one product of a few hundred rows leaves
threads waiting for each other, and many at once do so as well: there each thread gets matrices of its own.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Coefficients: TypeAlias = tuple[float, float, float]
Stack: TypeAlias = Float[Tensor, "k m n"]

QUINTIC: Coefficients = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients, found by search for a large slope at zero."""

STEPS = 5

FEWEST_ROWS, BLOCKS = 384, 4
"""The products of so many rows are computed in so many blocks of columns: of fewer rows that takes longer."""

EPS = 1e-7
"""Norms below that count as so large: a matrix of zeros stays one."""


def orthogonalized(
    matrices: Sequence[Float[Tensor, "*stack m n"]],
    *,
    coefficients: Coefficients = QUINTIC,
    steps: int = STEPS,
    eps: float = EPS,
    dtype: torch.dtype = torch.bfloat16,
    prepared: Callable[[int], Tensor] | None = None,
    finished: Callable[[int, Tensor], Tensor] = lambda _index, matrix: matrix,
) -> list[Float[Tensor, "*stack m n"]]:
    """Returns the matrices with singular values near one, in the order given.

    On an accelerator all that have two lengths in common, in whichever order, are multiplied at once. On a CPU torch's
    threads get a share of the matrices each.

    Args:
        matrices: of any shapes, stacks of matrices among them, each of which is one by itself.
        coefficients: :math:`(a, b, c)` of the iteration.
        steps: of the iteration, >= 0.
        eps: the least norm that a matrix is divided by.
        dtype: in which products are made, and which the results have.
        prepared: makes of the place of a matrix what is iterated in its stead, of the same shape; there, where the
            memory of one is that of the next.
        finished: makes of a place and a result what is returned.
    """
    together: dict[tuple[object, ...], list[int]] = {}
    for index, matrix in enumerate(matrices):
        alone = (index,) if matrix.device.type == "cpu" else ()
        together.setdefault((*sorted(matrix.shape[-2:]), matrix.device, *alone), []).append(index)

    def of(indices: Sequence[int]) -> list[tuple[int, Tensor]]:
        given = [matrices[index] if prepared is None else prepared(index) for index in indices]
        wide = [_on_its_side(each, each) for each in given]
        stacks = [each.reshape(math.prod(each.shape[:-2]), *each.shape[-2:]).to(dtype) for each in wide]
        found = _iterated(stacks[0] if len(stacks) == 1 else torch.cat(stacks), coefficients, steps, eps)
        parts = torch.split(found, [len(stack) for stack in stacks])
        return [
            (index, finished(index, _on_its_side(part.reshape(like.shape), matrices[index])))
            for index, part, like in zip(indices, parts, wide, strict=True)
        ]

    groups = list(together.values())
    found = _on_all_threads(of, groups, matrices) if len(groups) > 1 else list(map(of, groups))
    results = dict(pair for each in found for pair in each)
    return [results[index] for index in range(len(matrices))]


def _on_all_threads(
    work: Callable[[Sequence[int]], list[tuple[int, Tensor]]], groups: Sequence[Sequence[int]], of: Sequence[Tensor]
) -> list[list[tuple[int, Tensor]]]:
    """Does the work of all groups of matrices, each of torch's threads that of its share, the largest ones first."""
    threads = torch.get_num_threads()
    if threads == 1 or any(matrix.device.type != "cpu" for matrix in of):
        return list(map(work, groups))
    shares: list[list[Sequence[int]]] = [[] for _ in range(threads)]
    sizes = [0] * threads
    for group in sorted(groups, key=lambda group: -_products(of[group[0]])):
        least = sizes.index(min(sizes))
        shares[least].append(group)
        sizes[least] += _products(of[group[0]])

    def do(share: Sequence[Sequence[int]]) -> list[list[tuple[int, Tensor]]]:
        torch.set_num_threads(1)  # of this thread's own products
        with torch.no_grad():
            return list(map(work, share))

    try:
        with ThreadPoolExecutor(threads) as pool:
            return [each for share in pool.map(do, filter(None, shares)) for each in share]
    finally:
        torch.set_num_threads(threads)  # what threads that start later get


def _products(matrix: Tensor) -> int:
    return matrix.numel() * min(matrix.shape[-2:])


def _on_its_side(matrix: Tensor, given: Tensor) -> Tensor:
    """Turns a matrix, if the one that is given is higher than wide."""
    return matrix.mT if given.shape[-2] > given.shape[-1] else matrix


def _iterated(stack: Stack, by: Coefficients, steps: int, eps: float) -> Stack:
    if len(stack) == 1:  # a product of two matrices takes less than that of two stacks of one
        return _iterated_all(stack[0], torch.addmm, by, steps, eps).unsqueeze(0)
    return _iterated_all(stack, torch.baddbmm, by, steps, eps)


def _iterated_all(
    values: Float[Tensor, "... m n"], multiplied: Callable[..., Tensor], by: Coefficients, steps: int, eps: float
) -> Float[Tensor, "... m n"]:
    a, b, c = by
    values = values / torch.linalg.vector_norm(values, dim=(-2, -1), keepdim=True).clamp(min=eps)
    for count in _at_once(values, steps):
        gram, factor = _gram(values), None
        for left in reversed(range(count)):
            more = multiplied(gram, gram, gram, beta=b, alpha=c)  # the step is a + more, and a would lose digits there
            if left:
                half = multiplied(gram, more, gram, beta=a)
                gram = multiplied(half, half, more, beta=a)
            factor = _with_diagonal(more, a) if factor is None and count > 1 else factor
            if factor is not None and left < count - 1:
                factor = multiplied(factor, more, factor, beta=a)
        values = multiplied(values, more, values, beta=a) if factor is None else factor @ values
    return values


def _gram(values: Float[Tensor, "... m n"]) -> Float[Tensor, "... m m"]:
    """Returns the products of all rows, of which on a CPU only blocks on and below the diagonal are computed."""
    rows = values.shape[-2]
    if values.device.type != "cpu" or rows < FEWEST_ROWS:  # an accelerator takes its time from the number of products
        return values @ values.mT
    found = values.new_empty(*values.shape[:-2], rows, rows)
    block = -(-rows // BLOCKS)
    for start in range(0, rows, block):
        below = values[..., start:, :] @ values[..., start : start + block, :].mT
        found[..., start:, start : start + block] = below
        found[..., start : start + block, start + block :] = below[..., block:, :].mT
    return found


def _at_once(values: Tensor, steps: int) -> list[int]:
    """Returns how many steps are taken on the smaller matrix of rows by rows, before the wide one is multiplied.

    Of matrices that are far from square that saves products. It is done twice at a time: a third step in a row would
    lose small singular values, because it is their squares that are iterated, and an error in those grows twelvefold a
    step.
    """
    if values.shape[-1] < 2 * values.shape[-2]:
        return [1] * steps
    return [2] * (steps // 2) + [1] * (steps % 2)


def _with_diagonal(values: Float[Tensor, "... m m"], number: float) -> Float[Tensor, "... m m"]:
    """Returns a copy with a number added to the diagonal."""
    copy = values.clone()
    copy.diagonal(dim1=-2, dim2=-1).add_(number)
    return copy
