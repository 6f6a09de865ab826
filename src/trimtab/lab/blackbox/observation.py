"""What an evaluation of a black box says: a value, and perhaps constraints and how sure it is."""

import math
import numbers
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from trimtab.study.outcome import LARGEST, is_measured


@dataclass(frozen=True)
class Observation:
    """What an evaluation says of settings.

    Args:
        value: what is searched for, with noise if there is some.
        constraints: one number each, which is at most 0 where the constraint is met.
        variance: of the noise in ``value``, where that is known.
        names: of the constraints, where they have some.
    """

    value: float
    constraints: tuple[float, ...] = ()
    variance: float | None = None

    names: tuple[str, ...] = ()

    def named_constraints(self) -> list[tuple[str, float]]:
        """Returns the constraints with their names, which are c0, c1, ... where there are none."""
        names = self.names or tuple(f"c{place}" for place in range(len(self.constraints)))
        return list(zip(names, self.constraints, strict=True))

    @property
    def violation(self) -> float:
        """By how much constraints are missed, all together; 0 where all are met."""
        return sum(max(0.0, each) for each in self.constraints)


Observed: TypeAlias = Observation | float
"""What a problem returns: a number is an observation without constraints."""


def observation(found: Any, constraints: int) -> Observation:
    """Returns what a problem returned as an observation.

    Args:
        found: what it returned.
        constraints: how many it has.

    Raises:
        ValueError: the value is no finite number, a constraint is none or is missing, or a variance is negative.
        TypeError: two values were returned, or something else.
    """
    if isinstance(found, Observation):
        value, each = _number("value", found.value), tuple(_number("constraint", c) for c in found.constraints)
        variance = None if found.variance is None else _number("variance", found.variance)
    elif isinstance(found, tuple | list):
        raise TypeError(
            f"{found!r} was returned: one objective is searched; constraints go into trimtab.Observation(value, (...))"
        )
    else:
        value, each, variance = _number("value", found), (), None
    if not is_measured(value):
        raise ValueError(f"{value} was returned; a finite number is needed, of at most {LARGEST:g}")
    if len(each) != constraints:
        raise ValueError(f"{len(each)} constraints were returned, and the problem says that it has {constraints}")
    if any(math.isnan(one) for one in each):
        raise ValueError(f"constraints={each}: a number each is needed")
    if variance is not None and not (variance >= 0 and math.isfinite(variance)):
        raise ValueError(f"variance={variance}: a finite number >= 0 is needed")
    return Observation(value, each, variance, found.names if isinstance(found, Observation) else ())


def _number(name: str, value: Any) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} {value!r} was returned; a finite number is needed")
    return float(cast(float, value))
