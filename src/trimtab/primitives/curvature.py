r"""Curvature of a loss without its Hessian: products with vectors, and estimates that are made of them.

A Hessian-vector product is one backward pass through the graph of the gradients: for :math:`g = \nabla f`,
:math:`H v = \nabla \langle g, v \rangle`. It takes gradients whose graph was kept, from
``torch.autograd.grad(loss, params, create_graph=True)`` or ``loss.backward(create_graph=True)``.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.gradient_hooks import without_gradient_hooks
from trimtab.primitives.hyperparameters import one_of, whole_number
from trimtab.primitives.layout import working_dtype

Block: TypeAlias = Literal["conv", "row", "none"] | int
"""Which elements of a parameter share one number; see :func:`block_mean`."""

_NO_SECOND_DERIVATIVE = ("is not implemented", "once_differentiable", "ouble backward")
_DEAD_END = "torch::autograd::Error"
"""The node that stands for the second derivative of a function which is marked once differentiable."""
_RANDOM_BYTES = 8
_named_block = one_of("conv", "row", "none")
_positive = whole_number(1)


def hessian_vector_product(
    grads: Sequence[Float[Tensor, "..."]],
    params: Sequence[Float[Tensor, "..."]],
    vectors: Sequence[Float[Tensor, "..."]],
    *,
    retain_graph: bool = False,
) -> list[Float[Tensor, "..."]]:
    r"""Returns :math:`H v`, one tensor for each parameter; hooks of the parameters are not called.

    Args:
        grads: the gradients by the parameters, with their graph. One without a graph counts as constant.
        params: the parameters, none of them twice.
        vectors: :math:`v`, in the parameters' shapes.
        retain_graph: keeps the graph for another product; otherwise it is freed.

    Returns:
        The product, zero for a parameter from which no path leads to any gradient.

    Raises:
        RuntimeError: no gradient has a graph, or something in the graph cannot be differentiated a second time; the
            message says what helps.
    """
    pairs = [(grad, vector) for grad, vector in zip(grads, vectors, strict=True) if grad.requires_grad]
    if not pairs:
        raise RuntimeError("no gradient has kept its graph: differentiate the loss with create_graph=True")
    varying, against = zip(*pairs, strict=True)
    try:
        with without_gradient_hooks(params):
            return list(
                torch.autograd.grad(
                    varying, params, against, retain_graph=retain_graph, allow_unused=True, materialize_grads=True
                )
            )
    except RuntimeError as error:
        if not any(words in str(error) for words in _NO_SECOND_DERIVATIVE):
            raise
        raise RuntimeError(
            f"an operation of the model has no second derivative ({error}). For attention, run the forward pass under "
            "torch.nn.attention.sdpa_kernel(SDPBackend.MATH); for a recurrent layer on CUDA, under "
            "torch.backends.cudnn.flags(enabled=False)"
        ) from error


def refuse_dead_ends(grads: Sequence[Float[Tensor, "..."]]) -> None:
    """Checks that no path of the gradients' graph ends where a function is marked once differentiable.

    Torch takes such a path for a constant and says nothing, so that a product would lack what goes through it. The
    whole graph is walked.

    Raises:
        RuntimeError: some path does.
    """
    waiting, seen = [grad.grad_fn for grad in grads], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name() == _DEAD_END:
            raise RuntimeError("an operation of the model has no second derivative: it is marked once_differentiable")
        seen.add(node)
        waiting += [other for other, _ in node.next_functions]


def random_signs(
    like: Sequence[Float[Tensor, "..."]], generator: torch.Generator | None = None
) -> list[Float[Tensor, "..."]]:
    """Returns tensors whose elements are 1 or -1, each with probability ½.

    Args:
        like: their shapes, types and devices.
        generator: where the signs come from; it may live on another device than they do.
    """
    total, device = sum(map(Tensor.numel, like)), "cpu" if generator is None else generator.device
    # One bit of each byte of a long random number: a fourth of the time that a number for each sign takes.
    words = torch.empty(-(-total // _RANDOM_BYTES), dtype=torch.int64, device=device).random_(generator=generator)
    signs = (words.view(torch.uint8)[:total] & 2).to(torch.float32).sub_(1)
    pieces = torch.split(signs, list(map(Tensor.numel, like)))
    return [piece.view(each.shape).to(each.device, each.dtype) for piece, each in zip(pieces, like, strict=True)]


def diagonal_sample(
    grads: Sequence[Float[Tensor, "..."]],
    params: Sequence[Float[Tensor, "..."]],
    signs: Sequence[Float[Tensor, "..."]],
    *,
    retain_graph: bool = False,
) -> list[Float[Tensor, "..."]]:
    r"""Returns :math:`z \odot H z`, whose expectation over random signs :math:`z` is the diagonal of :math:`H`.

    Because :math:`z_i^2 = 1`, and :math:`z_i z_j` is zero on average for :math:`i \ne j` (Hutchinson, 1990,
    doi:10.1080/03610919008812866; Bekas et al., 2007). The variance of element :math:`i` is
    :math:`\sum_{j \ne i} H_{ij}^2`.

    Args:
        grads: as for :func:`hessian_vector_product`.
        params: as for :func:`hessian_vector_product`.
        signs: :math:`z`, in the parameters' shapes, such as :func:`random_signs` returns.
        retain_graph: keeps the graph.

    Returns:
        The products, in float32 at least.
    """
    products = hessian_vector_product(grads, params, signs, retain_graph=retain_graph)
    with torch.no_grad():
        return [sign * each.to(working_dtype(each.dtype)) for sign, each in zip(signs, products, strict=True)]


def block(name: str, value: object) -> Block:
    """Returns ``value``: ``"conv"``, ``"row"``, ``"none"`` or a whole number >= 1.

    Raises:
        TypeError: it is neither a string nor a whole number.
        ValueError: it is another string, or less than one.
    """
    checked: Block = _named_block(name, value) if isinstance(value, str) else _positive(name, value)
    return checked


def refuse_uneven_blocks(shape: torch.Size, block: Block) -> None:
    """Checks that blocks of a certain size fit.

    Raises:
        ValueError: they do not.
    """
    if isinstance(block, int) and len(shape) > 1 and shape.numel() % block:
        raise ValueError(f"block={block} does not divide the {shape.numel()} elements of shape {tuple(shape)}")


def block_mean(values: Float[Tensor, "..."], block: Block) -> Float[Tensor, "..."]:
    """Returns a tensor of the same shape in which every element is the mean of its block.

    Args:
        values: of one parameter. With fewer than two dimensions, every element is a block of its own.
        block: ``"conv"``: with three dimensions or more, all dimensions but the first two are one block, as the nine
            elements of a 3x3 kernel; a matrix is not averaged. ``"row"``: the same, and each row of a matrix is one
            block. A number: so many elements after one another, the last index running fastest. ``"none"``: nothing is
            averaged.

    Raises:
        ValueError: the number does not divide the number of elements.
    """
    refuse_uneven_blocks(values.shape, block)
    if values.ndim < 2 or block in ("none", 1) or values.numel() == 0:
        return values
    if isinstance(block, int):
        means = values.reshape(-1, block).mean(1, keepdim=True)
        return means.expand(-1, block).reshape(values.shape)
    if values.ndim == 2:
        return values.mean(1, keepdim=True).expand_as(values) if block == "row" else values
    return values.mean(tuple(range(2, values.ndim)), keepdim=True).expand_as(values)


def loss_gradients(loss: Float[Tensor, ""], params: Sequence[Float[Tensor, "..."]]) -> Sequence[Float[Tensor, "..."]]:
    """Returns a loss's own gradients with their graph, whatever hooks of the parameters make of those of a run."""
    with without_gradient_hooks(params):
        return torch.autograd.grad(loss, params, create_graph=True, allow_unused=True, materialize_grads=True)
