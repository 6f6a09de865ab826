"""Splitting what is typed on a command line where it is not in brackets: candidates may be written as calls."""

from collections.abc import Iterator


def _places(text: str, sign: str) -> Iterator[int]:
    depth = 0
    for place, character in enumerate(text):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth = max(0, depth - 1)
        elif character == sign and depth == 0:
            yield place


def split_outside_brackets(text: str, sign: str) -> list[str]:
    """Splits a text at a sign: ``a,b(c,d)`` at commas into ``a`` and ``b(c,d)``."""
    parts, start = [], 0
    for place in _places(text, sign):
        parts.append(text[start:place])
        start = place + 1
    return [*parts, text[start:]]


def partition_outside_brackets(text: str, sign: str) -> tuple[str, str, str]:
    """Returns what is before the first such sign, the sign, and what is after it, as :meth:`str.partition` does."""
    place = next(_places(text, sign), None)
    return (text, "", "") if place is None else (text[:place], sign, text[place + 1 :])
