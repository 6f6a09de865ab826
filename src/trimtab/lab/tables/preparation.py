"""From columns to tensors. Whatever is learned of the columns is learned from the training rows alone."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from trimtab.lab.tables.columns import Categories, Columns, Numbers, Useless

FAR = 5.0
"""Standard deviations; what is farther from the mean counts as that far, for one slip must not rule all sums."""

MANY_LEVELS = 1000
"""So many of a category's most frequent names have a place of their own."""

SELDOM = 3
"""A name in fewer training rows has no place of its own, for nothing could be learned of it."""

UNKNOWN = 0
"""The place of names that have no other, and of cells that hold nothing where training rows have none such."""

MISSING = "\0"
"""The name of nothing."""


@dataclass(frozen=True)
class Scale:
    """What numbers are shifted and scaled by.

    Args:
        name: of the column.
        middle: what stands for a missing number: the median.
        mean: of the training rows, missing ones filled.
        spread: their standard deviation.
        flagged: whether a column of its own says where numbers are missing.
    """

    name: str
    middle: float
    mean: float
    spread: float
    flagged: bool


@dataclass(frozen=True)
class Levels:
    """The names of a category.

    Args:
        name: of the column.
        places: of each name that has one, from 1; 0 is for all others.
    """

    name: str
    places: dict[str, int]

    @property
    def size(self) -> int:
        """Places, the one for unknown names included."""
        return len(self.places) + 1


@dataclass(frozen=True)
class Preparation:
    """What was learned from the training rows.

    Args:
        scales: of the columns of numbers.
        levels: of those of categories.
        useless: columns of which training rows show nothing.
    """

    scales: tuple[Scale, ...]
    levels: tuple[Levels, ...]
    useless: tuple[Useless, ...]

    @property
    def width(self) -> int:
        """How many numbers stand for a row, beside its categories."""
        return len(self.scales) + sum(scale.flagged for scale in self.scales)

    @classmethod
    def fitted(cls, columns: Columns, train: Int[np.ndarray, " train"]) -> "Preparation":
        """Learns from the training rows how columns are prepared.

        Args:
            columns: of the table.
            train: places of the training rows.
        """
        useless, scales, levels = list[Useless](), list[Scale](), list[Levels]()
        for numbers in columns.numbers:
            scale = _scale(numbers, train)
            if scale is None:
                useless.append(Useless(numbers.name, "nothing, or always the same, in the training rows"))
            else:
                scales.append(scale)
        for categories in columns.categories:
            found = _levels(categories, train)
            if found.size + _has_others(categories, found, train) < 3:
                useless.append(Useless(categories.name, f"no two names in {SELDOM} training rows each"))
            else:
                levels.append(found)
        return cls(tuple(scales), tuple(levels), tuple(useless))

    def inputs(
        self, columns: Columns, rows: Int[np.ndarray, " rows"]
    ) -> tuple[Float[Tensor, "rows numbers"], Int[Tensor, "rows categories"]]:
        """Returns standardised numbers with the flags of missing ones, and the places of categories' names.

        Args:
            columns: of the table.
            rows: of these places.
        """
        numbers = {column.name: column.values[rows] for column in columns.numbers}
        categories = {column.name: column.values for column in columns.categories}
        found = [_standardised(numbers[scale.name], scale) for scale in self.scales]
        flags = [np.isnan(numbers[scale.name]).astype(np.float64) for scale in self.scales if scale.flagged]
        places = [
            [level.places.get(_named(categories[level.name][row]), UNKNOWN) for row in rows] for level in self.levels
        ]
        floats = np.array(found + flags, dtype=np.float32).T.reshape(len(rows), len(found) + len(flags))
        whole = np.array(places, dtype=np.int64).T.reshape(len(rows), len(places))
        return torch.from_numpy(floats.copy()), torch.from_numpy(whole.copy())


def _standardised(values: np.ndarray, scale: Scale) -> np.ndarray:
    filled = np.where(np.isnan(values), scale.middle, values)
    unit = max(abs(scale.mean), scale.spread)  # or differences of large numbers might have no place in a float
    with np.errstate(over="ignore"):
        return np.clip((filled / unit - scale.mean / unit) / (scale.spread / unit), -FAR, FAR)


def _scale(column: Numbers, train: np.ndarray) -> Scale | None:
    values = column.values[train]
    missing = np.isnan(values)
    if missing.all():
        return None
    middle = float(np.median(values[~missing]))
    filled = np.where(missing, middle, values)
    largest = float(np.abs(filled).max()) or 1.0  # squares of large numbers have no place in a float
    mean, spread = float((filled / largest).mean()) * largest, float((filled / largest).std()) * largest
    flagged = bool(missing.any())
    if not spread > 1e-12 * largest:
        return Scale(column.name, middle, middle, largest, flagged) if flagged else None
    return Scale(column.name, middle, mean, spread, flagged)


def _levels(column: Categories, train: np.ndarray) -> Levels:
    counts = Counter(_named(column.values[row]) for row in train)
    frequent = [name for name, number in counts.most_common(MANY_LEVELS) if number >= SELDOM]
    return Levels(column.name, {name: place for place, name in enumerate(sorted(frequent), 1)})


def _has_others(column: Categories, levels: Levels, train: np.ndarray) -> bool:
    """Tells whether some training rows have a name without a place of its own."""
    return any(_named(column.values[row]) not in levels.places for row in train)


def _named(value: str | None) -> str:
    return MISSING if value is None else value
