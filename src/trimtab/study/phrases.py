"""Pieces of sentences."""

from collections.abc import Sequence

NAMED = 3
"""So many things are named in a sentence that is to be short."""


def listed(words: Sequence[str], last: str = "and") -> str:
    """Returns words as they stand in a sentence.

    Args:
        words: at least one.
        last: what stands before the last of them.
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def among_others(name: str) -> str:
    """Returns a name as it stands among others, with commas between them: in quotes where it has a comma itself."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"' if "," in name else name


def either(words: Sequence[str]) -> str:
    """Returns words of which one is to be chosen; of many, only the first."""
    if len(words) <= NAMED:
        return listed(words, "or")
    return f"{', '.join(words[: NAMED - 1])} or one of {len(words) - NAMED + 1} others"


def rounded(value: float, digits: int = 2) -> str:
    """Returns a number with a few significant digits, and without a power of ten where it has a usual size."""
    return f"{float(f'{value:.{digits}g}'):.7g}"


def distinct(*values: float) -> tuple[str, ...]:
    """Returns numbers with as many significant digits, two to six, as tell those apart that differ."""
    for digits in range(2, 7):
        words = tuple(rounded(value, digits) for value in values)
        if len(set(words)) == len(set(values)):
            break
    return words


def count(number: int, noun: str) -> str:
    """Returns a number with its noun: ``1 seed``, ``2 seeds``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
