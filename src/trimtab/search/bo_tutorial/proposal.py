"""The next setting: where an acquisition function is largest over the space, and not where nothing can be learned."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.activity import SeenActivity
from trimtab.search.bo_tutorial.mixed_search import Criterion, Points, ascend

_NEAR: Final = 8
"""Raw points in so many, at least one, are a perturbed copy of the best setting so far."""

_NUDGE: Final = 0.05
"""Standard deviation of the perturbation, in the unit cube."""

_HOPELESS: Final = 100.0
"""A logarithm that is lower than the highest by more than this makes no difference to a start."""


@dataclass(frozen=True)
class Search:
    """How hard an acquisition function is searched.

    Args:
        num_restarts: starts of local searches.
        raw_samples: points that the starts are chosen from.
    """

    num_restarts: int
    raw_samples: int


def propose(
    criterion: Criterion,
    cube: UnitCube,
    activity: SeenActivity,
    search: Search,
    generator: np.random.Generator,
    *,
    around: Points,
    avoided: Points,
) -> Float[np.ndarray, " d"]:
    """Returns the setting where a criterion is largest, as far as a search finds it.

    Args:
        criterion: what is to be large.
        cube: of the space.
        activity: which conditional parameters a setting has.
        search: how hard it is searched.
        generator: of the raw points, which are scrambled Sobol points, and of the choice of starts.
        around: good settings, which are among the starts.
        avoided: settings that are not to be proposed unless nothing else is found.
    """
    raw = activity(raw_points(cube, search.raw_samples, generator, around[:1]))
    starts = _starts(criterion, raw, search.num_restarts, generator)
    ends, values = ascend(criterion, cube, np.vstack([starts, cube.snap(around)]), activity)
    best = _first_allowed(ends, values, avoided)
    if best is None:
        others = np.vstack([raw, activity(raw_points(cube, search.raw_samples, generator, around[:0]))])
        best = _first_allowed(others, criterion.values(others), avoided)
    return ends[np.argmax(values)] if best is None else best


def raw_points(cube: UnitCube, count: int, generator: np.random.Generator, around: Points) -> Points:
    """Returns points that fill the cube, and some close to a good one."""
    near = max(1, count // _NEAR) if len(around) else 0
    engine = qmc.Sobol(cube.dimension, rng=generator)
    power = max(0, int(np.ceil(np.log2(max(count - near, 1)))))
    points = engine.random_base2(power)[: count - near]
    if near:
        close = around[generator.integers(len(around), size=near)]
        moved = generator.random(close.shape) < max(0.5, 1 / max(cube.dimension, 1))
        close = np.clip(close + moved * _NUDGE * generator.standard_normal(close.shape), 0.0, 1.0)
        points = np.vstack([close, points])
    return points


def _starts(criterion: Criterion, raw: Points, count: int, generator: np.random.Generator) -> Points:
    """The best raw point, and others at random, the better the likelier (as BoTorch has it)."""
    values = criterion.values(raw)
    values = np.maximum(values, values.max() - _HOPELESS)
    count = min(count, len(raw))
    best = int(np.argmax(values))
    spread = values.std()
    weights = np.exp((values - values[best]) / spread) if spread > 0 else np.ones_like(values)
    weights[best] = 0.0
    if count == 1 or not weights.any():
        return raw[best : best + 1]
    others = generator.choice(len(raw), size=count - 1, replace=False, p=weights / weights.sum())
    return np.asarray(raw[np.append(best, others)])


def _first_allowed(points: Points, values: Float[np.ndarray, " m"], avoided: Points) -> Float[np.ndarray, " d"] | None:
    taken = {tuple(point) for point in avoided.tolist()}
    for row in np.argsort(-values, kind="stable"):
        if tuple(points[row].tolist()) not in taken:
            found: Float[np.ndarray, " d"] = points[row]
            return found
    return None
