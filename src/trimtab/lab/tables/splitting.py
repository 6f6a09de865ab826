"""Which rows of a table are learned from, which choose settings, and which are looked at in the end."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from trimtab.lab.tables.target import Target

VALIDATION, TEST = 0.2, 0.2
"""Shares of the rows; the others are learned from."""

QUANTILES = 5


class Parts(NamedTuple):
    """Places of rows among those whose target is known, in ascending order.

    Args:
        train: learned from.
        validation: what settings are chosen by.
        test: looked at once.
    """

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


def split(target: Target, seed: int) -> Parts:
    """Splits rows by scikit-learn, so that all parts have classes, or fifths of the target, in the same shares.

    Args:
        target: what is learned.
        seed: of scikit-learn's shuffling.
    """
    from sklearn.model_selection import train_test_split

    strata = target.values if target.classes else _fifths(target.values)
    rows = np.arange(len(target.rows))
    sizes = [round(share * len(rows)) for share in (TEST, VALIDATION)]  # each class has five rows, so one in either
    rest, test = train_test_split(rows, test_size=sizes[0], stratify=strata, random_state=seed)
    train, validation = train_test_split(rest, test_size=sizes[1], stratify=strata[rest], random_state=seed)
    return Parts(np.sort(train), np.sort(validation), np.sort(test))


def _fifths(values: np.ndarray) -> np.ndarray:
    """Returns which fifth of the values each belongs to: ranks, so that ties do not make a fifth empty."""
    ranks = values.argsort(kind="stable").argsort(kind="stable")
    return np.asarray(ranks * QUANTILES // len(values))
