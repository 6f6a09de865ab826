"""What the constructor of the optimizer under test can be told beside what stands in its defaults."""

import inspect
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

WITHOUT_EFFECT: Final = (
    *("capturable", "check_finite", "check_numerics", "compile", "compress_state_dict", "debug", "differentiable"),
    *("foreach", "fsdp_in_use", "fused", "maximize", "verbose"),
)
"""Flags that shall not change where parameters go, or that have a check of their own."""


def arguments(factory: Callable[..., Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the constructor's named settings and their values, those that it must be told among them.

    Nothing where there is no signature to be read.
    """
    try:
        known = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = {
        name: settings.get(name, each.default)
        for name, each in list(known.items())[1:]
        if each.kind in named and (name in settings or each.default is not inspect.Parameter.empty)
    }
    return found | {name: value for name, value in settings.items() if name not in found}


def flags(given: Mapping[str, Any]) -> list[str]:
    """Returns the settings that turn something on or off, and shall change where parameters go."""
    return [name for name, value in given.items() if isinstance(value, bool) and name not in WITHOUT_EFFECT]


def numbers(given: Mapping[str, Any]) -> list[str]:
    """Returns the settings that are a number."""
    return [name for name, value in given.items() if is_number(value)]


def is_number(value: Any) -> bool:
    """Returns whether a setting is a number, and not a flag."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def alternatives(name: str, value: Any) -> dict[str, list[Any]]:
    """Returns other values of a setting for each number in it, of which one is another at a time.

    They stand by how the number is written: ``lr`` where the setting is one, ``betas[1]`` where it has several.
    """
    if is_number(value):
        return {name: others(value)}
    several = value if isinstance(value, tuple | list) else ()
    return {
        f"{name}[{place}]": [(*several[:place], other, *several[place + 1 :]) for other in others(part)]
        for place, part in enumerate(several)
        if is_number(part)
    }


def others(value: float) -> list[float]:
    """Returns numbers to be tried in the place of one, of which it may refuse some."""
    tried = [1, 2, 5, value + 1] if isinstance(value, int) else [value / 2, value * 2, 0.5, value + 1]
    return [other for other in tried if other != value]


def kinds(factory: Callable[..., Any], given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Returns other values of settings on which it may depend whether a number counts, each with the setting's name.

    What is done every so many steps or from some step on is done always; what is left out by a factor of 0 is done; of
    listed words and members each is there.
    """
    found: list[tuple[str, Any]] = []
    for name, value in given.items():
        if isinstance(value, Enum):
            found += [(name, member) for member in type(value) if member != value]
        elif isinstance(value, int) and not isinstance(value, bool) and value != 1:
            found.append((name, 1))
        elif isinstance(value, float) and value == 0:
            found.append((name, 0.5))
        else:
            found += [(name, word) for word in words(factory, name) if word != value]
    return found


def words(factory: Callable[..., Any], name: str) -> tuple[str, ...]:
    """Returns the words that a setting may be, as its annotation lists them."""
    function: Any = getattr(factory, "__init__") if isinstance(factory, type) else factory  # noqa: B009
    try:
        hint = typing.get_type_hints(function).get(name)
    except (NameError, TypeError, AttributeError):
        return ()
    listed = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    return tuple(word for word in listed if isinstance(word, str))
