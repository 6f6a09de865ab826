"""Which side of a score is better: who says so, and what if two say different things."""

from collections.abc import Collection

from trimtab.compare.imported.table import Direction
from trimtab.study.errors import InputError


def chosen_direction(*, maximize: bool, minimize: bool) -> Direction | None:
    """Returns which side is better by two flags of which one is set; ``None`` where neither is.

    Raises:
        InputError: both are.
    """
    if maximize and minimize:
        raise InputError("--maximize and --minimize exclude each other")
    return "max" if maximize else "min" if minimize else None


def direction_of(place: str, score: str, told: Collection[Direction | None], wanted: Direction | None) -> Direction:
    """Returns which side of a score is better.

    Args:
        place: what messages call the table.
        score: the column.
        told: what whoever made the runs of a problem says; ``None`` of runs of which nobody does.
        wanted: what somebody said; ``None`` if nobody did.

    Raises:
        InputError: nobody said it, or the table says the opposite, or both.
    """
    sides = sorted({side for side in told if side is not None})
    if len(sides) > 1:
        raise InputError(
            f"{place} has studies that maximize {score} and others that minimize it: look at them apart, with --where "
            "study=NAME, or each as a problem of its own, with --problem study"
        )
    direction = sides[0] if wanted is None and sides else wanted
    if direction not in ("max", "min"):
        given = "" if direction is None else f"direction={direction!r}: "
        raise InputError(
            f"{given}say whether more of {score} is better or less of it, by --maximize or --minimize "
            "(direction='max' or 'min')"
        )
    if sides and sides[0] != direction:
        raise InputError(
            f"{option_of(direction)} (direction={direction!r}): the studies of {place} say {sides[0]}imize; leave it "
            "out, and they are believed"
        )
    return direction


def option_of(direction: Direction) -> str:
    """Returns what the command line calls a direction."""
    return {"max": "--maximize", "min": "--minimize"}.get(str(direction), "--maximize or --minimize")
