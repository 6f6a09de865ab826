"""From plain values, such as JSON holds, to the dataclasses that they were written from."""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from trimtab.study.errors import InputError

Made = TypeVar("Made")


def from_plain(kind: type[Made], value: Any, place: str) -> Made:
    """Builds a dataclass from what ``dataclasses.asdict`` made of one, or what JSON made of that.

    Fields may be numbers, texts, ``None``, literals, other such dataclasses, tuples, and mappings from texts.

    Args:
        kind: the dataclass.
        value: a mapping from the names of its fields; what is not there must have a default, and others are left out.
        place: what is read, for messages.

    Raises:
        InputError: something else is there; the message names the place.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{place}: an object is needed, got {_short(value)}")
    plain: Any = kind  # the type of a dataclass has no name
    hints = _hints(plain)
    given = {name: _made(hint, value[name], f"{place}.{name}") for name, hint in hints.items() if name in value}
    needed = [each.name for each in dataclasses.fields(plain) if _is_needed(each)]
    missing = [name for name in needed if name not in given]
    if missing:
        raise InputError(f"{place}: {missing[0]} is missing")
    return kind(**given)


def _is_needed(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _made(hint: Any, value: Any, place: str) -> Any:
    if dataclasses.is_dataclass(hint):
        inner: Any = hint
        return from_plain(inner, value, place)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _one_of(inside, value, place)
    if origin is Literal:
        return _checked(value, lambda found: found in inside, f"one of {', '.join(map(repr, inside))}", place)
    if origin is tuple:
        return _tuple(inside, value, place)
    if origin is dict:
        _checked(value, lambda found: isinstance(found, dict), "an object", place)
        return {key: _made(inside[1], each, f"{place}.{key}") for key, each in value.items()}
    allowed = (int, float) if hint is float else hint
    alike = isinstance(value, allowed) and (hint is bool or not isinstance(value, bool))
    return _checked(value, lambda _: alike, {float: "a number", int: "a whole number"}.get(hint, hint.__name__), place)


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """The first kind that a value is of; of a single one beside ``None``, its fault says more."""
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        try:
            return _made(kind, value, place)
        except InputError:
            continue
    return _made(others[-1], value, place)


def _tuple(inside: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _checked(value, lambda found: isinstance(found, list | tuple), "a list", place)
    kinds = [inside[0]] * len(value) if inside[-1] is ... else list(inside)
    if len(kinds) != len(value):
        raise InputError(f"{place}: {len(kinds)} values are needed, got {len(value)}")
    return tuple(
        _made(kind, each, f"{place}[{index}]") for index, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def _checked(value: Any, holds: Callable[[Any], bool], what: str, place: str) -> Any:
    if not holds(value):
        raise InputError(f"{place}: {what} is needed, got {_short(value)}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
