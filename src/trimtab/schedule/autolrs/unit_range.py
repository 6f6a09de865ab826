"""Numbers without their unit and their origin, for whatever must depend on neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

ALIKE = 1e-12
"""Numbers that differ by less, relative to the largest, are equal but for rounding."""


@dataclass(frozen=True)
class UnitRange:
    """Numbers that were moved to [0, 1], and the way back.

    Numbers that were multiplied by a power of two are moved to the same places bit for bit, and by other factors to the
    same but for rounding.

    Args:
        values: from 0, the lowest, to 1; all of them 0 where they are equal but for rounding.
        lowest: of the numbers, divided by two to the ``exponent``.
        span: from the lowest to the highest, divided likewise.
        exponent: of the power of two above the largest.
    """

    values: Float[NDArray[np.float64], " n"]
    lowest: float
    span: float
    exponent: int

    @classmethod
    def of(cls, numbers: Sequence[float] | NDArray[np.float64]) -> Self:
        """Moves numbers.

        Args:
            numbers: finite, at least one.
        """
        given = np.asarray(numbers, dtype=np.float64)
        exponent = int(np.frexp(np.abs(given).max())[1])
        scaled = np.ldexp(given, -exponent)  # exact, and squares and differences stay within the range of floats
        lowest, span = float(scaled.min()), float(np.ptp(scaled))
        if span <= ALIKE * float(np.abs(scaled).max()):
            return cls(np.zeros_like(scaled), float(scaled.mean()), 0.0, exponent)
        return cls((scaled - lowest) / span, lowest, span, exponent)

    def back(self, value: float) -> float:
        """Returns where a place is among the numbers, in their unit."""
        return float(np.ldexp(self.lowest + value * self.span, self.exponent))
