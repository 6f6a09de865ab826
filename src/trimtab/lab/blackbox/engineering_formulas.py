"""Formulas of engineering designs: an objective to be minimised, and constraints that hold where they are <= 0.

A formula takes settings of shape (..., d) and the module of the arrays, ``numpy`` or ``torch``. It uses what both have
under the same name, so that torch can differentiate it.
"""

import math
from types import ModuleType
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of the module that a formula is given."""


def _split(x: Array) -> list[Array]:
    return [x[..., i] for i in range(x.shape[-1])]


def distance_from_the_middle(x: Array, xp: ModuleType) -> Array:
    """JLH1: squared distance from the middle of the square."""
    return xp.sum((x - 0.5) ** 2, axis=-1)


def corner(x: Array, xp: ModuleType) -> Array:
    """JLH1: the sum is at most .75."""
    x1, x2 = _split(x)
    return xp.stack([x1 + x2 - 0.75], axis=-1)


def waves(x: Array, xp: ModuleType) -> Array:
    """JLH2 and GKXWC1."""
    x1, x2 = _split(x)
    return xp.cos(2 * x1) * xp.cos(x2) + xp.sin(x1)


def ellipse(x: Array, xp: ModuleType) -> Array:
    """JLH2: inside an ellipse."""
    x1, x2 = _split(x)
    return xp.stack([(x1 + 5) ** 2 / 4 + x2**2 / 100 - 2.5], axis=-1)


def stripes(x: Array, xp: ModuleType) -> Array:
    """GKXWC1."""
    x1, x2 = _split(x)
    return xp.stack([xp.cos(x1 + x2) - 0.5], axis=-1)


def wave_and_slope(x: Array, xp: ModuleType) -> Array:
    """GKXWC2."""
    x1, x2 = _split(x)
    return xp.sin(x1) + x2


def islands(x: Array, xp: ModuleType) -> Array:
    """GKXWC2: two small regions where one sine is about 1 and the other about -1."""
    x1, x2 = _split(x)
    return xp.stack([xp.sin(x1) * xp.sin(x2) + 0.95], axis=-1)


def ackley(x: Array, xp: ModuleType) -> Array:
    """Ackley's function with its usual coefficients 20, .2 and 2 pi."""
    length = xp.sqrt(xp.mean(x**2, axis=-1))
    ripples = xp.mean(xp.cos(2 * math.pi * x), axis=-1)
    return -20 * xp.exp(-0.2 * length) - xp.exp(ripples) + 20 + math.e


def half_ball(x: Array, xp: ModuleType) -> Array:
    """Ackley: the sum is at most 0, the length at most 5."""
    return xp.stack([xp.sum(x, axis=-1), xp.sqrt(xp.sum(x**2, axis=-1)) - 5], axis=-1)


def bump(x: Array, xp: ModuleType) -> Array:
    """Keane's bump; 0 where all settings are 0, which is the 0/0 of the formula."""
    cosines = xp.cos(x)
    height = xp.sum(cosines**4, axis=-1) - 2 * xp.prod(cosines**2, axis=-1)
    squares = sum((i + 1) * each**2 for i, each in enumerate(_split(x)))
    nowhere = squares == 0
    return -xp.where(nowhere, 0.0, xp.abs(height) / xp.sqrt(xp.where(nowhere, 1.0, squares)))


def bump_constraints(x: Array, xp: ModuleType) -> Array:
    """Keane's bump: the product is at least .75, the sum at most 7.5 a setting."""
    return xp.stack([0.75 - xp.prod(x, axis=-1), xp.sum(x, axis=-1) - 7.5 * x.shape[-1]], axis=-1)


def truss(x: Array, _xp: ModuleType) -> Array:
    """Volume of three bars of 100 cm, of which the outer ones are alike."""
    x1, x2 = _split(x)
    return 100 * (2 * math.sqrt(2) * x1 + x2)


def truss_constraints(x: Array, xp: ModuleType) -> Array:
    """Stress of each bar under a load of 2, of which 2 are allowed."""
    x1, x2 = _split(x)
    root = math.sqrt(2)
    divisor = root * x1**2 + 2 * x1 * x2
    return xp.stack([2 * (root * x1 + x2) / divisor - 2, 2 * x2 / divisor - 2, 2 / (x1 + root * x2) - 2], axis=-1)


def concrete(x: Array, _xp: ModuleType) -> Array:
    """Cost of a beam of reinforced concrete: area of the steel, depth and width of the beam."""
    area, depth, width = _split(x)
    return 29.4 * area + 0.6 * depth * width


def concrete_constraints(x: Array, xp: ModuleType) -> Array:
    """Depth by width, and strength."""
    area, depth, width = _split(x)
    return xp.stack([depth / width - 4, 180 + 7.35 * area**2 / width - area * depth], axis=-1)


def spring(x: Array, _xp: ModuleType) -> Array:
    """Weight of a spring: diameter of the wire, diameter of the coil, number of active coils."""
    wire, coil, count = _split(x)
    return (count + 2) * coil * wire**2


def spring_constraints(x: Array, xp: ModuleType) -> Array:
    """Deflection, shear stress, frequency, outer diameter.

    Undefined where wire and coil are equally thick, which the box allows.
    """
    wire, coil, count = _split(x)
    stress = (4 * coil**2 - wire * coil) / (12566 * (coil * wire**3 - wire**4)) + 1 / (5108 * wire**2) - 1
    return xp.stack(
        [
            1 - coil**3 * count / (71785 * wire**4),
            stress,
            1 - 140.45 * wire / (coil**2 * count),
            (wire + coil) / 1.5 - 1,
        ],
        axis=-1,
    )


def vessel(x: Array, _xp: ModuleType) -> Array:
    """Cost of a pressure vessel: thickness of shell and head, radius, length."""
    shell, head, radius, length = _split(x)
    return (
        0.6224 * shell * radius * length
        + 1.7781 * head * radius**2
        + 3.1661 * shell**2 * length
        + 19.84 * shell**2 * radius
    )


def vessel_constraints(x: Array, xp: ModuleType) -> Array:
    """Thickness of the shell, thickness of the head, volume, length."""
    shell, head, radius, length = _split(x)
    volume = math.pi * radius**2 * length + 4 * math.pi * radius**3 / 3
    return xp.stack([0.0193 * radius - shell, 0.00954 * radius - head, 1296000 - volume, length - 240], axis=-1)


def beam(x: Array, _xp: ModuleType) -> Array:
    """Cost of a welded beam: height and length of the weld, height and width of the bar."""
    weld, length, height, width = _split(x)
    return 1.10471 * weld**2 * length + 0.04811 * height * width * (14 + length)


def beam_constraints(x: Array, xp: ModuleType) -> Array:
    """Shear stress, bending stress, weld no wider than the bar, buckling load, deflection."""
    weld, length, height, width = _split(x)
    radius = xp.sqrt(0.25 * (length**2 + (weld + height) ** 2))
    primary = 6000 / (math.sqrt(2) * weld * length)
    inertia = 0.707 * weld * length * (length**2 / 12 + 0.25 * (weld + height) ** 2)
    secondary = 3000 * (14 + 0.5 * length) * radius / inertia
    shear = xp.sqrt(primary**2 + secondary**2 + length * primary * secondary / radius)
    return xp.stack(
        [
            shear - 13600,
            504000 / (height**2 * width) - 30000,
            weld - width,
            6000 - 64746 * (1 - 0.0282346 * height) * height * width**3,
            2.1952 / (height**3 * width) - 0.25,
        ],
        axis=-1,
    )


def reducer(x: Array, _xp: ModuleType) -> Array:
    """Weight of a speed reducer: face width, module and number of teeth; length of two shafts, their diameters."""
    face, module, teeth, length1, length2, shaft1, shaft2 = _split(x)
    return (
        0.7854 * face * module**2 * (3.3333 * teeth**2 + 14.9334 * teeth - 43.0934)
        - 1.508 * face * (shaft1**2 + shaft2**2)
        + 7.4777 * (shaft1**3 + shaft2**3)
        + 0.7854 * (length1 * shaft1**2 + length2 * shaft2**2)
    )


def _reducer_constraints(x: Array, xp: ModuleType, *, first: float) -> Array:
    face, module, teeth, length1, length2, shaft1, shaft2 = _split(x)
    size = module * teeth
    return xp.stack(
        [
            27 / (face * module**2 * teeth) - 1,
            397.5 / (face * module**2 * teeth**2) - 1,
            1.93 * length1**3 / (size * shaft1**4) - 1,
            1.93 * length2**3 / (size * shaft2**4) - 1,
            xp.sqrt((745 * length1 / size) ** 2 + first) / (110 * shaft1**3) - 1,
            xp.sqrt((745 * length2 / size) ** 2 + 157.5e6) / (85 * shaft2**3) - 1,
            size / 40 - 1,
            5 * module / face - 1,
            face / (12 * module) - 1,
        ],
        axis=-1,
    )


def reducer_constraints(x: Array, xp: ModuleType) -> Array:
    """Bending and contact stress of the teeth, deflection and stress of each shaft, three proportions."""
    return _reducer_constraints(x, xp, first=16.9e6)


def official_reducer_constraints(x: Array, xp: ModuleType) -> Array:
    """A tenth of the literature's moment on the first shaft."""
    return _reducer_constraints(x, xp, first=1.69e6)


def exchanger(x: Array, xp: ModuleType) -> Array:
    """Area of three heat exchangers in a row; five temperatures follow the areas."""
    return xp.sum(x[..., :3], axis=-1)


def _exchanger_constraints(x: Array, xp: ModuleType, *, second: float) -> Array:
    x1, x2, x3, x4, x5, x6, x7, x8 = _split(x)
    return xp.stack(
        [
            0.0025 * (x4 + x6) - 1,
            0.0025 * (x5 + x7 - x4) - 1,
            0.01 * (x8 - x5) - 1,
            833.33252 * x4 + 100 * x1 - x1 * x6 - 83333.333,
            1250 * x5 + x2 * x4 - x2 * x7 - second * x4,
            x3 * x5 - 2500 * x5 - x3 * x8 + 1.25e6,
        ],
        axis=-1,
    )


def exchanger_constraints(x: Array, xp: ModuleType) -> Array:
    """Three balances of temperature and three of heat."""
    return _exchanger_constraints(x, xp, second=1250)


def official_exchanger_constraints(x: Array, xp: ModuleType) -> Array:
    """A tenth of the literature's factor in the balance of the second exchanger."""
    return _exchanger_constraints(x, xp, second=125)


def cantilever(x: Array, xp: ModuleType) -> Array:
    """Volume of a beam of five segments of 100 cm: their widths, then their heights."""
    return 100 * xp.sum(x[..., :5] * x[..., 5:], axis=-1)


_LOAD, _SEGMENT = 50_000, 100
_SHARES = (61, 37, 19, 7, 1)


def _stress_and_shape(x: Array) -> tuple[list[Array], list[Array]]:
    widths, heights = _split(x)[:5], _split(x)[5:]
    stress = [
        6 * _LOAD * _SEGMENT * (5 - i) / (width * height**2) - 14000
        for i, (width, height) in enumerate(zip(widths, heights, strict=True))
    ]
    return stress, [height / width - 20 for width, height in zip(widths, heights, strict=True)]


def cantilever_constraints(x: Array, xp: ModuleType) -> Array:
    """Bending stress of each segment, deflection of the end, height by width of each segment."""
    inertia = x[..., :5] * x[..., 5:] ** 3 / 12
    bend = sum(share / each for share, each in zip(_SHARES, _split(inertia), strict=True))
    stress, shape = _stress_and_shape(x)
    return xp.stack([*stress, _LOAD * _SEGMENT**3 / (3 * 2e7) * bend - 2.7, *shape], axis=-1)


def official_cantilever_constraints(x: Array, xp: ModuleType) -> Array:
    """The segment's length in place of its moment of inertia: a deflection that is too large whatever the settings."""
    stress, shape = _stress_and_shape(x)
    bend = _LOAD * _SEGMENT**3 / (3 * 2 * 107) * sum(_SHARES) / _SEGMENT - 2.7
    return xp.stack([*stress, 0 * x[..., 0] + bend, *shape], axis=-1)


def car(x: Array, _xp: ModuleType) -> Array:
    """Weight of a car by the thickness of seven parts, as a regression on simulated side impacts."""
    x1, x2, x3, x4, x5, _, x7, *_ = _split(x)
    return 1.98 + 4.9 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.78 * x5 + 2.73 * x7


def car_constraints(x: Array, xp: ModuleType) -> Array:
    """Load on the abdomen, three viscous criteria, three deflections of ribs, force on the pelvis, two velocities."""
    x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = _split(x)
    abdomen = 1.16 - 0.3717 * x2 * x4 - 0.00931 * x2 * x10 - 0.484 * x3 * x9 + 0.01343 * x6 * x10
    upper = 0.261 - 0.0159 * x1 * x2 - 0.188 * x1 * x8 - 0.019 * x2 * x7 + 0.0144 * x3 * x5 + 0.0008757 * x5 * x10
    upper = upper + 0.08045 * x6 * x9 + 0.00139 * x8 * x11 + 0.00001575 * x10 * x11
    middle = 0.214 + 0.00817 * x5 - 0.131 * x1 * x8 - 0.0704 * x1 * x9 + 0.03099 * x2 * x6 - 0.018 * x2 * x7
    middle = middle + 0.0208 * x3 * x8 + 0.121 * x3 * x9 - 0.00364 * x5 * x6 + 0.0007715 * x5 * x10
    middle = middle - 0.0005354 * x6 * x10 + 0.00121 * x8 * x11
    lower = 0.74 - 0.061 * x2 - 0.163 * x3 * x8 + 0.001232 * x3 * x10 - 0.166 * x7 * x9 + 0.227 * x2**2
    rib1 = 28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 0.0207 * x5 * x10 + 6.63 * x6 * x9 - 7.7 * x7 * x8 + 0.32 * x9 * x10
    rib2 = 33.86 + 2.95 * x3 + 0.1792 * x10 - 5.057 * x1 * x2 - 11 * x2 * x8 - 0.0215 * x5 * x10 - 9.98 * x7 * x8
    rib2 = rib2 + 22 * x8 * x9
    rib3 = 46.36 - 9.9 * x2 - 12.9 * x1 * x8 + 0.1107 * x3 * x10
    pelvis = 4.72 - 0.5 * x4 - 0.19 * x2 * x3 - 0.0122 * x4 * x10 + 0.009325 * x6 * x10 + 0.000191 * x11**2
    pillar = 10.58 - 0.674 * x1 * x2 - 1.95 * x2 * x8 + 0.02054 * x3 * x10 - 0.0198 * x4 * x10 + 0.028 * x6 * x10
    door = 16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6 + 0.0432 * x9 * x10 - 0.0556 * x9 * x11 - 0.000786 * x11**2
    limited = [
        (abdomen, 1),
        (upper, 0.9),
        (middle, 0.9),
        (lower, 0.9),
        (rib1, 32),
        (rib2, 32),
        (rib3, 32),
        (pelvis, 4),
        (pillar, 9.9),
        (door, 15.7),
    ]
    return xp.stack([value - limit for value, limit in limited], axis=-1)
