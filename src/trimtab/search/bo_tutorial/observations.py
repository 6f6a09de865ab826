"""What was evaluated, and what is being evaluated."""

import warnings
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from trimtab.search.bo_tutorial.space import Space
from trimtab.study.errors import InputError

_SAME = 1e-9
"""Of the range of a coordinate: a point that comes back this near to a pending one is that one."""

_OPTIONAL = ("Yvar", "C", "dY")


class Observations:
    """Points in the coordinates of the problem with what they told, and points that are pending.

    Args:
        space: where they are.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self.X = _none(space.columns)
        self.Y = _none(1)
        self.Yvar: Float[Tensor, "n 1"] | None = None
        self.C: Float[Tensor, "n c"] | None = None
        self.dY: Float[Tensor, "n d"] | None = None
        self.pending = _none(space.columns)

    def __len__(self) -> int:
        return len(self.X)

    def tell(self, X: Any, Y: Any, **others: Any) -> None:
        """Adds evaluations, after all of it was checked, and takes them from what is pending.

        Raises:
            TypeError: something is not a tensor of floating-point numbers.
            InputError: something has another shape, is outside its range or missing, or was not there before.
        """
        space = self._space
        points = self._points(X)
        count = len(points)
        values = _rows("Y", Y, (count, 1))
        kept = {name: getattr(self, name) for name in _OPTIONAL}
        widths = {"Yvar": 1, "C": space.constraints, "dY": space.dimensions}
        given: dict[str, Tensor] = {}
        for name in _OPTIONAL:
            if others[name] is not None:
                given[name] = _rows(name, others[name], (count, widths[name]))
            elif name == "C" and space.constraints:
                raise InputError(f"C is missing: the values of {space.constraints} constraints are needed")
        self._go_together(given)
        for name in _OPTIONAL:
            if len(self) and (kept[name] is None) != (name not in given):
                raise InputError(
                    f"{name} was {'not ' * (kept[name] is None)}given before: it is for all points or none"
                )
        for name, rows in given.items():
            setattr(self, name, rows if kept[name] is None else torch.cat([kept[name], rows]))
        self.X, self.Y = torch.cat([self.X, points]), torch.cat([self.Y, values])
        for point in points:
            self._take_from_pending(point)

    def ask(self, point: Float[Tensor, " c"]) -> None:
        """Adds a point to what is pending."""
        self.pending = torch.cat([self.pending, point[None]])

    def of(self, task: int) -> Bool[Tensor, " n"]:
        """Returns which points are of a task; all of them where there are no tasks."""
        return torch.ones(len(self), dtype=torch.bool) if self._space.tasks is None else self.X[:, -1] == task

    def feasible(self) -> Bool[Tensor, " n"]:
        """Returns which points were seen to satisfy all constraints, ``C <= 0``; all of them where there are none."""
        return torch.ones(len(self), dtype=torch.bool) if self.C is None else (self.C <= 0).all(-1)

    def state_dict(self) -> dict[str, Any]:
        """Returns all of it, as tensors."""
        names = ("X", "Y", *_OPTIONAL, "pending")
        return {name: None if getattr(self, name) is None else getattr(self, name).clone() for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what :meth:`state_dict` returned.

        Raises:
            InputError: it is of another space.
        """
        columns = self._space.columns
        if state["X"].shape[1:] != (columns,) or state["pending"].shape[1:] != (columns,):
            raise InputError(f"state has points of {state['X'].shape[-1]} columns: {columns} are needed")
        if (state["C"] is None) != (not self._space.constraints) and len(state["X"]):
            raise InputError("state is of a problem with another number of constraints")
        for name in ("X", "Y", *_OPTIONAL, "pending"):
            setattr(self, name, None if state[name] is None else state[name].clone())

    def _points(self, X: Any) -> Float[Tensor, "n c"]:
        space = self._space
        points = _floats("X", X)
        if points.dim() == 1:
            points = points[None]
        if points.dim() != 2 or points.shape[1] != space.columns or not len(points):
            raise InputError(f"X has the shape {tuple(points.shape)}: (n, {space.columns}) is needed")
        coordinates = points[:, : space.dimensions]
        low, high = space.bounds
        inside = (coordinates >= low) & (coordinates <= high)
        if not bool(inside.all()):
            row = int((~inside).any(-1).nonzero()[0])
            raise InputError(f"X holds {coordinates[row].tolist()}, which is not inside the bounds")
        if space.labels:
            label = points[:, -1]
            if not bool(((label == label.round()) & (label >= 0) & (label < space.labels)).all()):
                kind = space.kind.removesuffix("s")
                raise InputError(f"X has a {kind} that there is not: 0 to {space.labels - 1} in the last column")
        return points

    def _go_together(self, given: dict[str, Tensor]) -> None:
        if "Yvar" in given and bool((given["Yvar"] < 0).any()):
            raise InputError(f"Yvar holds {given['Yvar'].min().item()}: variances are >= 0")
        if "dY" in given and self._space.kind != "plain":
            raise InputError(f"dY cannot be had together with {self._space.kind}")
        if "dY" in given and "Yvar" in given:
            raise InputError("dY and Yvar cannot be had together: noise is inferred where there are gradients")

    def _take_from_pending(self, point: Float[Tensor, " c"]) -> None:
        low, high = self._space.bounds
        within = (self.pending - point)[:, : self._space.dimensions].abs() <= _SAME * (high - low)
        same = within.all(-1) & (self.pending[:, self._space.dimensions :] == point[self._space.dimensions :]).all(-1)
        if bool(same.any()):
            keep = torch.ones(len(self.pending), dtype=torch.bool)
            keep[int(same.nonzero()[0])] = False
            self.pending = self.pending[keep]


def _none(columns: int) -> Float[Tensor, "0 c"]:
    return torch.empty(0, columns, dtype=torch.float64)


def _floats(name: str, given: Any) -> Tensor:
    if not isinstance(given, Tensor) or not given.is_floating_point():
        kind = given.dtype if isinstance(given, Tensor) else type(given).__name__
        raise TypeError(f"{name} is of type {kind}: a tensor of floating-point numbers is needed")
    if given.dtype != torch.float64:
        warnings.warn(f"{name} is of type {given.dtype}: computed in float64", UserWarning, stacklevel=4)
    rows = given.detach().to("cpu", torch.float64, copy=True)
    if not bool(rows.isfinite().all()):
        raise InputError(f"{name} holds a number that is not finite")
    return rows


def _rows(name: str, given: Any, shape: tuple[int, int]) -> Float[Tensor, "n c"]:
    if shape[1] == 0:
        raise InputError(f"{name} is given, and there are none")
    rows = _floats(name, given)
    if rows.dim() < 2 and rows.numel() == shape[0] * shape[1]:
        rows = rows.reshape(shape)
    if rows.shape != shape:
        raise InputError(f"{name} has the shape {tuple(rows.shape)}: {shape} is needed")
    return rows
