"""Whether an expression can be built, found out by building it once, before anything runs."""

from collections.abc import Iterable

from torch import nn

from trimtab.catalog.expressions import Expression
from trimtab.catalog.own import OWN
from trimtab.catalog.ranges import texts_tried
from trimtab.catalog.signatures import unlike_default
from trimtab.study.checks import check_number
from trimtab.study.errors import Faults, InputError
from trimtab.study.tunable import Settings, Uniform, Value


def check_fixed(expression: Expression) -> None:
    """Checks the fixed settings of the whole, by building it once; those of a part depend on what goes around it.

    They may lie outside the ranges in which they would be tuned: no weight decay is a wish, not a fault.

    Args:
        expression: the whole.

    Raises:
        InputError: one is refused by the class that it is of, or set by a wrapper.
    """
    if not all(node.entry.loadable for node in expression.nodes()):
        return
    fixed, owners, ranges, faults = expression.all_fixed, expression.set_by_wrappers, expression.ranges, Faults()
    for name, value in fixed.items():
        with faults:
            if name in owners:
                raise InputError(f"{name} is set by {owners[name]}, and cannot be fixed to {value!r}")
            if isinstance(ranges.get(name), Uniform):
                check_number(name, value)
    faults.raise_any()
    own = [node for node in expression.nodes() if node.entry.family == OWN]
    if fixed or own:
        tried = {name: each.at(0.5) for name, each in expression.tunables.items()}
        try:
            _build(expression, tried, fixed.values())
        except Exception as error:  # a class has words for bad values, but hardly for another kind of value
            reason = "" if isinstance(error, ValueError) else _unlike_defaults(expression)
            reason = reason or (str(error) if isinstance(error, TypeError | ValueError) else repr(error))
            words = texts_tried({name: value for name, value in tried.items() if own and "." not in name})
            told = _unless_told(expression)
            if isinstance(error, TypeError) and "required" in reason:
                told += "; give what is missing in brackets"
            raise InputError(f"{expression.label} cannot be built: {reason}{words}{told}") from error


def build_once(expression: Expression, tuned: Settings) -> None:
    """Builds an expression around layers, to see whether it can be.

    Args:
        expression: the expression.
        tuned: settings beside those that are fixed.

    Raises:
        Exception: it cannot; whatever its class raises.
    """
    _build(expression, tuned, (*expression.all_fixed.values(), *tuned.values()))


def _build(expression: Expression, tuned: Settings, values: Iterable[Value]) -> None:
    """Builds an expression around layers with room for values; one's own may be for matrices alone, without biases."""
    room = [value for value in values if isinstance(value, int)]
    try:
        expression.build(_roomy(room, bias=True), tuned)
    except Exception:
        if next(expression.nodes()).entry.family != OWN:
            raise
        expression.build(_roomy(room, bias=False), tuned)


def _unlike_defaults(expression: Expression) -> str:
    """Which fixed settings are of another kind than their defaults."""
    found = [
        f"{node.place_of(name)}={value!r} is nothing like its default, {default!r}"
        for node in expression.nodes()
        for name, value in node.fixed
        if (default := unlike_default(node.entry, name, value)) is not None
    ]
    return "; ".join(found)


def _unless_told(expression: Expression) -> str:
    """What the whole is built with that nobody has written, which may be at odds with what somebody has."""
    fixed = expression.all_fixed
    own = {node.place_of(name): value for node in expression.nodes() for name, value in node.entry.settings.items()}
    words = ", ".join(f"{name}={value!r}" for name, value in own.items() if name not in fixed)
    return f" (it has {words} unless told otherwise)" if words else ""


def _roomy(ranks: Iterable[int], *, bias: bool) -> nn.Module:
    """Returns two layers whose weights have room for every rank that is asked for, in memory that nothing touches."""
    side = 2 + min(max((0, *ranks)), 8192)
    layers = (nn.Linear(side, side, bias, device="meta") for _ in range(2))  # the first is hidden, and not the head
    return nn.Sequential(*layers).to_empty(device="cpu")
