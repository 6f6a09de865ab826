"""Which conditional parameters settings have, learned from settings that are known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from trimtab.lab.blackbox.spaces import Params
from trimtab.primitives.unit_cube import UnitCube


class Presence:
    """Tells which conditional parameters a setting has.

    A decision tree for each of them is grown until it tells all known settings apart, on the parameters before it:
    those that all settings have, and conditional ones that are there more often. So a rule of values, such as "where
    the kernel is rbf" or "from two layers on", is found as it is; of a rule that is random, or has changed in the
    meantime, the tree is what it makes of the settings that it knows.

    Args:
        cube: of the parameters.
        settings: those that are known.
    """

    names: tuple[str, ...]
    """The conditional parameters, each after those on which it may depend."""

    def __init__(self, cube: UnitCube, settings: Sequence[Mapping[str, Any]]) -> None:
        from sklearn.tree import DecisionTreeClassifier

        self._cube = cube
        counts = {name: sum(name in each for each in settings) for name in cube.distributions}
        first = list(dict.fromkeys(name for each in settings for name in each))
        self.names = tuple(sorted(cube.conditional, key=lambda name: (-counts[name], first.index(name))))
        points, self._trees = cube.to_unit(settings), dict[str, Any]()
        for name in self.names:
            there = [name in each for each in settings]
            self._trees[name] = DecisionTreeClassifier(random_state=0).fit(self._before(name, points), there)

    def has(self, name: str, params: Params) -> bool:
        """Tells whether settings have a conditional parameter, by those before it."""
        return bool(self._trees[name].predict(self._before(name, self._cube.to_unit([params])))[0])

    def only(self, params: Params) -> dict[str, Any]:
        """Returns settings without conditional parameters that they should not have."""
        found = {name: value for name, value in params.items() if name not in self._trees}
        for name in self.names:
            if name in params and self.has(name, found):
                found[name] = params[name]
        return found

    def _before(self, name: str, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n before"]:
        """The columns of the parameters before one, and a constant one, as a tree needs some."""
        later = set(self.names[self.names.index(name) :])
        columns = list[int]()
        for axis in self._cube.axes:
            if axis.name not in later:
                columns += range(self._cube.dimension)[axis.columns]
                columns += [] if axis.activity is None else [axis.activity]
        return np.column_stack([np.zeros(len(points)), points[:, columns]])
