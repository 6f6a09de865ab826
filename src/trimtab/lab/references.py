"""References to problems as they are typed: ``digits``, ``task.py:Mine``, ``pruned(task.py:Mine, sparsity=0.9)``.

What stands in brackets is handed to what is named before them. Values are Python's literals; anything else is text, so
that names, paths and references within references need no quotes. A text with commas, or with brackets that have no
partner, does: ``data.csv(target='price, net')``.
"""

import ast
import re
from dataclasses import dataclass
from typing import Any

from trimtab.lab.commands.splitting import partition_outside_brackets, split_outside_brackets
from trimtab.study.checks import check_text
from trimtab.study.errors import InputError

STUDY = "study:"
"""How references to finished studies of Optuna's begin: ``study:sqlite:///old.db#name``."""

_FORM = "expected a name, a file and a name, or either with settings in brackets: name(setting=value, other=0.5)"


@dataclass(frozen=True)
class Reference:
    """A reference, taken apart.

    Args:
        place: what stands before the brackets.
        arguments: values without a name.
        settings: names and values.
    """

    place: str
    arguments: tuple[Any, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def brackets(self) -> str:
        """What stands in brackets, with them, always written alike; empty where nothing does."""
        values = [*map(_written, self.arguments), *(f"{name}={_written(value)}" for name, value in self.settings)]
        return f"({', '.join(values)})" if values else ""

    @property
    def text(self) -> str:
        """The reference, always written alike."""
        return f"{self.place}{self.brackets or '()' * self.place.endswith(')')}"


def parse_reference(text: str) -> Reference:
    """Takes a reference apart.

    Raises:
        InputError: brackets have no partner, a setting stands there twice, or a value comes after a setting.
    """
    check_text("problem", text)
    plain = text.strip()
    masked = _LITERAL.sub(lambda found: found[1] + "_" * len(found[2]), plain)  # what is quoted separates nothing
    closed = masked.endswith(")")
    start = _partner(masked) if closed else len(plain)
    if not start or (not closed and "(" in _after_file(plain)):  # a file's name may have any
        raise InputError(f"{text}: a bracket has no partner; {_FORM}")
    if not closed:
        return Reference(plain)
    arguments, settings = list[Any](), dict[str, Any]()
    place = start + 1
    for part in split_outside_brackets(masked[place:-1], ",") if masked[place:-1].strip() else []:
        whole, before = plain[place : place + len(part)].strip(), partition_outside_brackets(part, "=")[0]
        equals = len(before) < len(part)
        name, value = plain[place : place + len(before)].strip(), plain[place + len(before) + 1 : place + len(part)]
        place += len(part) + 1
        if not whole or (equals and not (name.isidentifier() and value.strip())):
            raise InputError(f"{text}: {whole or 'nothing'!r} is no setting; {_FORM}")
        if equals and name in settings:
            raise InputError(f"{text}: {name} was given twice")
        if equals:
            settings[name] = _value(value.strip())
        elif settings:
            raise InputError(f"{text}: {whole} comes after a setting; values without a name come first")
        else:
            arguments.append(_value(whole))
    return Reference(plain[:start], tuple(arguments), tuple(settings.items()))


_LITERAL = re.compile(r"""([(,=]\s*)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=\s*[),])""")
"""A value in quotes."""


def _after_file(text: str) -> str:
    """Returns what stands after the name of a file, or all of it."""
    if text.startswith(STUDY):
        return ""
    return "" if text.lower().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")) else text.rpartition(".py")[2]


def _partner(text: str) -> int:
    """Returns where the bracket opens that closes at the end; 0 if there is none, or nothing before it."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return 0


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _written(value: Any) -> str:
    return value if isinstance(value, str) and _stays(value) else repr(value)


def _stays(text: str) -> bool:
    """Whether a text is read as it is without quotes."""
    try:
        alone, named = parse_reference(f"x({text})"), parse_reference(f"x(y={text})")
    except InputError:
        return False
    return alone.arguments == (text,) and dict(named.settings) == {"y": text}
