"""Gradients of samples that are outer products, with what statistics ask of them and without making them."""

from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class OuterProducts:
    r"""Matrices :math:`g_i = \delta_i x_i^\top - c`, as a linear layer's gradients are, of which none is made.

    .. math::
        \sum_i \delta_i x_i^\top = \delta^\top x, \qquad
        \sum_i (\delta_i x_i^\top)^2 = (\delta^2)^\top x^2 \quad\text{(element by element)}, \qquad
        \langle \delta_i x_i^\top, m \rangle = \delta_i^\top m\, x_i .

    Args:
        left: :math:`\delta`.
        right: :math:`x`.
        centre: :math:`c`, zero if absent.
    """

    left: Float[Tensor, "n out"]
    right: Float[Tensor, "n in"]
    centre: Float[Tensor, "out in"] | None = None

    def __len__(self) -> int:
        return len(self.left)

    def mean(self) -> Float[Tensor, "out in"]:
        """Returns the mean of the products."""
        return self.left.T @ self.right / len(self)

    def squared_deviations(self, mean: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
        """Returns the sum of the squares of what deviates from the products' mean.

        A difference of two sums, with the rounding of these: it is exact to some last digits of the sum of squares.
        """
        squares = self.left.square().T @ self.right.square()
        return squares.sub_(mean.square(), alpha=len(self)).clamp_(min=0)

    def projected(self, onto: Float[Tensor, "out in"]) -> Float[Tensor, " n"]:
        """Returns the inner product of each matrix with ``onto``."""
        products = ((self.left @ onto) * self.right).sum(1)
        return products if self.centre is None else products - (self.centre * onto).sum()


Gradients: TypeAlias = "Float[Tensor, 'n ...'] | OuterProducts"
"""Those of one parameter, one for each sample."""
