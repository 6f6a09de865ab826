"""What a study has observed: settings in the unit cube, values of which larger is better, constraints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.fast_fit import Data
from trimtab.study.errors import InputError

_WHISKER: Final = 10.0
"""Interquartile ranges below the lower quartile from where on a value counts as bad and no more."""

_LARGEST: Final = 1e140


def check_one_objective(study: Study) -> None:
    """Raises InputError if a study has several objectives."""
    if len(study.directions) > 1:
        raise InputError(f"study has {len(study.directions)} objectives: a study with one is needed")


def sign_of(study: Study) -> float:
    """Returns what values are multiplied by to be larger where they are better."""
    return 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0


def complete_trials(study: Study) -> list[FrozenTrial]:
    """Returns the trials that have a value, in order."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def tamed(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Returns values of which larger is better, as a Gaussian process can learn from them.

    Infinite ones become the best or the worst of the finite ones, 0 where none is finite; those beyond 1e140 are cut
    off there, so that their squares are numbers. Very bad ones, more than ten interquartile ranges below the lower
    quartile, are raised to that, as a single 1e30 would make all others equal. Where half of the values or more are
    the same, the smallest distance to them takes the place of the range. Good ones stay what they are, however good.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros_like(values)
    values = np.clip(values, values[finite].min(), values[finite].max()).clip(-_LARGEST, _LARGEST)
    quarter, middle, three = np.quantile(values[finite], [0.25, 0.5, 0.75])
    away = np.abs(values - middle)
    width = three - quarter or away[away > 0].min(initial=np.inf)
    return np.asarray(np.maximum(values, quarter - _WHISKER * width))


@dataclass(frozen=True)
class StudyData:
    """The complete trials of a study, as a model sees them.

    Args:
        cube: of the settings.
        trials: the complete ones, in order.
        points: a row for each distinct setting, in the order of their first trials.
        group: which row each trial belongs to.
        first: the first trial of each row, by its place among the complete ones.
        values: one a trial, larger is better, tamed.
        constraints: for each, which trials have it, and its values; at most 0 is feasible.
    """

    cube: UnitCube
    trials: Sequence[FrozenTrial]
    points: Float[np.ndarray, "n d"]
    group: Int[np.ndarray, " t"]
    first: Int[np.ndarray, " n"]
    values: Float[np.ndarray, " t"]
    constraints: Mapping[str, tuple[Bool[np.ndarray, " t"], Float[np.ndarray, " t"]]]

    @classmethod
    def of_study(cls, study: Study, cube: UnitCube, trials: Sequence[FrozenTrial]) -> "StudyData":
        """Reads trials that are complete; changes nothing."""
        points = cube.to_unit([trial.params for trial in trials], clip=False)
        _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        values = tamed(sign_of(study) * np.array([trial.value for trial in trials], dtype=float))
        group = rank[inverse.reshape(-1)]
        return cls(cube, trials, points[first[order]], group, first[order], values, _constraints(trials))

    @property
    def data(self) -> Data:
        """The values, those of one setting merged."""
        return merged(self.points, self.group, self.values)

    @property
    def feasible(self) -> Bool[np.ndarray, " n"]:
        """Which settings keep every constraint, on average over their trials; one that has none recorded keeps it."""
        kept = np.ones(len(self.points), dtype=bool)
        for has, values in self.constraints.values():
            kept &= np.bincount(self.group[has], values, minlength=len(self.points)) <= 0
        return kept

    def margins(self) -> list[Data]:
        r"""Returns by how much each constraint is kept, negative where it is not, those of one setting merged.

        A margin :math:`m` is :math:`\operatorname{sign}(m) \log(1 + |m| / s)`, where :math:`s` is the median of its
        absolute values: this tells most near the border, and no margin changes sides.
        """
        found = []
        for has, values in self.constraints.values():
            rows, group = np.unique(self.group[has], return_inverse=True)
            size = np.abs(values)
            scale = np.median(size[size > 0]) if size.any() else 1.0
            found.append(merged(self.points[rows], group, -np.sign(values) * np.log1p(size / scale)))
        return found


def merged(points: Float[np.ndarray, "n d"], group: Int[np.ndarray, " t"], values: Float[np.ndarray, " t"]) -> Data:
    """Returns observations with those of one point merged."""
    counts = np.bincount(group, minlength=len(points)).astype(float)
    means = np.bincount(group, values, minlength=len(points)) / counts
    return Data(points, means, counts, float(np.square(values - means[group]).sum()))


def _constraints(
    trials: Sequence[FrozenTrial],
) -> dict[str, tuple[Bool[np.ndarray, " t"], Float[np.ndarray, " t"]]]:
    found = [trial.constraints for trial in trials]
    result = {}
    for name in dict.fromkeys(name for each in found for name in each):
        has = np.array([name in each for each in found], dtype=bool)
        values = np.array([each[name] for each in found if name in each], dtype=float)
        result[name] = has, np.clip(values, -_LARGEST, _LARGEST)
    return result
