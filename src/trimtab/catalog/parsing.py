"""Reading expressions; errors point at the character."""

import ast
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from trimtab.catalog.entries import find
from trimtab.catalog.expressions import Expression
from trimtab.study.checks import check_number, check_text
from trimtab.study.errors import Faults, InputError

Made = TypeVar("Made")

FORM = "expected a name, with settings adamw(lr=0.001), or around another clip(adamw, fraction=0.1)"


def parse_expressions(text: str, what: str = "candidates") -> list[Expression]:
    """Reads expressions separated by commas.

    Args:
        text: the expressions.
        what: they are, for messages.

    Raises:
        InputError: the text is not of that form, a name or setting is unknown, or expressions cannot be put together as
            it says; the message points at the place.
    """
    check_text(what, text)
    try:
        with warnings.catch_warnings(action="ignore"):  # Python's, about odd ways to write numbers
            tree = ast.parse(f"[{text}]", mode="eval").body
        nodes: Iterable[ast.expr] = tree.elts if isinstance(tree, ast.List) else [tree]
        return _all(text, nodes)
    except SyntaxError as error:
        words = pointing(text, (error.offset or 2) - 2, "expected names such as lion,adamw(lr=0.001)")
    except (RecursionError, MemoryError):
        words = pointing(text[:100], 0, "it is nested too deeply")
    except InputError as error:
        words = str(error)
    raise InputError(f"cannot read the {what}: {words}")


def parse_expression(text: str) -> Expression:
    """Reads one expression.

    Raises:
        InputError: see :func:`parse_expressions`; or there are none or several.
    """
    found = parse_expressions(text, "optimizer's name")
    if len(found) != 1:
        raise InputError(f"{text!r}: one expression is expected, such as lion or clip(adamw)")
    return found[0]


def _all(text: str, nodes: Iterable[ast.expr]) -> list[Expression]:
    faults, found = Faults(), list[Expression]()
    for node in nodes:
        with faults:
            found.append(_whole(text, node))
    faults.raise_any()
    return found


def _whole(text: str, node: ast.expr) -> Expression:
    expression = _expression(text, node)
    try:
        expression.check()
    except InputError as error:
        raise InputError(pointing(text, node.col_offset - 1, str(error))) from None
    return expression


def _expression(text: str, node: ast.expr, inner: Expression | None = None) -> Expression:
    """Reads a node, which stands to the right of ``inner`` and a plus if that is given."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and inner is None:
        return _expression(text, node.right, _expression(text, node.left))
    name, arguments, keywords = node, [], []
    if isinstance(node, ast.Call):
        name, arguments, keywords = node.func, node.args, node.keywords
    if not isinstance(name, ast.Name):
        raise InputError(pointing(text, node.col_offset - 1, FORM))
    if len(arguments) + (inner is not None) > 1:
        raise InputError(pointing(text, arguments[-1].col_offset - 1, f"{name.id} goes around one optimizer only"))
    faults = Faults()
    if arguments:
        with faults:
            inner = _expression(text, arguments[0])
    fixed = []
    with faults:
        entry = _placed(text, node, lambda: find(name.id, "optimizer"))
    for keyword in keywords:
        with faults:
            fixed.append((keyword.arg or "**", _value(text, keyword)))
    faults.raise_any()
    _placed(text, node, lambda: _check_once(name.id, [setting for setting, _ in fixed]))
    return _placed(text, node, lambda: Expression(entry, tuple(fixed), inner))


def _placed(text: str, node: ast.expr, make: Callable[[], Made]) -> Made:
    """Makes something of a node; what is wrong with it is said with its place."""
    try:
        return make()
    except _PlacedError:
        raise
    except InputError as error:
        raise _PlacedError(pointing(text, node.col_offset - 1, str(error))) from None


class _PlacedError(InputError):
    """The message shows the place already."""


def _check_once(name: str, settings: list[str]) -> None:
    for setting in settings:
        if settings.count(setting) > 1:
            raise InputError(f"{name}: {setting} stands there twice")


def _value(text: str, keyword: ast.keyword) -> Any:
    """Returns a plain value, or a tuple of some, which passes through to the optimizer."""
    try:
        value = ast.literal_eval(keyword.value)
        if isinstance(value, list | tuple):
            return tuple(map(_checked, value))
        return _checked(value)
    except (ValueError, TypeError):
        words = "expected a number, a string or a bool, finite and printable, or a tuple of these"
        raise _PlacedError(pointing(text, keyword.value.col_offset - 1, words)) from None


def _checked(value: Any) -> Any:
    if isinstance(value, str):
        check_text("setting", value)
    elif value is not None and not isinstance(value, bool):
        check_number("setting", value)
    return value


def pointing(text: str, offset: int, expected: str) -> str:
    """Returns a message that shows where in the text something is wrong."""
    offset = max(0, min(offset, len(text)))
    return f"{expected}\n  {text}\n  {' ' * offset}^"
