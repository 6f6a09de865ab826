"""Ranges for settings of the catalogue's optimizers, as ``--tune`` has them: ``adamw.lr``, ``sgd.momentum``.

A setting that is a pair, as ``betas``, is tuned as a whole, ``adamw.betas=(0.9,0.95),(0.9,0.999)``, or one of it alone:
``adamw.beta2`` is the second of its ``betas``.
"""

import re
from collections.abc import Sequence

from trimtab.catalog.entries import Entry
from trimtab.catalog.expressions import Expression
from trimtab.catalog.own import OWN
from trimtab.catalog.ranges import Tune, parse_range, text_values
from trimtab.catalog.signatures import default_of, parts_of, settings_of
from trimtab.catalog.trying import build_once
from trimtab.study.errors import Faults, InputError
from trimtab.study.suggestions import closest, nearest
from trimtab.study.tunable import Choice, Tunable, Uniform, Value


def with_ranges(expressions: Sequence[Expression], tunes: Sequence[Tune]) -> list[Expression]:
    """Puts ranges that were typed on those that they are for.

    Args:
        expressions: of the candidates; classes of one's own have theirs already.
        tunes: those that name a candidate of the catalogue.

    Returns:
        The expressions with their ranges.

    Raises:
        InputError: a range is for nobody, or for a setting that there is not, or has values that it cannot have.
    """
    found: list[dict[str, str]] = [{} for _ in expressions]
    faults = Faults()
    by_name = {name for each in expressions for node in each.nodes() for name in node.entry.names}
    for tune in sorted(tunes, key=lambda each: _wanted(each) not in by_name):  # what names a whole candidate goes last
        with faults:
            own = [(place, node) for place, each in enumerate(expressions) for node in _meant(each, tune)]
            if not own:
                names = [node.entry.id for each in expressions for node in each.nodes() if node.entry.family != OWN]
                near = nearest(str(tune.candidate), names)
                raise InputError(f"--tune {tune.text!r} is for nobody: {tune.candidate} takes no part; {near}")
            _check_setting(own[0][1].entry, tune)
            free = [(place, node) for place, node in own if _free(expressions[place], node, tune.setting)]
            if not free:
                raise InputError(
                    f"--tune {tune.text!r} is for nobody: {tune.setting} is fixed, or set by something else, wherever "
                    f"{tune.candidate} takes part"
                )
            for place, node in free:
                found[place][node.place_of(tune.setting)] = tune.range
    tuned = [expression.with_typed(ranges) for expression, ranges in zip(expressions, found, strict=True)]
    for expression in tuned:
        typed = [(node, setting, text) for node in expression.nodes() for setting, text in node.entry.typed.items()]
        for node, setting, text in typed:
            if _free(expression, node, setting):  # a range for all classes of one's own is typed where one has it fixed
                with faults:
                    _try(expression, node, setting, text)
    faults.raise_any()
    return tuned


def _wanted(tune: Tune) -> str:
    return str(tune.candidate).strip().lower()


def _meant(expression: Expression, tune: Tune) -> list[Expression]:
    """The parts of an expression that a range is for."""
    wanted = _wanted(tune)
    if wanted == expression.label.lower():
        return [next(expression.nodes())]
    return [node for node in expression.nodes() if node.entry.family != OWN and wanted in node.entry.names]


def _check_setting(entry: Entry, tune: Tune) -> None:
    known = [*settings_of(entry), *parts_of(entry)]
    if tune.setting in known:
        return
    near = closest(tune.setting, known)
    meant = f"did you mean {' or '.join(near)}? It has" if near else "it has"
    raise InputError(f"--tune {tune.text!r}: {entry.id} has no setting {tune.setting!r}; {meant} {', '.join(known)}")


def _free(expression: Expression, node: Expression, setting: str) -> bool:
    """Tells whether nothing else says what a setting is, or what searches it does so between the ends of its range."""
    whole = parts_of(node.entry).get(setting, (setting, 0))[0]
    name, fixed, searched = node.place_of(whole), expression.all_fixed, expression.searched
    if name in fixed:
        return False
    return name not in expression.set_by_wrappers or not all(place in fixed for place in searched.get(name, ()))


def _try(expression: Expression, node: Expression, setting: str, text: str) -> None:
    """Builds an expression with the ends of a range, or each of its values."""
    name, default, tunable = node.place_of(setting), default_of(node.entry.load(), setting), parse_range(text)
    own = node.entry.family == OWN
    if not own:
        _check_kind(expression, name, text, default)
    middle = {key: each.at(0.5) for key, each in expression.tunables.items()}
    for value in _values(tunable):
        try:
            build_once(expression, {**middle, name: value})
        except Exception as error:
            words = str(error)
            if isinstance(default, tuple) and isinstance(value, int | float):
                words = f'it is {default} by default; write "{name}=(...),(...)", or tune one of them'
            whose = f" of {node.entry.id}" if own else ""
            raise InputError(f"--tune {name}={text}: {name}={value}{whose} cannot be: {words}") from error


def _check_kind(expression: Expression, name: str, text: str, default: object) -> None:
    """Checks that the values of a setting are of the kind that its default is."""
    whole, tunable = re.sub(r"\d$", "s", name), parse_range(text)
    if whole != name and whole in expression.typed:
        raise InputError(f"--tune {name}={text}: {whole} is tuned as well; leave one of them out")
    if isinstance(default, bool) and not (isinstance(tunable, Choice) and set(tunable.values) <= {0, 1}):
        raise InputError(f"--tune {name}={text}: {name} is a switch, {default} by default; write {name}=0,1")
    words = text_values(tunable)
    if words and isinstance(default, int | float):
        raise InputError(
            f"--tune {name}={text}: {words[0]!r} is no number, and {name} is one, {default!r} by default; a range is "
            f"written {name}=1e-4..1e-1:log"
        )


def _values(tunable: Tunable) -> tuple[Value, ...]:
    if isinstance(tunable, Choice):
        return tunable.values
    if isinstance(tunable, Uniform):
        return tunable.low, tunable.high
    return ()
