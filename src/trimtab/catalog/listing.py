"""What there is, slot by slot, and the problems that ship."""

from dataclasses import dataclass

from trimtab.catalog.entries import Entry, Weighted, best_first, entries
from trimtab.catalog.slots import SLOTS
from trimtab.lab.shipped import PROBLEMS, of_slot


@dataclass(frozen=True)
class Listed:
    """What fills one slot, for a list.

    Args:
        what: they are.
        entries: of the catalogue.
        problems: names of those that ship, on which they can be compared.
    """

    what: str
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def listed(family: str | None = None, slot: str | None = None) -> list[Listed]:
    """Returns what there is, slot by slot, what fills none last.

    Args:
        family: only of this one.
        slot: only what fills this one.
    """
    found = [each for each in entries().values() if family in (None, each.family) and slot in (None, each.slot)]
    names = [name for name in (*SLOTS, None) if any(each.slot == name for each in found)]
    return [
        Listed(
            "compared by their claims" if name is None else SLOTS[name].what,
            tuple(each for each in found if each.slot == name),
            () if name is None else tuple(of_slot(name)),
        )
        for name in names
    ]


def problems_that_ship(slot: str | None = None) -> dict[str, dict[str, str]]:
    """Returns name to slot, candidates and summary of the problems that ship, or of those that leave a slot open."""
    found = PROBLEMS if slot is None else of_slot(slot)
    return {
        name: {"slot": each.slot, "candidates": SLOTS[each.slot].what, "summary": each.summary}
        for name, each in found.items()
    }


def search_problems(query: str) -> dict[str, dict[str, str]]:
    """Finds problems that ship by their names, their candidates and what they are, the best match first."""
    found = problems_that_ship()

    def texts(name: str) -> Weighted:
        return [(8, name), (1, f"{found[name]['candidates']} {found[name]['summary']}")]

    return {name: found[name] for name in best_first(query, found, texts)}
