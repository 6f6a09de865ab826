"""What the class of an entry can be built with."""

import inspect
from collections.abc import Callable, Iterable
from typing import get_args

from trimtab.catalog.entries import Entry
from trimtab.study.errors import InputError
from trimtab.study.suggestions import closest
from trimtab.study.tunable import Value


def settings_of(entry: Entry) -> list[str]:
    """Returns the names of the settings that an optimizer's class takes after the parameters.

    Of a class that takes whatever it is given, also those that the catalogue builds it with.
    """
    names: list[str] = []
    parameters = list(inspect.signature(entry.load()).parameters.values())
    for parameter in parameters[1:]:  # the first is what it is for: parameters, mostly
        if parameter.kind is parameter.VAR_KEYWORD:  # annotated as Unpack of a TypedDict, or not at all
            names += [name for options in get_args(parameter.annotation) for name in options.__annotations__]
            names += [name for name in entry.settings if name not in names]
        else:
            names.append(parameter.name)
    return names


def check_settings(entry: Entry, settings: Iterable[str]) -> None:
    """Checks that a class has settings, and offers the nearest in place of each that it has not.

    Args:
        entry: of the class; where it cannot be loaded, nothing is known of it.
        settings: their names.

    Raises:
        InputError: it does not have all of them.
    """
    if not entry.loadable:
        return
    known = settings_of(entry)
    unknown = [setting for setting in settings if setting not in known]
    if unknown:
        missing = " and no ".join(map(repr, unknown))
        split = getattr(entry.load(), "groups_of", None)
        if split is not None and unknown[0] in inspect.signature(split).parameters:
            groups = f"{split.__name__}(model, {unknown[0]}=...)"
            raise InputError(
                f"{entry.id} has no setting {missing}, which belongs to what makes its groups of parameters: "
                f'trimtab.create("{entry.id}", {groups})'
            )
        near = list(dict.fromkeys(each for setting in unknown for each in closest(setting, known)))
        meant = f"did you mean {' or '.join(near)}? It has" if near else "it has"
        raise InputError(f"{entry.id} has no setting {missing}; {meant} {', '.join(known) or 'none'}")


def parts_of(entry: Entry) -> dict[str, tuple[str, int]]:
    """Returns what the parts of settings are called that are tuples: ``beta2`` is the second of ``betas``.

    Returns:
        The name of a part to that of the whole, and its place there.
    """
    found: dict[str, tuple[str, int]] = {}
    known = settings_of(entry)
    for name in known:
        default = default_of(entry.load(), name)
        if isinstance(default, tuple) and name.endswith("s"):
            parts = {f"{name[:-1]}{place + 1}": (name, place) for place in range(len(default))}
            found |= {part: place for part, place in parts.items() if part not in known}
    return found


def unlike_default(entry: Entry, name: str, value: Value) -> object:
    """Returns a setting's default if a value is of another kind, as one number is where a pair is wanted.

    Args:
        entry: whose class has the setting.
        name: of the setting.
        value: what it was given.

    Returns:
        ``None`` if the value is of the default's kind, or if there is no default that would tell.
    """
    default = default_of(entry.load(), name)
    return default if default is not None and _kind(value) != _kind(default) else None


def default_of(function: Callable[..., object], name: str) -> object:
    """Returns what a setting of a class or function is unless told otherwise; ``None`` if that is not known."""
    parameter = inspect.signature(function).parameters.get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _kind(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
