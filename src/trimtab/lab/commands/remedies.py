"""What to do about a number that cannot be read for certain: only what has been tried on its line is offered."""

import re
import shlex

from trimtab.lab.commands.printed_number import UnclearNumberError, continuation, read_whole

_NUMBER = r"(-?[.\d][-+.\w]*|[nN]a[nN]|-?[iI]nf\w*)"
"""A number with its exponent; words are passed over, but not what says that a run diverged."""

_DIGITS = r"(-?[.\d]+(?:[eE][-+]?\d+)?)"
"""A number without the letters that come after it, which are a unit."""

_CHANGE = r"\W+?[-+.\w]+\s*(?:[-=]*>|→)\s*"
"""A number that has become another one."""

_WIDER = (r"([-+.\w]+)", r"([-+.,\w]+)")
"""What may stand in place of a group that cuts a number."""

_SIGN = re.compile(r"[-−]\s*\Z")
"""A sign that stands apart from its number, and would be lost."""

_UNIT = re.compile(r"\s?[^\W\d_]{1,12}(?![\w.])")

OTHERWISE = (
    "Let the program print the number alone and in one piece, as in 1234.5 or 1.2e-05, or write it into a file for "
    "--metric-file"
)


def after_name(name: str, text: str, start: int) -> str:
    """Returns what may be done about an unclear number after a name.

    Args:
        name: what was given to ``--metric``.
        text: the line.
        start: where the name stands in it.
    """
    before = r"(?<![\w./-])" if re.match(r"\w", name) else ""
    words = r"\s+".join(map(re.escape, name.split()))
    found: list[str] = []
    for between, group in ((r"\W+?", _NUMBER), (_CHANGE, _NUMBER), (r"\W+?", _DIGITS)):
        pattern = before + words + between + group
        match = re.compile(pattern).match(text, start)
        if found and group == _DIGITS:
            break
        if match and _is_read(match, start, digits_only=group == _DIGITS):
            found.append(f"this takes {match[1]}: --metric {shlex.quote(pattern)}")
    if not found:
        return OTHERWISE
    return f"{OTHERWISE}, or say by a regular expression which part is meant; {'; '.join(found)}"


def instead_of_group(text: str, start: int, end: int) -> str:
    """Returns what may be done about a group that takes less than the number which begins at a place."""
    for group in _WIDER:
        match = re.compile(group).match(text, start)
        if match and match.end() > end and _is_read(match, start, digits_only=False):
            return f"{group} in place of the group takes all of it"
    return OTHERWISE


def _is_read(match: re.Match[str], since: int, *, digits_only: bool) -> bool:
    start, end = match.span(1)
    if continuation(match.string, start, end) or _SIGN.search(match.string[since:start]):
        return False
    if digits_only and not _UNIT.match(match.string, end):
        return False
    try:
        read_whole(match[1])
    except UnclearNumberError:
        return False
    return True
