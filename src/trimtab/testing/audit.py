"""Runs every check on an optimizer without a test runner, and says what it saw of each.

What pytest does with a suite (cases of a check, checks that do not apply) is done here for somebody who wants to know
of one class and has no test file of it.
"""

import contextlib
import inspect
import io
import itertools
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pytest
import torch
from torch.optim import Optimizer

from trimtab.testing.conformance import OptimizerConformance
from trimtab.testing.exceptions import Excepting
from trimtab.testing.promises import promise_of
from trimtab.testing.resume import follow, in_training
from trimtab.testing.support import gradients, parameters

Outcome = Literal["holds", "broken", "skipped"]

LONGEST: Final = 200
"""Characters of what is said of a failure; the values of whole tensors help nobody in a table."""

_VALUES = re.compile(r"\(parameter (\d+): .* instead of .*\)", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """What became of one case of a check.

    Args:
        check: its name, with the case in brackets: ``refuses[lr=nan]``.
        promise: what it is about, as a user would say it.
        contract: what is promised, in a line.
        outcome: whether that holds, is broken, or does not apply.
        seen: what was seen where it is broken, or why it does not apply.
    """

    check: str
    promise: str
    contract: str
    outcome: Outcome
    seen: str = ""

    @property
    def name(self) -> str:
        """The check without its case."""
        return self.check.partition("[")[0]


def audit_optimizer(
    optimizer: Callable[..., Optimizer],
    settings: Mapping[str, Any] | None = None,
    *,
    shapes: Sequence[tuple[int, ...]] | None = None,
    without: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    watch: Callable[[str], None] = lambda _check: None,
) -> list[Finding]:
    """Runs every check of :class:`~trimtab.testing.OptimizerConformance` on an optimizer.

    Args:
        optimizer: a class, function or ``functools.partial`` that is called as ``optimizer(params, **settings)``.
        settings: passed to every construction.
        shapes: of the parameters in most checks, for a rule that is for matrices only.
        without: checks that are left out, with the reason.
        only: these checks and no others.
        watch: is told the name of each case before it runs.

    Returns:
        What was found, a finding for each case of each check, in the order of the suite.

    Examples:
        >>> broken = [found for found in audit_optimizer(torch.optim.SGD) if found.outcome == "broken"]
    """
    held = {"optimizer": staticmethod(optimizer), "settings": dict(settings or {})}
    suite = type("Audited", (OptimizerConformance,), held | ({} if shapes is None else {"shapes": tuple(shapes)}))
    found = []
    for name, check in cases(suite):
        bare = name.partition("[")[0]
        if only is not None and bare not in only:
            continue
        contract = (inspect.getdoc(getattr(suite, f"test_{bare}")) or "").partition("\n\n")[0].replace("\n", " ")
        if bare in (without or {}):
            found.append(Finding(name, promise_of(bare), contract, "skipped", (without or {})[bare]))
            continue
        watch(name)
        found.append(Finding(name, promise_of(bare), contract, *outcome_of(check)))
    return found


def first_step(
    optimizer: Callable[..., Optimizer],
    settings: Mapping[str, Any] | None = None,
    shapes: Sequence[tuple[int, ...]] | None = None,
) -> None:
    """Takes the first step of the checks, whose gradients are plain tensors: there is no closure and no graph.

    Args:
        optimizer: as of :func:`audit_optimizer`.
        settings: passed to the construction.
        shapes: of the parameters; those of the suite by default.

    Raises:
        Exception: whatever the step raises.
    """
    params = parameters(OptimizerConformance.shapes if shapes is None else shapes)
    made = in_training(optimizer(params, **(settings or {})))
    with warnings.catch_warnings(action="ignore"):
        follow(made, params, gradients(params, 1))


def cases(suite: type[Excepting]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yields every check of a suite with every set of its arguments, by the name that ``exceptions`` takes."""
    for name, method in inspect.getmembers(suite, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        rows: list[list[tuple[str, dict[str, Any]]]] = []
        for mark in getattr(method, "pytestmark", []):
            names, values = mark.args
            names = names.split(",") if isinstance(names, str) else names
            labels = mark.kwargs.get("ids", str)
            labels = [labels(value) for value in values] if callable(labels) else labels
            given = [value if len(names) > 1 else (value,) for value in values]
            rows.append([(label, dict(zip(names, row, strict=True))) for label, row in zip(labels, given, strict=True)])
        for each in itertools.product(*rows):
            arguments = {key: value for _, row in each for key, value in row.items()}
            case = f"[{'-'.join(label for label, _ in each)}]" if each else ""
            yield name.removeprefix("test_") + case, _bound(suite, name, arguments)


def _bound(suite: type[Excepting], name: str, arguments: Mapping[str, Any]) -> Callable[[], None]:
    def check() -> None:
        getattr(suite(), name)(**arguments)

    return check


def outcome_of(check: Callable[[], None]) -> tuple[Outcome, str]:
    """Runs a check, whatever it raises, leaves torch's modes and the output as they were, and says what was seen."""
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            check()
    except pytest.skip.Exception as reason:
        return "skipped", str(reason)
    except AssertionError as error:
        return "broken", shortened(str(error))
    except (Exception, SystemExit) as error:
        return "broken", shortened(f"{type(error).__name__}: {error}")
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
    return "holds", ""


def shortened(message: str) -> str:
    """Returns what is said of a failure in one line of a table."""
    line = " ".join(_VALUES.sub(r"(parameter \1)", message).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 4]} ..."
