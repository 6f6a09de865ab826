"""How many tuning trials there are with further seeds: the best settings run again, so that luck with one is seen."""

from collections.abc import Mapping
from typing import Any

MOST_TUNING_SEEDS = 1000
"""The fresh seeds of the final runs begin there."""

AGAIN = 4
"""How many settings run with further seeds: the best with the first one."""

STEPS = 4
"""How often a candidate's ranges may go on, as the grids of claims may."""

FEWEST = 6
"""Settings without which no range goes on: of fewer, one or the other is the most extreme more often than not."""


def runs_again(settings: int, seeds: int) -> int:
    """Returns how many runs with further seeds follow the first runs of so many settings.

    Args:
        settings: that are tried; one of them alone needs no choice.
        seeds: with which the best are run, the first included.
    """
    return min(AGAIN, settings) * (seeds - 1) if settings > 1 else 0


def runs_beyond(seeds: int) -> int:
    """Returns how many runs of a candidate there are at most beyond the ends of its ranges, with so many seeds."""
    return STEPS * seeds


def tuning_seeds_of(notes: Mapping[str, Any], problem: str) -> int:
    """Returns with how many seeds a store's notes say that the best settings of a problem are tried."""
    return int(notes.get("tasks", {}).get(problem, notes).get("tuning_seeds", 1))


def goes_on(notes: Mapping[str, Any], problem: str, label: str) -> bool:
    """Tells whether a store's notes say that a candidate's ranges may go on."""
    return bool((notes.get("tasks", {}).get(problem, notes).get("goes_on") or {}).get(label))
