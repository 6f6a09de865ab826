"""What stands in the cells of a table: nothing, or numbers as people and spreadsheets write them."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

MOSTLY = 0.9
"""Of the cells, what has to be numbers, or dates, for the others to be slips."""

WORDS_FOR_NOTHING = frozenset({"none", "nil"})
"""Which may as well be the name of a class."""

SIGNS_FOR_NOTHING = {"-": "+", "--": "++"}
"""Which may as well be the name of a class where another one has the name that stands beside them here."""

_NOTHING = WORDS_FOR_NOTHING | {
    *("", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "?", "-", "--", ".", "..."),
}

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_APART = " '’\u00a0\u202f"
"""Spaces of any width and apostrophes, of which some write one where others write a comma: 1 234."""

_STYLES = {
    "commas are thousands": (re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?"), ",", "."),
    "spaces or apostrophes are thousands": (
        re.compile(rf"[+-]?[1-9]\d{{0,2}}([{_APART}]\d{{3}})+(\.\d+)?"),
        _APART,
        ".",
    ),
    "commas are decimal": (
        re.compile(
            rf"[+-]?((\d+|[1-9]\d{{0,2}}([.{_APART}]\d{{3}})+),\d+([eE][+-]?\d+)?|[1-9]\d{{0,2}}([.{_APART}]\d{{3}})+)"
        ),
        f".{_APART}",
        ",",
    ),
    "points are thousands": (re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+"), ".", ","),
}
"""In words: how such numbers look, what of them is left out, and what is a decimal point."""

CURRENCIES = ("$", "€", "£", "¥", "USD", "EUR", "GBP", "CHF", "JPY")
"""Signs and codes of which one stands before an amount of money, or behind it."""

_SIGNS = (*CURRENCIES, "%")
_UNIT = re.compile(r"\d ?([^\W\d_][^\s\d.,()+-]{0,7})$")
_DIGIT = re.compile(r"\d")
_MINUS = "\u2212"
_MINUSES = ("(", _MINUS)
_BOOKED = re.compile(r"^\((.*\d.*)\)$")
"""What bookkeepers write for a number below zero."""

_BARE = re.compile(rf"[+-]?\.?\d[\d.,{_APART}]*([eE][+-]?\d+)?")
"""A number in any style, without a unit."""

_DIGITS = re.compile(r"[+-]?\d[\d.]*")
_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
_SEVERAL = 5
"""So many numbers of a kind are no chance."""

_SHOWN = 30
"""Letters of a name."""


def is_nothing(cell: str) -> bool:
    """Tells whether a cell is empty, or holds one of the signs by which people and programs say that it is."""
    return len(cell) < 5 and cell.lower() in _NOTHING


def differing_in_capitals(names: Iterable[str]) -> str:
    """Returns in words that names which are the same but for their capitals stay apart; empty where there are none.

    They may mean the same, which nobody but the owner of a table knows.

    Args:
        names: of kinds of things, each as often as it may be.
    """
    seen = dict[str, str]()
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            return f"names that differ in capitals alone, such as {other[:_SHOWN]!r} and {name[:_SHOWN]!r}, stay apart"
    return ""


@dataclass(frozen=True)
class Read:
    """Cells read as numbers.

    Args:
        values: of each cell, NaN where there is none.
        read: which cells were numbers.
        style: how they are written, in words; empty for plain ones.
        units: which of several units stand side by side, and what to do about it, in words; empty where none do.
    """

    values: Float[np.ndarray, " cells"]
    read: Bool[np.ndarray, " cells"]
    style: str = ""
    units: str = ""


def read_numbers(cells: Sequence[str], *, decimal_commas: bool = False) -> Read:
    """Reads cells as numbers, in the style in which most of them are.

    Args:
        cells: none of them nothing.
        decimal_commas: whether the table has decimal commas elsewhere, and commas between no cells.
    """
    plain, sign = _without_sign(_with_plain_minus(cells))
    found = _read(plain, None)
    if _are_grouped(plain) and (grouped := _read(plain, "points are thousands")).read.sum() >= found.read.sum():
        found = grouped
    if not found.read.all():
        others = [name for name in _STYLES if name != "points are thousands"]
        if decimal_commas:  # where 1,234 is more likely to be a little more than one
            others.sort(key=lambda name: name != "commas are decimal")
        for name in others:
            other = _read(plain, name)
            if other.read.sum() > found.read.sum():
                found = other
    elif decimal_commas and not found.style and any("." in cell for cell in plain):
        other = _read(plain, "points are thousands")
        found = other if other.read.all() else found
    return Read(found.values, found.read, ", ".join(filter(None, (found.style, sign and f"{sign} left out"))))


def are_codes(cells: Sequence[str]) -> bool:
    """Tells whether numbers are names of things, such as postal codes: as many digits each, and zeros before several.

    Args:
        cells: none of them nothing; those without any digit do not count.
    """
    if len({cell for cell in cells if cell[:1] == "0" and cell[1:].isdecimal()}) < 2:
        return False
    numbers = [cell for cell in cells if _DIGIT.search(cell)]
    return all(cell.isdecimal() for cell in numbers) and len(set(map(len, numbers))) == 1


def has_decimal_commas(cells: Sequence[str]) -> bool:
    """Tells whether some cells can be nothing but numbers with decimal commas, and the others are whole numbers."""
    decimal, thousands = _STYLES["commas are decimal"][0], _STYLES["commas are thousands"][0]
    with_comma = [cell for cell in cells if "," in cell]
    return (
        any(not thousands.fullmatch(cell) for cell in with_comma)
        and all(map(decimal.fullmatch, with_comma))
        and all(_PLAIN.fullmatch(cell) for cell in cells if "," not in cell)
    )


def _are_grouped(cells: Sequence[str]) -> bool:
    """Tells whether points can be nothing but thousands: two of them in a number, or whole numbers below a thousand.

    Of numbers with decimals, hardly any would be whole, and a tenth would have fewer than three places.
    """
    pointed = [cell for cell in cells if "." in cell]
    if any(_DIGITS.fullmatch(cell) and not _GROUPS.fullmatch(cell) for cell in pointed):  # as most columns soon show
        return False
    pointed = [cell for cell in pointed if _GROUPS.fullmatch(cell)]
    whole = [cell for cell in cells if "." not in cell and _DIGITS.fullmatch(cell)]
    small = all(len(cell.lstrip("+-")) <= 3 for cell in whole)
    return any(cell.count(".") > 1 for cell in pointed) or (min(len(pointed), len(whole)) >= _SEVERAL and small)


def _with_plain_minus(cells: Sequence[str]) -> Sequence[str]:
    """Cells with the minus of a program's where bookkeepers or printers have another one."""
    if not any(cell[:1] in _MINUSES for cell in cells):
        return cells
    return [_BOOKED.sub(r"-\1", cell).replace(_MINUS, "-") for cell in cells]


def _without_sign(cells: Sequence[str]) -> tuple[Sequence[str], str]:
    """Takes away a currency's sign, that of per cent, or a unit, where nearly all cells have it; of others, all.

    A number without the sign may be another amount, 0.05 beside 5 %, and one with another sign is.
    """
    text = "\n".join(cells)
    for sign in filter(text.__contains__, _SIGNS):
        having = [cell.count(sign) == 1 for cell in cells]
        if sum(having) >= MOSTLY * len(cells):
            pairs = zip(cells, having, strict=True)
            return [cell.replace(sign, "").strip() if has else "" for cell, has in pairs], sign
    units = list(map(_unit, cells))
    for unit, number in Counter(filter(None, units)).most_common(1):
        others = (cell for cell, each in zip(cells, units, strict=True) if each != unit)
        # where others have other words, as 1st has beside 4th, these are parts of names, and no units
        if number >= MOSTLY * len(cells) and all(_BARE.fullmatch(cell) or not _DIGIT.search(cell) for cell in others):
            with_units = zip(cells, units, strict=True)
            return [cell.removesuffix(unit).rstrip() if each == unit else "" for cell, each in with_units], unit
    return cells, ""


def _unit(cell: str) -> str:
    """The word behind a number; empty where there is none."""
    # most numbers end in a digit, which is told fast
    return "" if cell[-1:].isdecimal() or (found := _UNIT.search(cell)) is None else found[1]


def _read(cells: Sequence[str], style: str | None) -> Read:
    values, read = np.full(len(cells), math.nan), np.zeros(len(cells), dtype=bool)
    pattern, thousands, decimal = _STYLES[style] if style is not None else (_PLAIN, "", ".")
    drop = str.maketrans(decimal, ".", thousands)
    for place, cell in enumerate(cells):
        if style is not None and pattern.fullmatch(cell):
            value = float(cell.translate(drop))
        elif _PLAIN.fullmatch(cell) and not (style in _NO_POINTS and "." in cell):
            value = float(cell)
        else:
            continue
        if math.isfinite(value):
            values[place], read[place] = value, True
    return Read(values, read, style or "")


_NO_POINTS = ("commas are decimal", "points are thousands")
"""Styles in which a cell with a point is no plain number."""
