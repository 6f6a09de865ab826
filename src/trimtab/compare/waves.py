"""Settings in waves: four, four more, eight more; later ones leave when they cannot be expected to win.

A setting is dropped when it would not beat the best of earlier waves even if, from here to its end, it gained as much
as any of those that have run to their end did from the same point on. So one that starts slowly is not dropped where
others that started slowly caught up. Who is at the end of a run is not dropped any more: it has cost all that it can.
What the fresh seeds show is not touched by that: they are seen by none of it. How it ends
depends on the settings alone, not on which run ends first, and so not on how many machines there are.
"""

from collections.abc import Sequence

from trimtab.study.outcome import Outcome

FIRST = 4
"""Settings of the first wave; each other is as large as all before it together."""

FEWEST = 3
"""Settings that must have run to their end, so that it is known what can still be gained."""

EARLIEST = 0.2
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


def cannot_win(earlier: Sequence[Outcome], cost: float, loss: float, *, of: int | None) -> bool:
    """Tells whether a setting cannot be expected to win any more.

    Args:
        earlier: outcomes of the settings of earlier waves that have run to their end.
        cost: of the run so far.
        loss: that it has reached.
        of: what a whole run costs; ``None`` where the shortest of the earlier ones says that.
    """
    ended = [(run, end) for run in earlier if (end := run.loss) is not None]
    if len(ended) < FEWEST:
        return False
    whole = min(run.cost for run, _ in ended) if of is None else of
    if not EARLIEST * whole <= cost < whole:
        return False
    gains = [there - end for run, end in ended if (there := _loss_at(run, cost)) is not None]
    return bool(gains) and loss - max(*gains, 0.0) > min(end for _, end in ended)


def _loss_at(run: Outcome, cost: float) -> float | None:
    """Returns the last loss that a run had seen at a cost."""
    return next((point.loss for point in reversed(run.curve) if point.cost <= cost), None)
