"""Settings in waves: four, four more, eight more; later ones leave when they are behind earlier ones.

A setting is dropped when, at the same point of their runs, three settings of earlier waves had a lower loss that have
run to their end. What the fresh seeds show is not touched by that: they are seen by none of it. How it ends depends on
the settings alone, not on which run ends first, and so not on how many machines there are.
"""

from collections.abc import Sequence

from trimtab.study.outcome import Outcome

FIRST = 4
"""Settings of the first wave; each other is as large as all before it together."""

BETTER = 3
"""So many settings that were better at the same point are enough to drop one."""

EARLIEST = 0.1
"""Share of a run before which no setting is dropped: at its start the loss says little of its end."""


def open_settings(ended: Sequence[bool]) -> int:
    """Returns how many of the settings may be tried, given which of them have ended."""
    boundary = FIRST
    while boundary < len(ended) and all(ended[:boundary]):
        boundary *= 2
    return min(boundary, len(ended))


def wave_before(index: int) -> int:
    """Returns how many settings there are in the waves before that of a setting."""
    boundary = FIRST
    while boundary <= index:
        boundary *= 2
    return 0 if boundary == FIRST else boundary // 2


def behind(earlier: Sequence[Outcome], cost: float, loss: float, *, of: int | None) -> bool:
    """Tells whether a setting cannot be expected to win any more.

    Args:
        earlier: outcomes of the settings of earlier waves that have run to their end.
        cost: of the run so far.
        loss: that it has reached.
        of: what a whole run costs; ``None`` where the shortest of the earlier ones says that.
    """
    if len(earlier) < BETTER:
        return False
    whole = min(each.cost for each in earlier) if of is None else of
    if cost < EARLIEST * whole:
        return False
    there = (_loss_at(each, cost) for each in earlier)
    return sum(each is not None and each < loss for each in there) >= BETTER


def _loss_at(run: Outcome, cost: float) -> float | None:
    """Returns the last loss that a run had seen at a cost."""
    return next((point.loss for point in reversed(run.curve) if point.cost <= cost), None)
