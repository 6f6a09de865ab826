"""Checks of arguments, said once: each names the argument, the value and what is allowed."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trimtab.study.errors import InputError

MANY = 1_000_000
"""More than this of anything that is listed in memory is a slip of the hand."""

MANY_WORKERS = 10_000

LONGEST_NAME = 100
LONGEST_FILE_NAME = 240
"""Bytes; file systems have room for 255."""


def check_whole(name: str, value: Any, *, least: int = 1, most: int | None = None, of: str = "number") -> None:
    """Raises InputError unless ``value`` is a whole number, which ``True`` is not, from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name}={value!r}: a whole {of} is needed")
    if value < least:
        lowest = "at least one is needed" if least == 1 else f"a whole {of} >= {least} is needed"
        raise InputError(f"{name}={_short(value)}: {lowest}")
    if most is not None and value > most:
        raise InputError(f"{name}={_short(value)}: at most {most} are possible")


def check_seconds(name: str, value: Any, *, least: float = 0.0, most: float = math.inf) -> None:
    """Raises InputError unless ``value`` is a positive number of seconds, from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{name}={_short(value)}: a positive number of seconds is needed")
    if not least <= value <= most:
        raise InputError(f"{name}={_short(value)}: from {least:g} to {most:g} seconds are possible")


def check_number(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` is a finite number, as a float can hold it."""
    try:
        finite = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise InputError(f"{name}={_short(value)}: a finite number is needed")


def check_bounds(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` is a least and a largest number in order; ``None`` for a side without one."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise InputError(f"{name}={value!r}: the least and the largest value are needed, as in (0, 1) or (0, None)")
    for bound in value:
        if bound is not None:
            check_number(name, bound)
    if None not in value and not value[0] < value[1]:
        raise InputError(f"{name}={value!r}: the bounds must be in order, the least first")


def check_text(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` is a text that a file, a database and a command line can hold."""
    if not isinstance(value, str):
        raise InputError(f"{name}={value!r}: a text is needed")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"{name}={value!r}: a text without NUL and without lone surrogates is needed")


def check_name(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` is a short text in one line that can be a directory's name."""
    check_text(name, value)
    if value in (".", ".."):
        raise InputError(
            f"{name}={value!r}: a name that a directory can have is needed, and this one stands for another"
        )
    if not value.strip() or len(value) > LONGEST_NAME or not value.isprintable():
        raise InputError(f"{name}={value!r}: a name of 1 to {LONGEST_NAME} printable characters is needed")
    if len(value.encode()) > LONGEST_FILE_NAME:
        raise InputError(f"{name}={value!r}: a name of {LONGEST_FILE_NAME} bytes in UTF-8 at most is needed")


def check_path(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` is a path or the text of one, which no text at all is not."""
    if not isinstance(value, str | Path) or value == "":
        raise InputError(f"{name}={value!r}: a path is needed")
    check_text(name, str(value))


def check_flag(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` is ``True`` or ``False``."""
    if not isinstance(value, bool):
        raise InputError(f"{name}={value!r} must be True or False")


def check_callable(name: str, value: Any) -> None:
    """Raises InputError unless ``value`` can be called."""
    if not callable(value):
        raise InputError(f"{name}={value!r}: something that can be called is needed")


def check_texts(name: str, values: Any) -> None:
    """Raises InputError unless ``values`` are several texts; one text is not taken for its letters."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name}={values!r}: a list of texts is needed")
    for value in values:
        check_text(name, value)


def _short(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**20:
        return f"{'-' if value < 0 else ''}10**{int(value.bit_length() * math.log10(2))}"  # about
    return repr(value)
