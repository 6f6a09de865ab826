"""What somebody may have meant who wrote a name that is not known."""

import difflib
import re
from collections.abc import Iterable

FEW = 12
"""So many names are listed where none is near; of more, it is said where they are."""

OFFERED = 3
"""So many names that are near are offered."""


def nearest(name: str, names: Iterable[str], otherwise: str | None = None) -> str:
    """Says which names are close to one that is not known, or else which there are.

    Args:
        name: the one that is not known.
        names: those that are.
        otherwise: said instead of all names where there are more than :data:`FEW`; all are listed by default.
    """
    known = sorted(names)
    if close := closest(name, known):
        return f"did you mean {' or '.join(close)}?"
    if otherwise is not None and len(known) > FEW:
        return otherwise
    return f"known are {', '.join(known)}"


def closest(name: str, names: Iterable[str]) -> list[str]:
    """Returns the names that are as few slips of the keyboard away as any, or else those that have much in common.

    Of names that are equally far, those of the same length come first; the first letters of a name's words are no
    distance away. Capitals do not count.
    """
    lowered = {each.lower(): each for each in sorted(names, reverse=True)}
    wanted = name.lower()
    short = [each for each in lowered if each != wanted and (_initials(each) == wanted or _initials(wanted) == each)]
    if short:
        return [lowered[each] for each in short[:OFFERED]]
    near = sorted((slips(wanted, each), abs(len(wanted) - len(each)), each) for each in lowered)
    if near and near[0][0] <= max(1, len(wanted) // 3):
        found = [each for count, _, each in near if count == near[0][0]][:OFFERED]
    else:
        found = difflib.get_close_matches(wanted, lowered, n=OFFERED, cutoff=0.5)
    return [lowered[each] for each in found]


def _initials(name: str) -> str:
    """Returns the first letters of a name's words; empty if it is one word."""
    words = re.split(r"[_\s-]+", name.strip("_"))
    return "".join(word[:1] for word in words) if len(words) > 1 else ""


def slips(first: str, second: str) -> int:
    """Returns how many letters have to be put in, left out, changed or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(second, 1):
            count = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                count = min(count, earlier[j - 2] + 1)
            row.append(count)
    return row[-1]
