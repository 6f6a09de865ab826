"""The largest value of a function over a mixed space: floats by gradients, the others by trying neighbours."""

from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
from jaxtyping import Float, Int

from trimtab.primitives.cube_scales import MIDDLE
from trimtab.primitives.unit_cube import Axis, UnitCube

Points = Float[np.ndarray, "m d"]

_FEW: Final = 16
"""Values of a discrete parameter up to which all are tried; of more, those at 1, 2, 4, ... steps to either side."""

_ROUNDS: Final = 4
"""Of gradients and neighbours in turn."""

_MOVES: Final = 20
"""Best single changes of a discrete parameter, one after the other, within a round."""

_GRADIENTS: Final = 50
"""Steps of L-BFGS-B."""


class Criterion(Protocol):
    """A function of points of the cube; larger is better."""

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns its values."""

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns its values and gradients."""


Completion = Callable[[Points], Points]
"""Makes points that are settings of points of the cube: fills in which conditional parameters each of them has."""


def ascend(
    criterion: Criterion, cube: UnitCube, starts: Points, complete: Completion | None
) -> tuple[Points, Float[np.ndarray, " m"]]:
    """Climbs from each start to a point from where no small change leads higher.

    Floats follow the gradient (L-BFGS-B, all starts side by side); then the best single change of a discrete parameter
    is made, again and again; and both in turn until nothing changes. All ends are settings of the space.

    Args:
        criterion: what is to be large.
        cube: of the space.
        starts: settings.
        complete: says which conditional parameters a point has once its discrete ones are known; ``None`` where the
            discrete ones are to stay what they are.

    Returns:
        The ends, and their values.
    """
    points = np.array(starts, dtype=float)
    values = criterion.values(points)
    moving = np.arange(len(points))
    for _ in range(_ROUNDS):
        if not len(moving):
            break
        if len(cube.continuous):
            points[moving], values[moving] = _follow_gradient(criterion, cube, points[moving], values[moving])
        if complete is None or not cube.discrete:
            break
        before = values[moving].copy()
        points[moving], values[moving] = _change(criterion, cube, points[moving], values[moving], complete)
        if not len(cube.continuous):
            break
        moving = moving[values[moving] > before]
    return points, values


def _follow_gradient(
    criterion: Criterion, cube: UnitCube, points: Points, values: Float[np.ndarray, " m"]
) -> tuple[Points, Float[np.ndarray, " m"]]:
    from botorch.optim.batched_lbfgs_b import fmin_l_bfgs_b_batched  # seconds, which nobody else here waits for

    columns = cube.continuous
    free = np.ones((len(points), len(columns)), dtype=bool)
    for axis in cube.axes:
        if axis.scale.count is None:
            free[:, np.searchsorted(columns, axis.columns.start)] = cube.active(axis, points)

    def descend(
        numbers: Float[np.ndarray, "k c"], batch_indices: list[int]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k c"]]:
        rows = np.asarray(batch_indices)
        at = points[rows]
        at[:, columns] = np.where(free[rows], numbers, MIDDLE)
        found, gradients = criterion.values_and_gradients(at)
        return -found, np.where(free[rows], -gradients[:, columns], 0.0)

    bounds = [(0.0, 1.0)] * len(columns)
    minimise: Any = fmin_l_bfgs_b_batched
    ends, negative, _ = minimise(
        descend,
        np.where(free, points[:, columns], MIDDLE),
        bounds=bounds,
        factr=None,
        ftol=1e-4,
        pgtol=1e-2,
        maxiter=_GRADIENTS,
        pass_batch_indices=True,
    )
    better = -negative > values
    moved = points.copy()
    moved[:, columns] = np.where(free & better[:, None], np.clip(ends, 0.0, 1.0), points[:, columns])
    return moved, np.where(better, -negative, values)


def _change(
    criterion: Criterion, cube: UnitCube, points: Points, values: Float[np.ndarray, " m"], complete: Completion
) -> tuple[Points, Float[np.ndarray, " m"]]:
    points, values = points.copy(), values.copy()
    moving = np.arange(len(points))
    for _ in range(_MOVES):
        tried, rows = _neighbours(cube, points[moving])
        if not len(tried):
            break
        tried = complete(tried)
        found = criterion.values(tried)
        best = np.full(len(moving), -np.inf)
        np.maximum.at(best, rows, found)
        chosen = np.zeros(len(moving), dtype=int)
        order = np.flatnonzero(found == best[rows])[::-1]
        chosen[rows[order]] = order  # the first of several
        better = best > values[moving]
        moving, chosen, best = moving[better], chosen[better], best[better]
        if not len(moving):
            break
        points[moving], values[moving] = tried[chosen], best
    return points, values


def _neighbours(cube: UnitCube, points: Points) -> tuple[Points, Int[np.ndarray, " k"]]:
    """Returns what one change of one discrete parameter makes of points, and of which point it is."""
    tried, rows = [], []
    for axis in cube.discrete:
        active = np.flatnonzero(cube.active(axis, points))
        now = axis.scale.nearest(points[active][:, axis.columns])
        row, index = _others(axis, now)
        moved = points[active[row]]
        moved[:, axis.columns] = axis.scale.at(index)
        tried.append(moved)
        rows.append(active[row])
    if not tried:
        return points[:0], np.empty(0, dtype=int)
    return np.vstack(tried), np.concatenate(rows)


def _others(axis: Axis, now: Float[np.ndarray, " m"]) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    count = axis.scale.count or 1
    if count <= _FEW or axis.scale.width > 1:
        indices = np.broadcast_to(np.arange(float(count)), (len(now), count))
    else:
        steps = 2.0 ** np.arange(int(np.log2(count)) + 1)
        indices = now[:, None] + np.concatenate([-steps[::-1], steps])
    valid = (indices >= 0) & (indices < count) & (indices != now[:, None])
    row, _ = np.nonzero(valid)
    return row, indices[valid]
