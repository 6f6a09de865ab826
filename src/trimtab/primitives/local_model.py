r"""A loss along directions, to second order: slopes from its gradient, curvatures from Hessian-vector products.

.. math:: f(\theta + \eta u) \approx f(\theta) + \eta\, \langle \nabla f, u \rangle + \tfrac12 \eta^2\, u^\top H u
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.curvature import hessian_vector_product, loss_gradients, refuse_dead_ends
from trimtab.primitives.layout import working_dtype


@dataclass(frozen=True)
class LocalModel:
    r"""What a loss does along a direction :math:`u`.

    Args:
        correlation: :math:`\langle \nabla f, u \rangle / \lVert u \rVert`, negative where the loss falls.
        sharpness: :math:`u^\top H u / \lVert u \rVert^2`, which may be negative.
        norm: :math:`\lVert u \rVert`.
    """

    correlation: float
    sharpness: float
    norm: float

    @property
    def best_step(self) -> float:
        r""":math:`\eta^* = -\langle \nabla f, u \rangle / u^\top H u`; NaN unless the curvature is positive."""
        return -self.correlation / (self.sharpness * self.norm) if self.sharpness > 0 else math.nan

    @property
    def best_decrease(self) -> float:
        r""":math:`\langle \nabla f, u \rangle^2 / (2\, u^\top H u)`; NaN unless the curvature is positive."""
        return self.correlation**2 / (2 * self.sharpness) if self.sharpness > 0 else math.nan


def local_models(
    loss_fn: Callable[..., Float[Tensor, ""]],
    params: Sequence[Float[Tensor, "..."]],
    directions: Sequence[Sequence[Float[Tensor, "..."]]],
    batches: Iterable[Any] | None = None,
) -> list[LocalModel]:
    """Returns what a loss does along each of several directions; they share the gradients' graph.

    Args:
        loss_fn: returns the loss at the parameters' present values; called with a batch if ``batches`` are given.
        params: the parameters. One that stands there twice counts once.
        directions: each in the parameters' shapes.
        batches: the loss is the mean over these.

    Returns:
        A model for each direction. ``.grad`` is not touched.

    Raises:
        ValueError: a direction is zero, not finite or of other shapes, a parameter needs no gradient, or there are no
            batches.
        RuntimeError: something in the graph cannot be differentiated a second time; the message says what helps.
    """
    places = list({id(param): index for index, param in reversed(list(enumerate(params)))}.values())[::-1]
    distinct = [params[index] for index in places]
    for index, param in zip(places, distinct, strict=True):
        if not param.requires_grad:
            raise ValueError(f"params[{index}] does not require a gradient")
    units = []
    for direction in directions:
        _check_shapes(params, direction, places)
        units.append(_unit([direction[index].detach() for index in places]))
    calls = [loss_fn] if batches is None else [partial(loss_fn, batch) for batch in batches]
    if not calls:
        raise ValueError("batches is empty: at least one is needed")
    slopes, curvatures = [0.0] * len(units), [0.0] * len(units)
    for call in calls:
        for i, (slope, curvature) in enumerate(_along(call, distinct, [unit for unit, _ in units])):
            slopes[i] += slope / len(calls)
            curvatures[i] += curvature / len(calls)
    return [LocalModel(*each) for each in zip(slopes, curvatures, (norm for _, norm in units), strict=True)]


def _along(
    call: Callable[[], Tensor], params: Sequence[Tensor], units: Sequence[Sequence[Tensor]]
) -> list[tuple[float, float]]:
    """Returns slope and curvature along unit vectors."""
    with torch.enable_grad():
        grads = loss_gradients(call(), params)
    refuse_dead_ends(grads)
    curved = any(grad.requires_grad for grad in grads)  # they are constants where the loss is linear
    found = []
    for i, unit in enumerate(units):
        vectors = [each.to(param.dtype) for each, param in zip(unit, params, strict=True)]
        products = hessian_vector_product(grads, params, vectors, retain_graph=i < len(units) - 1) if curved else []
        found.append((_inner(grads, unit), _inner(products, unit) if curved else 0.0))
    return found


def _unit(direction: Sequence[Tensor]) -> tuple[list[Tensor], float]:
    """Returns a direction with norm one, and its norm; squares of what is very small or large would be lost."""
    values = [each.to(working_dtype(each.dtype)) for each in direction]
    largest = max((float(each.abs().max()) for each in values if each.numel()), default=0.0)
    if largest == 0:
        raise ValueError("direction has zero norm")
    if not all(bool(each.isfinite().all()) for each in values):
        raise ValueError("direction is not finite")
    scaled = [each / largest for each in values]
    norm = math.sqrt(_inner(scaled, scaled))
    return [each / norm for each in scaled], largest * norm


def _inner(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    return sum(float((one.detach().to(other.dtype) * other).sum()) for one, other in zip(some, others, strict=True))


def _check_shapes(params: Sequence[Tensor], direction: Sequence[Tensor], places: Sequence[int]) -> None:
    if len(direction) != len(params):
        raise ValueError(f"direction has {len(direction)} tensors for {len(params)} parameters")
    for index, (param, each) in enumerate(zip(params, direction, strict=True)):
        if each.shape != param.shape:
            raise ValueError(f"direction[{index}] has shape {tuple(each.shape)}, not {tuple(param.shape)}")
    first = {id(params[index]): direction[index] for index in places}
    for index, (param, each) in enumerate(zip(params, direction, strict=True)):
        if each is not first[id(param)] and not torch.equal(each, first[id(param)]):
            raise ValueError(f"params[{index}] stands there twice, and direction[{index}] differs from its first one")
