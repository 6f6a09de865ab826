r"""Numbers as programs print them: what can be read for certain is read, and nothing else is.

Read are, with a sign or without:

* ``0.25``, ``.5``, ``3.``, ``1.2e-3``, ``1.2E-03``, Fortran's ``1.2D-3``, ``1.2×10^-3``, ``1.2*10**-3``, ``1.2x10⁻³``;
* ``nan``, ``inf``, ``infinity`` and ``∞``, in any case;
* thousands set apart by ``_``, ``'`` or a blank that does not break; by commas where there is a point or a second
  comma: ``1,234.5``, ``1,234,567``;
* ``12 %``, which is 0.12;
* the first number of ``3.1 ± 0.1`` and ``3.1 +/- 0.1``.

Refused is what may mean something else: ``1,234`` (1234 or 1.234), ``0,5`` and ``1.234,5`` (a decimal comma or a
list), ``1 234``, ``5/10``, ``1-2``, ``12:30``, ``1.2.3``, ``0x1p3``, ``1e5k``; and a number with a unit or a scale,
because programs change units with the size: ``900 ms``, ``1.2s``, ``1.2 million``, ``2.1 e-1``, ``1.2 (%)``.

Refused is also a number to which another one is tied: ``5.0 -> 2.1``, ``1.2 to 1.3``, ``1.2 of 10``, ``1.2, 1.3``,
``1.2 - 1.4``, ``1.2 1.3``, ``1.2 [0.9, 1.5]``. Between the two there has to be a word, a bar, a round bracket, or a gap
of a table, which is a tab or two blanks: ``1.2 acc 0.9``, ``1.2 | 3.3``, ``1.2 (best 1.1)``, ``1.2 (1.1)``.
"""

import math
import re

_GAPS = "\u00a0\u2009\u202f"
"""Blanks that do not break."""

_APART = f",_'’{_GAPS}"
"""What sets thousands apart."""

_NUMBER = re.compile(
    rf"""
    (?P<sign>[-+−]?)
    (?:
        (?P<word>nan|inf(?:inity)?|∞)
    |
        (?:
            (?P<grouped>[1-9][0-9]{{0,2}}(?P<apart>[{_APART}])[0-9]{{3}}(?:(?P=apart)[0-9]{{3}})*(?![0-9])(?:\.[0-9]+)?)
        |
            (?P<plain>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
        )
        (?P<scale>
            [ed](?P<exponent>[-+−]?[0-9]{{1,6}})
        |
            [ ]?[×x*·][ ]?10(?:(?:\^|\*\*)\(?(?P<power>[-+−]?[0-9]{{1,6}})\)?|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,6}}))
        )?
    )
    (?P<percent>[ ]?%)?
    """,
    re.VERBOSE | re.IGNORECASE,
)

_PLAIN_EXPONENT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-")

_MAY_FOLLOW = re.compile(
    r"""\Z | \s | [|│┃] | …
    | \.+(?=[\s"'`)\]}|]|\Z)     # of a sentence
    | [,:'’"`)\]};!?\\<&](?!\d)
    | \*{1,3}(?![\d*])          # of Markdown, or a mark of the best
    | ± | \+/?-""",
    re.VERBOSE,
)

_SPREAD = re.compile(r"\s?(?:±|\+/?-)\s?")
_MORE = re.compile(r"\s*[×x*·/^]\s?\d+")
_THREE_DIGITS = re.compile(r"[ ][0-9]{3}(?!\d)")

_UNITS = r"[nuµμm]?s|secs?|seconds?|mins|minutes?|min(?!\s*[:=]?\s*[-+.\d])|h|hrs?|hours?|[kKMGT]i?B|B|[kKMGT]"
_SCALES = (
    r"(?i:hundreds?|thousands?|millions?|billions?|trillions?|mi?ll?|mio|mn|bn|tsd|per\s?cent|pct|ppm|days?|weeks?)"
    r"|[%‰]|[eE][-+−]?\d{1,3}|[dD][-+−]\d{1,3}"
)
_UNIT = re.compile(
    rf"""\s(?:{_UNITS})(?![\w=:])
    | \s+(?:{_SCALES})(?![\w=:])
    | \s*[(\[]\s*(?:{_UNITS}|{_SCALES}|[×x*·]?\s?1\d*(?:[eE^]|\*\*)[-+−]?\d+|[×x*·]\s?1\d*[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]*)\s*[)\]]""",
    re.VERBOSE,
)

_CLOSERS = r"[\"'`*)\]}]*"
_ARROW = r"(?:[-–—=~]*>|<[-=]+|[←-⇿⟵-⟿➔-➾]|\.{2,}|…)"
_TO = r"(?:to|till|until|through|vs\.?|versus|of|out\s+of|and|or|plus|minus|times|over|per)\s"
_TYPE = r"[\"'`*]*(?:(?:\w+\.)*(?:tensor|[Aa]rray|b?float\d*|double|Decimal)\w*\()?[(\[{]*[\"'`]?"
_TIED = re.compile(rf"{_CLOSERS}(?:\s*\([^()]*\))?\s*(?:{_ARROW}|(?<=\s)(?i:{_TO}))\s*{_TYPE}")
"""What makes any number that comes after it part of what is said."""

_NEAR = re.compile(r"(?:\s*[^\w\s|│┃()\]}\"'`’”.…!?\\*%&$])+\s*|[^\S\t]")
"""Signs or one blank, after which a number is not another thing if it stands alone."""

_NAMED_BY_UNIT = re.compile(r"[\w/:]|-\d|(?<=%)\|")
"""What comes directly after a number that is something of its own: ``1s/epoch``, ``3/10``, ``12:30``, ``30%|██``."""

_WORD = re.compile(r"\S{0,60}")


class UnclearNumberError(Exception):
    """Something begins like a number and cannot be read for certain; the message says why."""


def begins_number(text: str, start: int) -> bool:
    """Returns whether a number begins at a place; ``nan`` and ``inf`` do, ``nano`` does not."""
    match = _NUMBER.match(text, start)
    return match is not None and not (match["word"] and text[match.end() : match.end() + 1].isalpha())


def is_progress_bar(text: str, start: int) -> bool:
    """Returns whether a share of progress stands at a place: ``30%|███       | 3/10``."""
    match = _NUMBER.match(text, start)
    return match is not None and match["percent"] == "%" and text.startswith("|", match.end())


def read_number(text: str, start: int = 0, *, inside: bool = False) -> tuple[float, int]:
    """Reads the number that begins at a place, if what follows leaves no doubt about it.

    Args:
        text: the line.
        start: the place.
        inside: whether it stands in brackets, at whose end the caller looks.

    Returns:
        The number, and where it ends.

    Raises:
        UnclearNumberError: none begins there, or it may mean another one.
    """
    match = _NUMBER.match(text, start)
    if match is None:
        raise UnclearNumberError(f"{_word(text, start)!r} is not a number")
    spread = _SPREAD.match(text, match.end())
    if spread is None:
        _check_alone(text, match)
        if not inside:
            check_what_follows(text, match.start(), match.end())
        return _value(match), match.end()
    _, end = read_number(text, spread.end())
    second = _NUMBER.match(text, spread.end())
    if second is None or (second["percent"] or second["scale"]) != (match["percent"] or match["scale"]):
        raise UnclearNumberError(f"{text[start:end]!r} may be scaled as a whole or in part")
    return _value(match), end


def check_what_follows(text: str, start: int, end: int) -> None:
    """Checks that no other number is tied to the one that was read.

    Args:
        text: the line.
        start: where the number begins, for the message.
        end: where it ends, with the brackets in which it stands.

    Raises:
        UnclearNumberError: one is.
    """
    tie = _TIED.match(text, end)
    found = _next_number(text, tie.end()) if tie else None
    if found is None and (near := _NEAR.match(text, end)):
        found = _next_number(text, near.end())
        if found and _NAMED_BY_UNIT.match(text, found.end()):
            found = None
    if found:
        raise UnclearNumberError(f"{text[start : found.end()]!r} is not a number alone")


def _next_number(text: str, start: int) -> re.Match[str] | None:
    return _NUMBER.match(text, start) if begins_number(text, start) else None


def read_whole(text: str) -> float:
    """Reads a text that is one number and nothing else, but for dots and a comma at its end.

    Raises:
        UnclearNumberError: it is not.
    """
    plain = text.strip()
    value, end = read_number(plain)
    if plain[end:].strip(".,"):
        raise UnclearNumberError(f"{plain[:60]!r} is not a number alone")
    return value


def continuation(text: str, start: int, end: int) -> str:
    """Returns with what a number goes on that was taken to end at a place; empty if it does not go on."""
    match = _NUMBER.match(text, start)
    if match is None:
        return ""
    longest = match.start("percent") if match["percent"] else match.end()
    if longest > end:
        return text[end:longest]
    more = re.compile(rf"[.{_APART}]?\d").match(text, end) or (_is_short(match) and _THREE_DIGITS.match(text, end))
    return more[0] if more else ""


def _value(match: re.Match[str]) -> float:
    sign = "-" if match["sign"] in ("-", "−") else ""
    if match["word"]:
        return float(sign + ("inf" if match["word"] == "∞" else match["word"]))
    digits = match["plain"] or re.sub(rf"[{_APART}]", "", match["grouped"])
    scale = (match["exponent"] or match["power"] or match["raised"] or "0").translate(_PLAIN_EXPONENT)
    value = float(f"{sign}{digits}e{int(scale) - 2 * bool(match['percent'])}")
    if math.isinf(value) or (value == 0 and re.search("[1-9]", digits)):
        raise UnclearNumberError(f"{match[0][:60]!r} is too {'large' if value else 'small'} for a float")
    return value


def _check_alone(text: str, match: re.Match[str]) -> None:
    """Checks that a number is all of it, and that it means one thing."""
    shown, end = _word(text, match.start()), match.end()
    if re.compile(r",\d").match(text, end):
        raise UnclearNumberError(f"{shown!r} may have a decimal comma, or be several numbers")
    if not _MAY_FOLLOW.match(text, end):
        raise UnclearNumberError(f"{shown!r} is not a number alone")
    if match["apart"] == "," and match["grouped"].count(",") == 1 and "." not in match["grouped"]:
        meanings = " or ".join(match["grouped"].replace(",", sign) for sign in ("", "."))
        raise UnclearNumberError(f"{shown!r} may be {meanings}")
    if more := _MORE.match(text, end) or _UNIT.match(text, end):
        raise UnclearNumberError(f"{text[match.start() : more.end()]!r} is not a number alone")
    if _is_short(match) and (more := _THREE_DIGITS.match(text, end)):
        raise UnclearNumberError(f"{text[match.start() : more.end()]!r} may be one number or two")


def _is_short(match: re.Match[str]) -> bool:
    """Whether it could be the thousands of a longer number."""
    alone = not (match["scale"] or match["percent"])
    return alone and re.fullmatch("[1-9][0-9]{0,2}", match["plain"] or "") is not None


def _word(text: str, start: int) -> str:
    found = _WORD.match(text, start)
    return found[0] if found else ""
