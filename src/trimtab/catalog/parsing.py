"""Reading expressions; errors point at the character."""

import ast
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from trimtab.catalog.entries import Entry, find
from trimtab.catalog.expressions import Expression
from trimtab.catalog.own import FILE, REFERENCE, own_entry
from trimtab.catalog.trying import check_fixed
from trimtab.study.checks import check_number, check_text
from trimtab.study.errors import Faults, InputError

Made = TypeVar("Made")

SLOT = "optimizer"

_QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
_NAMED = re.compile(rf"(?P<quoted>{_QUOTED})|{REFERENCE.pattern}|{FILE.pattern}(?!\w)")

FORM = "expected a name, with settings adamw(lr=0.001), or around another clip(adamw, fraction=0.1)"


MakeEntry: TypeAlias = Callable[[str], Entry]
"""Makes an entry of a reference to somebody's own class."""


def _own(reference: str) -> Entry:
    return own_entry(reference, SLOT)


def parse_expressions(text: str, what: str = "candidates", own: MakeEntry = _own) -> list[Expression]:
    """Reads expressions separated by commas.

    Args:
        text: the expressions.
        what: they are, for messages.
        own: makes entries of somebody's own classes, such as ``file.py:Class``.

    Raises:
        InputError: the text is not of that form, a name or setting is unknown, or expressions cannot be put together as
            it says; the message points at the place.
    """
    check_text(what, text)
    try:
        with warnings.catch_warnings(action="ignore"):  # Python's, about odd ways to write numbers
            masked, places = _masked(text)
            tree = ast.parse(f"[{masked}]", mode="eval").body
        nodes: Iterable[ast.expr] = tree.elts if isinstance(tree, ast.List) else [tree]

        def entry(name: str) -> Entry:
            return own(places[name]) if name in places else find(name, SLOT)

        return _Reader(text, entry).all(nodes)
    except SyntaxError as error:
        share = re.search(r"(\d+)%", text)
        wanted = (
            f"write {int(share[1]) / 100:g} for {share[0]}" if share else "expected names such as lion,adamw(lr=0.001)"
        )
        words = pointing(text, (error.offset or 2) - 2, wanted)
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


def _masked(text: str) -> tuple[str, dict[str, str]]:
    """The text with a name of the same length in the place of each reference, which Python could not read.

    A file without the name of a class is one, too: whoever makes entries says what it lacks.
    """
    places: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        if found["quoted"]:  # what looks like a reference there is a text
            return found.group()
        made = f"_{chr(ord('a') + len(places) % 26)}{len(places) // 26 or ''}".ljust(len(found.group()), "_")
        places[made] = found.group()
        return made

    return _NAMED.sub(name, text), places


@dataclass(frozen=True)
class _Reader:
    """Makes expressions of what Python read.

    Args:
        text: that it read.
        entry: makes an entry of a name in it.
    """

    text: str
    entry: MakeEntry

    def all(self, nodes: Iterable[ast.expr]) -> list[Expression]:
        """Reads them all, and raises what is wrong with them in one."""
        faults, found = Faults(), list[Expression]()
        for node in nodes:
            with faults:
                found.append(self._whole(node))
        faults.raise_any()
        return found

    def _whole(self, node: ast.expr) -> Expression:
        expression = self._expression(node)
        try:
            check_fixed(expression)
        except InputError as error:
            raise InputError(pointing(self.text, node.col_offset - 1, str(error))) from None
        return expression

    def _expression(self, node: ast.expr, inner: Expression | None = None) -> Expression:
        """Reads a node, which stands to the right of ``inner`` and a plus if that is given."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and inner is None:
            return self._expression(node.right, self._expression(node.left))
        name, arguments, keywords = node, [], []
        if isinstance(node, ast.Call):
            name, arguments, keywords = node.func, node.args, node.keywords
        if not isinstance(name, ast.Name):
            raise InputError(pointing(self.text, node.col_offset - 1, FORM))
        if len(arguments) + (inner is not None) > 1:
            words = f"{name.id} goes around one optimizer only"
            raise InputError(pointing(self.text, arguments[-1].col_offset - 1, words))
        faults = Faults()
        if arguments:
            with faults:
                inner = self._expression(arguments[0])
        fixed = []
        with faults:
            entry = _placed(self.text, node, lambda: self.entry(name.id))
        for keyword in keywords:
            with faults:
                fixed.append((keyword.arg or "**", _value(self.text, keyword)))
        faults.raise_any()
        _placed(self.text, node, lambda: _check_once(entry.id, [setting for setting, _ in fixed]))
        return _placed(self.text, node, lambda: Expression(entry, tuple(fixed), inner))


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
