"""Which side of a score is better: who says so, and what if two say different things."""

from typing import Literal, TypeAlias

from trimtab.compare.imported.table import Table
from trimtab.study.errors import InputError

Direction: TypeAlias = Literal["max", "min"]


def chosen_direction(*, maximize: bool, minimize: bool) -> Direction | None:
    """Returns which side is better by two flags of which one is set; ``None`` where neither is.

    Raises:
        InputError: both are.
    """
    if maximize and minimize:
        raise InputError("--maximize and --minimize exclude each other")
    return "max" if maximize else "min" if minimize else None


def direction_of(table: Table, score: str, wanted: Direction | None) -> Direction:
    """Returns which side of a score is better.

    Args:
        table: as it was read.
        score: the column.
        wanted: what somebody said; ``None`` if nobody did.

    Raises:
        InputError: nobody said it, or the table says the opposite.
    """
    direction = table.directions.get(score) if wanted is None else wanted
    if direction not in ("max", "min"):
        given = "" if direction is None else f"direction={direction!r}: "
        raise InputError(
            f"{given}say whether more of {score} is better or less of it, by --maximize or --minimize "
            "(direction='max' or 'min')"
        )
    told = table.directions.get(score, direction)
    if told != direction:
        raise InputError(
            f"{option_of(direction)} (direction={direction!r}): the studies of {table.name} say {told}imize; leave it "
            "out, and they are believed"
        )
    return direction


def option_of(direction: Direction) -> str:
    """Returns what the command line calls a direction."""
    return {"max": "--maximize", "min": "--minimize"}.get(str(direction), "--maximize or --minimize")
