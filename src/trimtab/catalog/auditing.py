"""Which promises of ``torch.optim`` an optimizer keeps, by its name, or as ``package.module:Class``."""

import functools
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from trimtab.catalog.create import create
from trimtab.catalog.entries import Entry, of_slot
from trimtab.catalog.expressions import Expression
from trimtab.catalog.own import OwnEntry
from trimtab.catalog.parsing import parse_expression
from trimtab.optim.groups import groups_by_role
from trimtab.study.errors import InputError

if TYPE_CHECKING:
    from trimtab.testing.audit import Finding, Outcome


@dataclass(frozen=True)
class Audit:
    """What was found of an optimizer.

    Args:
        label: how it was called, with its settings.
        title: what it is.
        findings: one for each case of each check.
        of_torch: what becomes of the broken cases with ``torch.optim.AdamW``, to which some do not apply.
    """

    label: str
    title: str
    findings: Sequence["Finding"]
    of_torch: Mapping[str, "Outcome"] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing that applies to it is broken."""
        return not self.broken

    @property
    def broken(self) -> list["Finding"]:
        """What does not hold."""
        return [found for found in self.findings if found.outcome == "broken"]

    def broken_where_torch(self, outcome: "Outcome") -> list["Finding"]:
        """What does not hold, and with ``torch.optim.AdamW`` holds, is broken as well or does not apply."""
        return [found for found in self.broken if self.of_torch.get(found.check, "skipped") == outcome]

    @property
    def promises(self) -> dict[str, list["Finding"]]:
        """The findings by what they are about, in the order in which users ask."""
        from trimtab.testing.promises import PROMISES

        return {each: [found for found in self.findings if found.promise == each] for each in PROMISES}

    def facts(self) -> dict[str, Any]:
        """Returns all of it as plain values."""
        counts = {kind: sum(each.outcome == kind for each in self.findings) for kind in ("holds", "broken", "skipped")}
        rows = [
            {
                "check": each.check,
                "promise": each.promise,
                "contract": each.contract,
                "outcome": each.outcome,
                "seen": each.seen,
                "torch": self.of_torch.get(each.check),
            }
            for each in self.findings
        ]
        return {"optimizer": self.label, "title": self.title, **counts, "checks": rows}


def audit(
    optimizer: str,
    *,
    new_process: bool = True,
    watch: Callable[[str], None] = lambda _check: None,
) -> Audit:
    """Runs every check of :class:`trimtab.testing.OptimizerConformance` on an optimizer.

    Args:
        optimizer: ``package.module:Class``, ``path/to/file.py:Class``, or a name or an expression of the catalogue;
            settings may stand in brackets.
        new_process: whether to start a new process as well, which takes seconds, to see whether a run goes on there.
        watch: is told the name of each case before it runs.

    Returns:
        What was found.

    Raises:
        InputError: there is no such optimizer, it cannot be built, its steps need more than gradients, or pytest, which
            the checks are written with, is not installed.

    Examples:
        >>> audit("torch.optim:SGD(lr=0.1)").broken
    """
    expression = parse_expression(optimizer)
    _check_steps(expression)
    if importlib.util.find_spec("pytest") is None:
        raise InputError("the checks of an audit are written with pytest, which is not installed: pip install pytest")
    from trimtab.testing.audit import audit_optimizer

    factory, settings = _made(expression)
    shapes = _shapes(expression, factory, settings)
    without = {} if shapes is None else ONLY_MATRICES | (OTHERS_NUMBERS if _is_for_matrices(expression) else {})
    without |= _left_out(expression, new_process)
    findings = audit_optimizer(factory, settings, shapes=shapes, without=without, watch=watch)
    broken = {found.check: found.name for found in findings if found.outcome == "broken"}
    checks = set(broken.values())
    of_torch = audit_optimizer(torch.optim.AdamW, shapes=shapes, without=without, only=checks) if checks else []
    theirs = {found.check: found.outcome for found in of_torch if found.check in broken}
    return Audit(expression.label, expression.entry.title, findings, theirs)


MATRICES = ((3, 4), (5, 2), (2, 3))
"""Shapes of parameters, where plain ones are taken for matrices."""

ONLY_MATRICES = dict.fromkeys(
    ("layout", "lazy_parameters", "shape", "sparse_gradients"),
    "shows parameters that are no matrices, and does not say so",
)

OTHERS_NUMBERS = {"numbers": "some are for parameters that are no matrices, of which none are shown"}


def _is_for_matrices(expression: Expression) -> bool:
    """Whether its optimizer takes parameters that nothing is said of for matrices."""
    return getattr(next(expression.nodes()).entry.load(), "groups_of", None) is groups_by_role


def _shapes(
    expression: Expression, factory: Callable[..., Any], settings: Mapping[str, Any]
) -> tuple[tuple[int, ...], ...] | None:
    """The shapes of parameters with which its first step can be taken: those of the suite, or else of matrices alone.

    Raises:
        InputError: with neither, as whatever it raises the checks would say of each promise.
    """
    from trimtab.testing.audit import first_step

    if not _is_for_matrices(expression):
        with suppress(Exception):
            first_step(factory, settings)
            return None
    try:
        first_step(factory, settings, MATRICES)
    except Exception as error:
        raise InputError(
            f"{expression.label} cannot be audited: the checks give gradients, and its first step with them fails: "
            f"{type(error).__name__}: {error}"
        ) from error
    return MATRICES


def _made(expression: Expression) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    """What is called to build it, and with what; a class by itself tells more of its settings than a function."""
    if expression.inner is None:
        return expression.entry.load(), expression.settings({})
    return functools.partial(create, expression.label), {}


def _check_steps(expression: Expression) -> None:
    """Refuses what cannot step from gradients alone, and what stands beside an optimizer."""
    for node in expression.nodes():
        entry: Entry = _listed(node.entry)
        if entry.kind == "controller":
            raise InputError(f"{entry.id} stands beside an optimizer and is none: there is nothing to audit")
        own = getattr(entry.load(), "step", None) if isinstance(entry, OwnEntry) else None
        step = None if own is None else inspect.signature(own).parameters.get("closure")
        given = f"{node.entry.id} cannot be audited: the checks give gradients"
        if step is not None and step.default is step.empty:
            raise InputError(f"{given}, and its step needs a closure")
        if entry.step is not None:
            raise InputError(f"{given}, and it steps by {entry.step.replace('  # ', ', ')}")


def _listed(entry: Entry) -> Entry:
    """What the catalogue says of a class, where a reference means one that is in it."""
    if not isinstance(entry, OwnEntry) or entry.file:
        return entry
    loaded = entry.load()
    place = f"{loaded.__module__}:{getattr(loaded, '__qualname__', '')}"  # a family exports what is elsewhere
    listed = [each for each in of_slot("optimizer").values() if each.step and place in (each.object, each.session)]
    return listed[0] if listed else entry


def _left_out(expression: Expression, new_process: bool) -> dict[str, str]:
    if not new_process:
        return {"new_process": "no new process was to be started"}
    if any(isinstance(node.entry, OwnEntry) and node.entry.file for node in expression.nodes()):
        return {"new_process": "a new process imports no class from a file; write package.module:Class for that"}
    return {}
