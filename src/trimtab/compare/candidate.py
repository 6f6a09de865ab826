"""A candidate: a method or baseline of the catalogue, with some of its settings fixed and the others to be tuned.

It is written as a call, ``lion`` or ``adamw(weight_decay=0.1)``; several are separated by commas.
"""

import ast
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import nn

from trimtab.catalog import Entry, find
from trimtab.catalog.create import build
from trimtab.lab.checks import check_number, check_text
from trimtab.lab.errors import InputError
from trimtab.lab.tunable import Settings, Tunables, Value


@dataclass(frozen=True)
class Candidate:
    """What a comparison tunes and runs.

    Args:
        entry: its entry in the catalogue.
        fixed: settings that are not tuned.
    """

    entry: Entry
    fixed: tuple[tuple[str, Value], ...] = ()

    @property
    def label(self) -> str:
        """The expression that names it."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.fixed)
        return f"{self.entry.id}({arguments})" if arguments else self.entry.id

    @property
    def title(self) -> str:
        """Its full name."""
        return self.entry.title

    @property
    def kind(self) -> str:
        """``method`` or ``baseline``."""
        return self.entry.kind

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return self.entry.summary

    @property
    def tunables(self) -> Tunables:
        """What is tuned, in the order of the catalogue."""
        fixed = dict(self.fixed)
        return {name: tunable for name, tunable in self.entry.load_tunables().items() if name not in fixed}

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that the optimizer is built with."""
        return {**self.entry.settings, **dict(self.fixed), **tuned}

    def optimizer(self, model: nn.Module, tuned: Settings) -> torch.optim.Optimizer:
        """Builds the optimizer for a model."""
        return build(self.entry, model, self.settings(tuned))

    def definition(self) -> dict[str, Any]:
        """Returns nothing: the label says all."""
        return {}

    def code(self, tuned: Settings) -> str:
        """Returns the lines that use it outside of trimtab's experiments."""
        module, _, name = self.entry.object.partition(":")
        arguments = "".join(f", {key}={_literal(value)}" for key, value in self.settings(tuned).items())
        if module == "torch.optim":
            return f"import torch\n\noptimizer = torch.optim.{name}(model.parameters(){arguments})"
        return f"from {module} import {name}\n\noptimizer = {name}(model.parameters(){arguments})"


def _literal(value: Value) -> str:
    """Writes a value as code; three significant digits are more than tuning resolves."""
    return f"{value:.3g}" if isinstance(value, float) else repr(value)


def parse_candidates(text: str) -> list[Candidate]:
    """Reads candidates separated by commas.

    Raises:
        InputError: the text is not of that form, a name or setting is unknown, a value is outside its range, or a
            candidate stands there twice.
    """
    check_text("candidates", text)
    try:
        with warnings.catch_warnings(action="ignore"):  # Python's, about odd ways to write numbers
            tree = ast.parse(f"[{text}]", mode="eval").body
    except (RecursionError, MemoryError):
        raise InputError(_pointing(text[:100], 0, "it is nested too deeply")) from None
    except SyntaxError as error:
        raise InputError(
            _pointing(text, (error.offset or 2) - 2, "expected names such as lion,adamw(lr=0.001)")
        ) from None
    nodes: Iterable[ast.expr] = tree.elts if isinstance(tree, ast.List) else [tree]
    candidates = [_candidate(text, node) for node in nodes]
    if not candidates:
        raise InputError("no candidates were given; an example is sgd,adamw,lion")
    labels = [candidate.label for candidate in candidates]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"the candidate {label} was given twice")
    return candidates


def _candidate(text: str, node: ast.expr) -> Candidate:
    if isinstance(node, ast.Name):
        return Candidate(find(node.id))
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args):
        raise InputError(
            _pointing(text, node.col_offset - 1, "expected a name, or a name with settings: adamw(lr=0.001)")
        )
    entry = find(node.func.id)
    fixed = tuple((keyword.arg or "**", _value(text, keyword)) for keyword in node.keywords)
    if len(dict(fixed)) < len(fixed):
        raise InputError(_pointing(text, node.col_offset - 1, "a setting stands there twice"))
    for name, value in fixed:
        tunable = entry.load_tunables().get(name)
        if tunable is None and name not in _arguments(entry):
            raise InputError(f"{entry.id} has no setting {name!r}; it has {', '.join(_arguments(entry))}")
        if tunable is not None:
            try:
                tunable.check(name, value)
            except InputError as error:
                raise InputError(f"{entry.id}: {error}") from None
    return Candidate(entry, fixed)


def _arguments(entry: Entry) -> list[str]:
    import inspect

    names = []
    for parameter in inspect.signature(entry.load()).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:  # annotated as Unpack of a TypedDict
            names += [name for options in get_args(parameter.annotation) for name in options.__annotations__]
        elif parameter.name != "params":
            names.append(parameter.name)
    return names


def _value(text: str, keyword: ast.keyword) -> Value:
    try:
        value = ast.literal_eval(keyword.value)
        if isinstance(value, list | tuple):
            value = tuple(map(_checked, value))
        else:
            _checked(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        words = "expected a finite number, a string, a bool, None or a tuple of these"
        raise InputError(_pointing(text, keyword.value.col_offset - 1, words)) from None
    return value  # type: ignore[no-any-return]  # tuples (betas) pass through to the optimizer


def _checked(value: Value) -> Value:
    if isinstance(value, str):
        check_text("setting", value)
    elif value is not None and not isinstance(value, bool):
        check_number("setting", value)
    return value


def _pointing(text: str, offset: int, expected: str) -> str:
    offset = max(0, min(offset, len(text)))
    return f"cannot read the candidates: {expected}\n  {text}\n  {' ' * offset}^"
