"""How long a step an update allows: its directional sharpness and what follows (Pan & Li, 2023, arXiv:2306.00204)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.hyperparameters import POSITIVE, whole_number
from trimtab.primitives.local_model import LocalModel, local_models

_FEW = 3
_FINER = 5.0
_REFINEMENTS = 10


def directional_sharpness(
    loss_fn: Callable[..., Float[Tensor, ""]],
    params: Sequence[Float[Tensor, "..."]],
    direction: Sequence[Float[Tensor, "..."]],
    batches: Iterable[Any] | None = None,
) -> float:
    r"""Returns :math:`u^\top H u / \lVert u \rVert^2`, the curvature of the loss along a direction.

    It depends on the direction alone and not on its length, and may be negative. A step :math:`\eta u` changes the loss
    by :math:`\eta \langle g, u \rangle + \tfrac12 \eta^2 u^\top H u`, to second order: the less sharp, the longer a
    step may be. Compare directions at the same parameters only.

    Switch dropout off first, and batch normalisation to evaluation. The cost is that of three to four backward passes
    a batch.

    Args:
        loss_fn: returns the loss at the parameters' present values; called with a batch if ``batches`` are given.
        params: the parameters, which are left as they are; one that is there twice counts once. ``.grad`` is not
            touched.
        direction: :math:`u`, the change of each parameter, in its shape.
        batches: the loss is the mean over these.

    Raises:
        ValueError: the direction has zero norm, is not finite or has other shapes, or there are no batches.
        RuntimeError: the model has an operation without a second derivative, such as fused attention on CPU; the
            message says what helps.
    """
    return _local_model(loss_fn, params, direction, batches).sharpness


def gradient_correlation(
    loss_fn: Callable[..., Float[Tensor, ""]],
    params: Sequence[Float[Tensor, "..."]],
    direction: Sequence[Float[Tensor, "..."]],
    batches: Iterable[Any] | None = None,
) -> float:
    r"""Returns :math:`\langle \nabla f, u \rangle / \lVert u \rVert`: how steeply the loss changes along a direction.

    It is negative where the loss falls, and is not a cosine: of all directions the negative gradient has the lowest,
    :math:`-\lVert \nabla f \rVert`.

    Args:
        loss_fn: as for :func:`directional_sharpness`.
        params: as for :func:`directional_sharpness`.
        direction: :math:`u`.
        batches: the loss is the mean over these.

    Raises:
        ValueError: as for :func:`directional_sharpness`.
        RuntimeError: as for :func:`directional_sharpness`.
    """
    return _local_model(loss_fn, params, direction, batches).correlation


def local_decrease(
    loss_fn: Callable[..., Float[Tensor, ""]],
    params: Sequence[Float[Tensor, "..."]],
    direction: Sequence[Float[Tensor, "..."]],
    batches: Iterable[Any] | None = None,
) -> tuple[float, float]:
    r"""Returns the best step along a direction, and by how much it lowers the loss, to second order.

    .. math:: \eta^* = -\frac{\langle \nabla f, u \rangle}{u^\top H u}, \qquad
        \Delta^* = \frac{\langle \nabla f, u \rangle^2}{2\, u^\top H u}

    The decrease does not depend on the direction's length. A negative step says that the loss rises along the
    direction, and that the decrease would be had by going backwards.

    Args:
        loss_fn: as for :func:`directional_sharpness`.
        params: as for :func:`directional_sharpness`.
        direction: :math:`u`.
        batches: the loss is the mean over these.

    Returns:
        :math:`\eta^*` and :math:`\Delta^*`. Both are NaN where :math:`u^\top H u \le 0`: there the parabola has no
        minimum, and second order does not say how far to go.

    Raises:
        ValueError: as for :func:`directional_sharpness`.
        RuntimeError: as for :func:`directional_sharpness`.
    """
    model = _local_model(loss_fn, params, direction, batches)
    return model.best_step, model.best_decrease


class LineLandscape(NamedTuple):
    """The loss along a direction of norm one.

    Attributes:
        distances: from the start.
        losses: at these distances.
    """

    distances: Float[Tensor, " points"]
    losses: Float[Tensor, " points"]

    @property
    def best_distance(self) -> float:
        """Where the loss was lowest."""
        return float(self.distances[self.losses.nan_to_num(torch.inf).argmin()])

    @property
    def best_decrease(self) -> float:
        """By how much the loss was lower there than at the start."""
        return float(self.losses[0] - self.losses.nan_to_num(torch.inf).min())


def line_landscape(
    loss_fn: Callable[..., Float[Tensor, ""]],
    params: Sequence[Float[Tensor, "..."]],
    direction: Sequence[Float[Tensor, "..."]],
    batches: Sequence[Any] | None = None,
    *,
    points: int = 20,
    spacing: float = 1.0,
) -> LineLandscape:
    r"""Walks along a direction and notes the loss, until it is higher than at the start.

    At :math:`\theta + i\,\epsilon\,u / \lVert u \rVert` for :math:`i = 0, 1, \dots`. Where three points or fewer were
    seen, :math:`\epsilon` is divided by five and the walk begins again; after ten times of that what there is is
    returned.

    Differences: the direction is an update, along which one walks, where the paper's is a gradient, against which one
    walks.

    Args:
        loss_fn: as for :func:`directional_sharpness`; called without gradients. It should be deterministic.
        params: the parameters. They come back to the last bit, whatever happens.
        direction: :math:`u`.
        batches: the loss is the mean over these.
        points: the largest :math:`i`, >= 1.
        spacing: :math:`\epsilon > 0` of the first walk.

    Returns:
        Distances and losses, the start among them; the last loss is above the start unless ``points`` was reached.

    Raises:
        TypeError: ``points`` or ``spacing`` has the wrong type.
        ValueError: one of them is outside its range, or as for :func:`directional_sharpness`.
    """
    points, spacing = whole_number(1)("points", points), POSITIVE("spacing", spacing)
    if batches is not None and not len(batches):
        raise ValueError("batches is empty: at least one is needed")
    if len(direction) != len(params) or any(p.shape != u.shape for p, u in zip(params, direction, strict=True)):
        raise ValueError(f"direction must have the shapes of the {len(params)} parameters")
    ways = {id(param): (param, way) for param, way in zip(params, direction, strict=True)}
    norm = float(torch.linalg.vector_norm(torch.stack([way.double().norm() for _, way in ways.values()])))
    if norm == 0:
        raise ValueError("direction has zero norm")
    start = {key: param.detach().clone() for key, (param, _) in ways.items()}

    def loss_at(distance: float) -> float:
        for key, (param, way) in ways.items():
            param.copy_(start[key] + (distance / norm) * way if distance else start[key])
        if batches is None:
            return float(loss_fn())
        return sum(float(loss_fn(batch)) for batch in batches) / len(batches)

    with torch.no_grad():
        try:
            losses = _walk(loss_at, points, spacing)
            for _ in range(_REFINEMENTS):
                if len(losses) > min(_FEW, points):
                    break
                spacing /= _FINER
                losses = _walk(loss_at, points, spacing)
        finally:
            for key, (param, _) in ways.items():
                param.copy_(start[key])
    distances = torch.arange(len(losses), dtype=torch.float64) * spacing
    return LineLandscape(distances, torch.tensor(losses, dtype=torch.float64))


def _walk(loss_at: Callable[[float], float], points: int, spacing: float) -> list[float]:
    losses = [loss_at(0.0)]
    while len(losses) <= points:
        losses.append(loss_at(len(losses) * spacing))
        if not losses[-1] <= losses[0]:
            break
    return losses


def _local_model(
    loss_fn: Callable[..., Tensor],
    params: Sequence[Tensor],
    direction: Sequence[Tensor],
    batches: Iterable[Any] | None,
) -> LocalModel:
    return local_models(loss_fn, params, [direction], batches)[0]
