"""Which conditional parameters a setting has, learned from settings that were seen."""

from typing import Final

import numpy as np
from jaxtyping import Float

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.mixed_search import Points

_MOST: Final = 200
"""Latest distinct combinations of discrete values that are remembered."""


class SeenActivity:
    """Gives a point the conditional parameters of the seen setting that is most like it.

    What is asked for depends, as a rule, on choices and whole numbers. Most like a point is the setting that differs
    from it in the fewest of the discrete parameters that the setting has, first of those that all settings have, then
    of those that the next fewer have, and so on: a parameter is there at least as often as what depends on it. Of
    several it is the latest. A combination that was never seen takes over what its nearest relative has; should the
    objective then ask for more, it is drawn independently.

    Args:
        cube: of the space.
        points: the settings that were seen, in order.
    """

    def __init__(self, cube: UnitCube, points: Points) -> None:
        self._cube = cube
        self._columns = [axis.activity for axis in cube.axes if axis.activity is not None]
        if not self._columns:
            return
        indices, has = self._discrete(points), self._has(points)
        activity = points[:, self._columns]
        both = np.hstack([np.where(has, indices, -1.0), activity])[::-1]  # the latest first
        _, first = np.unique(both, axis=0, return_index=True)
        rows = len(points) - 1 - np.sort(first)[:_MOST]
        self._indices, self._present, self._activity = indices[rows], has[rows], activity[rows]
        _, rank = np.unique(-has.sum(0), return_inverse=True)
        self._weights = float(indices.shape[1] + 1) ** -rank.astype(float)

    def __call__(self, points: Points) -> Points:
        """Returns points with the activity that belongs to their discrete values, and in their places."""
        if not self._columns or not len(points):
            return self._cube.snap(points)
        indices = self._discrete(points)
        away = np.zeros((len(points), len(self._indices)))
        for column in range(indices.shape[1]):
            differ = indices[:, column, None] != self._indices[:, column]
            away += self._weights[column] * (differ & self._present[:, column])
        like = np.argmin(away, axis=1)
        filled = points.copy()
        filled[:, self._columns] = self._activity[like]
        return self._cube.snap(filled)

    def _discrete(self, points: Points) -> Float[np.ndarray, "n p"]:
        found = [axis.scale.nearest(points[:, axis.columns]) for axis in self._cube.discrete]
        return np.stack(found, 1) if found else np.empty((len(points), 0))

    def _has(self, points: Points) -> Float[np.ndarray, "n p"]:
        found = [self._cube.active(axis, points) for axis in self._cube.discrete]
        return np.stack(found, 1) if found else np.empty((len(points), 0), dtype=bool)
