"""Data frames of pandas, where somebody gives one: pandas itself is not imported here."""

import sys
from typing import Any

from trimtab.study.errors import InputError


def is_data_frame(value: Any) -> bool:
    """Tells whether a value is a data frame of pandas. Who has one has imported pandas already."""
    pandas = sys.modules.get("pandas")
    kind = getattr(pandas, "DataFrame", None)
    return kind is not None and isinstance(value, kind)


def columns_of(name: str, frame: Any, *, index: bool = False) -> dict[Any, list[Any]]:
    """Returns the columns of a data frame.

    Args:
        name: of the argument, for the message.
        frame: the data frame.
        index: whether those parts of the index that have a name are columns, too.

    Returns:
        Name to values, with ``None`` where one is missing, in whatever way pandas says so.

    Raises:
        InputError: two columns have one name.
    """
    if index:
        named = [each for each in frame.index.names if each is not None and each not in frame.columns]
        frame = frame.reset_index(level=named) if named else frame
    names = [str(each) for each in frame.columns]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise InputError(f"{name}: column {twice!r} is there {names.count(twice)} times in the data frame")
    values, missing = frame.astype(object).to_numpy(), frame.isna().to_numpy()
    return {
        each: [None if gone else value for value, gone in zip(values[:, place], missing[:, place], strict=True)]
        for place, each in enumerate(frame.columns)
    }
