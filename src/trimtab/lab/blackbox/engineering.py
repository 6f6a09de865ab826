"""Constrained engineering designs whose optimum is known: seventeen instances of fifteen families.

The set of problems is that of Yu, Picard and Ahmed (2024), arXiv:2404.04495; the formulas are those of the literature
on each. Here an objective is minimised, where the paper maximises its negative, and a constraint holds where it is
<= 0.

Differences from the literature, all of them kept from the paper's published problems: the pressure vessel is at most
190 long (the literature has 200 or 240), the speed reducer goes without the two constraints on its shafts' diameters,
and two settings of the car's side impact are in [-20, 0] instead of [-30, 30], which leaves its optimum as it is.

In three problems the published files differ from the literature by a slip. ``variant="official"`` has those: a tenth
of a moment on the speed reducer's first shaft; a tenth of a factor of the heat exchanger, with two of its bounds at
10 900; and a deflection of the cantilever beam that no setting changes, so that nothing is feasible.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float

from trimtab.lab.blackbox import engineering_formulas as formulas
from trimtab.study.errors import InputError

Formula: TypeAlias = Callable[[Any, ModuleType], Any]

Variant: TypeAlias = Literal["literature", "official"]


@dataclass(frozen=True, eq=False)
class EngineeringDesign:
    """An objective to be minimised where all constraints are <= 0.

    Attributes:
        name: how it is called.
        variant: ``"literature"``, or ``"official"`` with the slips of the published files.
        bounds: least and largest values of the settings, (2, d).
        constraint_count: how many constraints there are.
        optimal_value: least value of a feasible point, as far as is known: what the literature has, to more digits, by
            sequential quadratic programming from 60 random starts, and for ``keane_bump``, which has a great many
            minima, the best of 300. None if no point is feasible.
        optimal_point: a feasible point whose value is within 1e-6 of it relative to it, (d,), or None.
    """

    name: str
    variant: Variant
    bounds: Float[np.ndarray, "2 d"]
    constraint_count: int
    optimal_value: float | None
    optimal_point: Float[np.ndarray, "d"] | None
    _objective: Formula = field(repr=False)
    _constraints: Formula = field(repr=False)

    @property
    def dimension(self) -> int:
        """The number of settings."""
        return int(self.bounds.shape[1])

    def objective(self, x: Any, module: ModuleType = np) -> Any:
        """Returns the value of points, which need not be feasible.

        Args:
            x: points of shape (..., d), in the units of :attr:`bounds`.
            module: what the points are arrays of: ``numpy``, or ``torch``, which can then differentiate the value.

        Returns:
            An array of shape (...).

        Raises:
            InputError: the last dimension is not d.
        """
        return self._objective(self._checked(x), module)

    def constraints(self, x: Any, module: ModuleType = np) -> Any:
        """Returns the values of all constraints at points, each of which holds where it is <= 0.

        Args:
            x: points of shape (..., d), in the units of :attr:`bounds`.
            module: what the points are arrays of, as in :meth:`objective`.

        Returns:
            An array of shape (..., constraint_count).

        Raises:
            InputError: the last dimension is not d.
        """
        return self._constraints(self._checked(x), module)

    def _checked(self, x: Any) -> Any:
        shape = tuple(getattr(x, "shape", ()))
        if not shape or shape[-1] != self.dimension:
            raise InputError(f"x of shape {shape}: {self.name} needs an array of shape (..., {self.dimension})")
        return x


def engineering_design(name: str, variant: Variant = "literature") -> EngineeringDesign:
    """Returns an engineering design by its name.

    Args:
        name: one of :data:`ENGINEERING_DESIGNS`.
        variant: ``"literature"``, or ``"official"`` for the published files' slips; most designs are the same in both.

    Raises:
        InputError: there is no such design, or no such variant.
    """
    if name not in ENGINEERING_DESIGNS:
        raise InputError(f"name={name!r}: engineering designs are {', '.join(ENGINEERING_DESIGNS)}")
    if variant not in get_args(Variant):
        raise InputError(f"variant={variant!r}: variants are {', '.join(get_args(Variant))}")
    return (_OFFICIAL if variant == "official" else ENGINEERING_DESIGNS)[name]


def _fixed(values: Any) -> Float[np.ndarray, "..."]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def _design(
    name: str,
    formulas_: tuple[Formula, Formula],
    bounds: Sequence[tuple[float, float]],
    count: int,
    optimum: tuple[float, Sequence[float]] | None,
    *,
    variant: Variant = "literature",
) -> EngineeringDesign:
    value, point = (None, None) if optimum is None else (optimum[0], _fixed(optimum[1]))
    return EngineeringDesign(name, variant, _fixed(bounds).T, count, value, point, *formulas_)


def _ackley(d: int) -> EngineeringDesign:
    return _design(f"ackley{d}", (formulas.ackley, formulas.half_ball), [(-5, 10)] * d, 2, (0.0, [0.0] * d))


_SPEED_REDUCER = [(2.6, 3.6), (0.7, 0.8), (17, 28), (7.3, 8.3), (7.3, 8.3), (2.9, 3.9), (5, 5.5)]
_CANTILEVER = [(1.0, 5.0)] * 5 + [(30.0, 65.0)] * 5
_CANTILEVER_OPTIMUM = [3.057728304317, 2.813266501023, 2.523586298611, 2.204555691543, 1.749757011939]
_CANTILEVER_OPTIMUM += [61.15456608632, 56.26533002043, 50.4717259722, 44.09111383084, 34.99514023876]
_BUMP = [3.160326, 3.122177, 3.084676, 3.047277, 3.009437, 2.970544, 2.929816, 0.513744, 0.505397, 0.497765, 0.490722]
_BUMP += [0.484176, 0.478054, 0.472301, 0.46687, 0.461726, 0.456837, 0.452178]

_LITERATURE = (
    _design("jlh1", (formulas.distance_from_the_middle, formulas.corner), [(0, 1)] * 2, 1, (0.03125, [0.375, 0.375])),
    _design(
        "jlh2", (formulas.waves, formulas.ellipse), [(-5, 0), (-5, 5)], 1, (-1.8254396170390592, [-1.83772234, 0.0])
    ),
    _design("gkxwc1", (formulas.waves, formulas.stripes), [(0, 6)] * 2, 1, (-2.0, [1.5 * np.pi, 0.0])),
    _design(
        "gkxwc2",
        (formulas.wave_and_slope, formulas.islands),
        [(0, 6)] * 2,
        1,
        (math.asin(0.95) - 1, [1.5 * np.pi, 1.2532359]),
    ),
    _ackley(2),
    _ackley(6),
    _ackley(10),
    _design("keane_bump", (formulas.bump, formulas.bump_constraints), [(0, 10)] * 18, 2, (-0.7971138758116305, _BUMP)),
    _design(
        "three_truss",
        (formulas.truss, formulas.truss_constraints),
        [(1e-5, 1)] * 2,
        3,
        (263.89584337598023, [0.78867514, 0.40824829]),
    ),
    _design(
        "reinforced_concrete_beam",
        (formulas.concrete, formulas.concrete_constraints),
        [(0.2, 15), (28, 40), (5, 10)],
        2,
        (358.5457034349328, [6.4705217, 33.497499, 8.3743748]),
    ),
    _design(
        "compression_spring",
        (formulas.spring, formulas.spring_constraints),
        [(0.05, 1), (0.25, 1.3), (2, 15)],
        4,
        (0.012665232788305537, [0.0516890611, 0.35671774, 11.2889658]),
    ),
    _design(
        "pressure_vessel",
        (formulas.vessel, formulas.vessel_constraints),
        [(0.0625, 6.1875), (0.0625, 6.1875), (10, 200), (0, 190)],
        4,
        (5910.0644723928035, [0.792376318223, 0.391672024657, 41.0557677835, 190.0]),
    ),
    _design(
        "welded_beam",
        (formulas.beam, formulas.beam_constraints),
        [(0.125, 10), (0.1, 15), (0.1, 10), (0.1, 10)],
        5,
        (2.381134249177278, [0.244368985, 6.21860631, 8.29147124, 0.244368985]),
    ),
    _design(
        "speed_reducer",
        (formulas.reducer, formulas.reducer_constraints),
        _SPEED_REDUCER,
        9,
        (2985.268146867635, [3.5, 0.7, 17.0, 7.3, 7.3, 3.3502146661, 5.28651792172]),
    ),
    _design(
        "heat_exchanger",
        (formulas.exchanger, formulas.exchanger_constraints),
        [(100, 1e4), (1e3, 1e4), (1e3, 1e4), *[(10, 1e3)] * 5],
        6,
        (
            7049.248020209465,
            [
                579.30668471,
                1359.97066826,
                5109.97066827,
                182.0176996,
                295.60117329,
                217.98230039,
                286.4165263,
                395.60117328,
            ],
        ),
    ),
    _design(
        "cantilever_beam",
        (formulas.cantilever, formulas.cantilever_constraints),
        _CANTILEVER,
        11,
        (63108.747982849025, _CANTILEVER_OPTIMUM),
    ),
    _design(
        "car_side_impact",
        (formulas.car, formulas.car_constraints),
        [(0.5, 1.5), (0.45, 1.35), *[(0.5, 1.5)] * 5, (0.192, 0.345), (0.192, 0.345), (-20, 0), (-20, 0)],
        10,
        (22.84296919911892, [0.5, 1.1163656, 0.5, 1.3021972, 0.5, 1.5, 0.5, 0.345, 0.34495143, -19.56153, 0.0]),
    ),
)

_SLIPS = (
    _design(
        "speed_reducer",
        (formulas.reducer, formulas.official_reducer_constraints),
        _SPEED_REDUCER,
        9,
        (2885.1792659196562, [3.5, 0.7, 17.0, 7.3, 7.3, 2.9, 5.286517922]),
        variant="official",
    ),
    _design(
        "heat_exchanger",
        (formulas.exchanger, formulas.official_exchanger_constraints),
        [(100, 1e4), (1e3, 10_900), (1e3, 10_900), *[(10, 1e3)] * 5],
        6,
        (
            8312.911857172177,
            [100.0, 2231.455933, 5981.455935, 121.4286766, 260.7417629, 278.5713233, 260.6869136, 360.7417628],
        ),
        variant="official",
    ),
    _design(
        "cantilever_beam",
        (formulas.cantilever, formulas.official_cantilever_constraints),
        _CANTILEVER,
        11,
        None,
        variant="official",
    ),
)

ENGINEERING_DESIGNS: Final[Mapping[str, EngineeringDesign]] = MappingProxyType(
    {each.name: each for each in _LITERATURE}
)
"""The instances by name, as the literature has them."""

_OFFICIAL = {**ENGINEERING_DESIGNS, **{each.name: each for each in _SLIPS}}
