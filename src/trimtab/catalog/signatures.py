"""What the class of an entry can be built with."""

import inspect
from typing import get_args

from trimtab.catalog.entries import Entry
from trimtab.study.tunable import Value


def settings_of(entry: Entry) -> list[str]:
    """Returns the names of the settings that an optimizer's class takes after the parameters."""
    names: list[str] = []
    _, *rest = inspect.signature(entry.load()).parameters.values()  # the first is what it is for: parameters, mostly
    for parameter in rest:
        if parameter.kind is parameter.VAR_KEYWORD:  # annotated as Unpack of a TypedDict
            names += [name for options in get_args(parameter.annotation) for name in options.__annotations__]
        else:
            names.append(parameter.name)
    return names


def unlike_default(entry: Entry, name: str, value: Value) -> object:
    """Returns a setting's default if a value is of another kind, as one number is where a pair is wanted.

    Args:
        entry: whose class has the setting.
        name: of the setting.
        value: what it was given.

    Returns:
        ``None`` if the value is of the default's kind, or if there is no default that would tell.
    """
    parameter = inspect.signature(entry.load()).parameters.get(name)
    if parameter is None or parameter.default is None or parameter.default is parameter.empty:
        return None
    default: object = parameter.default
    return default if _kind(value) != _kind(default) else None


def _kind(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
