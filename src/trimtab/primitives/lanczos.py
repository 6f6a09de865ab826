r"""The spectrum of a symmetric matrix from a few products with vectors, by Lanczos' method.

A start vector :math:`v` of length one and :math:`m` products make a tridiagonal matrix of size :math:`m`, whose
eigenvalues :math:`\theta_i` (the *Ritz values*) with the squared first elements :math:`\gamma_i` of its eigenvectors
are a quadrature rule: :math:`\sum_i \gamma_i\, p(\theta_i) = v^\top p(A)\, v` for every polynomial :math:`p` of a
degree below :math:`2m`. For a random start that is, in expectation, the mean of :math:`p` over the eigenvalues of
:math:`A` (stochastic Lanczos quadrature; Golub & Meurant, 1994; Ubaru, Chen & Saad, 2017, doi:10.1137/16M1104974).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.hyperparameters import whole_number
from trimtab.primitives.layout import working_dtype

Product = Callable[[list[Tensor]], Sequence[Tensor]]
"""Multiplies a vector, which is a list of tensors, with a symmetric matrix."""

DOUBLE_BELOW = 1_000_000
"""Vectors of at most so many elements are kept in float64: 20 of them are 160 MB."""

_positive = whole_number(1)


@dataclass(frozen=True)
class Spectrum:
    r"""What Lanczos' method found of a spectrum.

    Args:
        ritz: :math:`\theta_1 \le \dots \le \theta_m`, in float64 on the CPU.
        weights: :math:`\gamma_i \ge 0`, which add up to one.
        dimension: rows of the matrix.
    """

    ritz: Float[Tensor, " m"]
    weights: Float[Tensor, " m"]
    dimension: int

    def moment(self, power: int) -> float:
        r"""Returns :math:`\sum_i \gamma_i \theta_i^k = v^\top A^k v`, exact for :math:`k < 2m`.

        For a random start it estimates :math:`\operatorname{tr}(A^k) / n`.
        """
        return float((self.weights * self.ritz**power).sum())


def random_direction(
    like: Sequence[Float[Tensor, "..."]], generator: torch.Generator | None = None
) -> list[Float[Tensor, "..."]]:
    """Returns a vector of length one whose direction is uniform on the sphere.

    Args:
        like: the shapes, types and devices of its parts.
        generator: where it comes from; it may live on another device than they do.
    """
    device = "cpu" if generator is None else generator.device
    drawn = [torch.randn(each.shape, generator=generator, dtype=torch.float64, device=device) for each in like]
    norm = torch.stack([each.square().sum() for each in drawn]).sum().sqrt()
    return [part.div(norm).to(each.device, each.dtype) for part, each in zip(drawn, like, strict=True)]


def lanczos(product: Product, start: Sequence[Float[Tensor, "..."]], steps: int) -> Spectrum:
    r"""Runs Lanczos' method with full re-orthogonalisation.

    Without it, rounding lets converged directions come back, as *ghosts* that are counted twice. Every new vector is
    therefore made orthogonal to all earlier ones, twice, which takes :math:`4 m^2 n` operations and the memory of
    :math:`m` vectors. Where the start lies in an invariant subspace, the method ends there by itself, with fewer Ritz
    values, all of which are exact.

    Args:
        product: :math:`v \mapsto A v`, of lists of tensors in the shapes of ``start``.
        start: :math:`v \ne 0`, of any length; a vector that is one tensor is a list of one.
        steps: :math:`m \ge 1` products at most, and no more than there are elements.

    Raises:
        TypeError: ``steps`` is not a whole number.
        ValueError: ``steps`` is less than one, or the start or a product is zero in length or not finite.
    """
    steps = min(_positive("steps", steps), sum(map(Tensor.numel, start)))
    vector = _joined(start)
    norm = float(torch.linalg.vector_norm(vector))
    if not 0 < norm < float("inf"):
        raise ValueError(f"start has the norm {norm}: a vector that is not zero, of finite numbers, is needed")
    basis = vector.new_empty((steps, len(vector)))
    basis[0] = vector / norm
    diagonal: list[float] = []
    beside: list[float] = []
    scale = 0.0
    for step in range(steps):
        vector = _joined(product(_parts(basis[step], start))).to(basis)
        diagonal.append(float(basis[step] @ vector))
        known = basis[: step + 1]
        vector, length = _orthogonal(vector, known)
        if not (abs(diagonal[-1]) < float("inf") and length < float("inf")):
            raise ValueError(f"product number {step + 1} with the matrix is not finite")
        scale = max(scale, abs(diagonal[-1]), length)
        if step + 1 == steps or length <= 10 * torch.finfo(vector.dtype).eps * len(vector) ** 0.5 * scale:
            break
        beside.append(length)
        basis[step + 1] = vector / length
    ritz, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside))
    return Spectrum(ritz, vectors[0].square(), basis.shape[1])


def _orthogonal(vector: Float[Tensor, " n"], known: Float[Tensor, "m n"]) -> tuple[Float[Tensor, " n"], float]:
    """Takes out of a vector what lies along others; a second time, because the first leaves rounding errors."""
    for _ in range(2):
        vector = vector - known.T @ (known @ vector)
    return vector, float(torch.linalg.vector_norm(vector))


def _tridiagonal(diagonal: Sequence[float], beside: Sequence[float]) -> Float[Tensor, "m m"]:
    side = torch.tensor(beside, dtype=torch.float64)
    return torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + torch.diag(side, 1) + torch.diag(side, -1)


def _joined(parts: Sequence[Tensor]) -> Float[Tensor, " n"]:
    total = sum(map(Tensor.numel, parts))
    wanted = torch.float64 if total <= DOUBLE_BELOW else working_dtype(parts[0].dtype)
    return torch.cat([part.detach().to(wanted).reshape(-1) for part in parts])


def _parts(vector: Float[Tensor, " n"], like: Sequence[Tensor]) -> list[Tensor]:
    pieces = torch.split(vector, [each.numel() for each in like])
    return [piece.view(each.shape).to(each.device, each.dtype) for piece, each in zip(pieces, like, strict=True)]
