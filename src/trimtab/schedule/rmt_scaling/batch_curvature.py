r"""The curvature of a batch's loss, as products with vectors, and how much it differs from batch to batch."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.curvature import hessian_vector_product, loss_gradients
from trimtab.primitives.gradient_hooks import without_gradient_hooks
from trimtab.primitives.hyperparameters import one_of
from trimtab.primitives.lanczos import Product
from trimtab.primitives.layout import working_dtype

Matrix: TypeAlias = Literal["hessian", "ggn"]
Outputs: TypeAlias = Callable[[], Tensor]
Loss: TypeAlias = Callable[[Tensor], Tensor]

PRODUCT_GRADIENTS = 2
"""What a product with either matrix is charged as; measured on three networks, it takes 1.5 to 3.4 gradients."""

matrix_name = one_of("hessian", "ggn")


class BatchCurvature:
    r"""Multiplies vectors with the curvature of the loss of one batch.

    The graph is made once, at construction, and serves all products: with dropout or statistics of batches, all of them
    are with the same matrix. It is freed with the object.

    .. math:: H = \nabla^2 \ell(f(\theta)), \qquad G = J^\top \nabla^2 \ell\, J, \quad J = \partial f / \partial \theta

    :math:`G`, the generalised Gauss-Newton matrix, leaves out the curvature of the model: it has no negative
    eigenvalues where the loss is convex in the outputs, and equals :math:`H` for a linear model.

    Hooks of the parameters are not called: the curvature is the loss's, whatever they make of gradients.

    Args:
        outputs: computes the model's outputs on the batch, one tensor.
        loss: from outputs to the mean loss.
        params: the parameters; those that do not require gradients count as constant.
        matrix: ``"hessian"`` or ``"ggn"``.
        weight_decay: what a coupled weight decay of each parameter adds to the diagonal.

    Raises:
        TypeError: outputs or loss are something else.
        ValueError: the loss is no single number, or no such matrix.
        RuntimeError: the loss does not depend on the parameters.
    """

    def __init__(
        self,
        outputs: Outputs,
        loss: Loss,
        params: Iterable[Float[Tensor, "..."]],
        matrix: Matrix = "hessian",
        weight_decay: Sequence[float] | None = None,
    ) -> None:
        self.matrix = cast("Matrix", matrix_name("matrix", matrix))
        every = list(params)
        decay = [0.0] * len(every) if weight_decay is None else list(weight_decay)
        kept = [(param, own) for param, own in zip(every, decay, strict=True) if param.requires_grad]
        self.params = [param for param, _ in kept]
        self._decay = [own for _, own in kept]
        with torch.enable_grad():
            found = outputs()
            if not isinstance(found, Tensor):
                raise TypeError(f"outputs() returned a {type(found).__name__}, and curvature needs one tensor")
            self._product = (
                _gauss_newton(found, loss, self.params) if matrix == "ggn" else _hessian(found, loss, self.params)
            )

    def __call__(self, vectors: Sequence[Float[Tensor, "..."]]) -> list[Float[Tensor, "..."]]:
        """Returns the product with a vector, one tensor for each parameter that requires gradients.

        Raises:
            RuntimeError: an operation of the model has no second derivative; the message says what helps.
        """
        products = self._product(list(vectors))
        return [
            product + own * vector if own else product
            for product, vector, own in zip(products, vectors, self._decay, strict=True)
        ]


def product_rounding(params: Iterable[Float[Tensor, "..."]]) -> float:
    """Returns by how much of the largest curvature a product with it may be off, by the precision of the parameters.

    Ten roundings of the precision in which sums are taken, or one of the coarser one in which results are stored; in
    float32 up to three were measured, of networks with a few layers. What computes more coarsely than its parameters
    are stored, as under autocast, is off by more.
    """
    each = {param.dtype for param in params}
    roundings = [(10 * torch.finfo(working_dtype(own)).eps, torch.finfo(own).eps) for own in each]
    return max(map(max, roundings), default=0.0)


def hessian_noise(products: Iterable[Product], directions: Sequence[Sequence[Float[Tensor, "..."]]]) -> float:
    r"""Estimates how much the curvature of batches of one size differs from their mean.

    .. math:: s^2(B) = \frac{1}{P} \operatorname{E} \lVert H_B - H \rVert_F^2
        \approx \frac{1}{n - 1} \sum_{b=1}^{n} \lVert H_b z - \overline{H z} \rVert^2, \qquad \lVert z \rVert = 1

    averaged over random directions :math:`z`. It is proportional to :math:`1/B - 1/N`.

    Differences:
        * The division by :math:`n - 1`, where the official code has :math:`n`: few batches are enough then.

    Args:
        products: one :class:`BatchCurvature` for each of at least two batches, of equal size and without common
            samples; an iterator may make each when its turn comes, so that one graph lives at a time.
        directions: random vectors of length one; see :func:`~trimtab.primitives.lanczos.random_direction`.

    Raises:
        ValueError: there are fewer than two batches or no direction, or a product is not finite.
    """
    if not directions:
        raise ValueError("directions are empty: at least one is needed")
    means: list[list[Tensor]] = []
    squares, count = 0.0, 0
    for product in products:
        count += 1
        found = [_working(product(list(direction))) for direction in directions]
        if not means:
            means = found
            continue
        for mean, own in zip(means, found, strict=True):  # Welford's recursion: no difference of large sums
            for part, value in zip(mean, own, strict=True):
                change = value - part
                part.add_(change / count)
                squares += float((change.double() * (value - part)).sum())
    if count < 2:
        raise ValueError(f"products={count}: the curvature of at least two batches is needed")
    noise = squares / (count - 1) / len(directions)
    if not noise < float("inf"):
        raise ValueError("a product with the curvature is not finite")
    return max(0.0, noise)


def _working(parts: Sequence[Tensor]) -> list[Tensor]:
    return [part.detach().to(working_dtype(part.dtype), copy=True) for part in parts]


def _hessian(outputs: Tensor, loss: Loss, params: Sequence[Tensor]) -> Callable[[list[Tensor]], list[Tensor]]:
    value = _one_number(loss(outputs))
    grads = loss_gradients(value, params)
    return lambda vectors: hessian_vector_product(grads, params, vectors, retain_graph=True)


def _gauss_newton(outputs: Tensor, loss: Loss, params: Sequence[Tensor]) -> Callable[[list[Tensor]], list[Tensor]]:
    leaf = outputs.detach().requires_grad_()
    (slope,) = torch.autograd.grad(_one_number(loss(leaf)), leaf, create_graph=True)
    # The product with J is the derivative of the product with its transpose, which is linear, by what that was taken
    # of.
    weights = torch.zeros_like(outputs, requires_grad=True)
    with without_gradient_hooks(params):
        transposed = torch.autograd.grad(
            outputs, params, weights, create_graph=True, allow_unused=True, materialize_grads=True
        )

    def product(vectors: list[Tensor]) -> list[Tensor]:
        (change,) = hessian_vector_product(transposed, [weights], vectors, retain_graph=True)
        (bent,) = hessian_vector_product([slope], [leaf], [change], retain_graph=True)
        with without_gradient_hooks(params):
            return list(
                torch.autograd.grad(outputs, params, bent, retain_graph=True, allow_unused=True, materialize_grads=True)
            )

    return product


def _one_number(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"loss(outputs) returned a {type(value).__name__}, and a tensor of one element is needed")
    if value.numel() != 1:
        raise ValueError(f"loss(outputs) has the shape {tuple(value.shape)}, and one number is needed: the mean loss")
    return value.reshape(())
