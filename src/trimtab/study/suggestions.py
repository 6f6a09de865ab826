"""What somebody may have meant who wrote a name that is not known."""

import difflib
from collections.abc import Iterable

FEW = 12
"""So many names are listed where none is near; of more, it is said where they are."""


def nearest(name: str, names: Iterable[str], otherwise: str | None = None) -> str:
    """Says which names are close to one that is not known, or else which there are.

    Args:
        name: the one that is not known.
        names: those that are.
        otherwise: said instead of all names where there are more than :data:`FEW`; all are listed by default.
    """
    known = sorted(names)
    lowered = {each.lower(): each for each in reversed(known)}
    close = [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)]
    if close:
        return f"did you mean {' or '.join(close)}?"
    if otherwise is not None and len(known) > FEW:
        return otherwise
    return f"known are {', '.join(known)}"
