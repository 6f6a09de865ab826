"""Ranges as they are typed: ``lr=1e-4..1e-1:log``, ``batch=16,32,64``, ``lion.lr=1e-5..1e-2:log``, ``decay=0.1``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.lab.commands.splitting import partition_outside_brackets, split_outside_brackets
from trimtab.lab.commands.template import pointing
from trimtab.study.checks import check_text, check_texts
from trimtab.study.errors import Faults, InputError
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform, Tunable, Uniform, Value

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_UPWARDS = re.compile(r"\.\.[/\\]|[/\\]\.\.")
"""Dots of a path that leads out of a directory."""
_EXAMPLES = "examples are lr=1e-4..1e-1:log, momentum=0.8..0.99, batch=16,32,64 and, for one candidate, lion.lr=1e-5"


@dataclass(frozen=True)
class Tune:
    """What ``--tune`` says about one setting.

    Args:
        setting: name of the place in the command.
        candidate: the candidate that it is for; ``None`` for all that have none of their own.
        range: the range as it was typed; :func:`parse_range` reads it.
        text: all of it, for messages.
    """

    setting: str
    candidate: str | None
    range: str
    text: str


def parse_tunes(texts: Sequence[str]) -> list[Tune]:
    """Reads what was given to ``--tune``.

    Raises:
        InputError: a text is not of that form, or a setting was given twice; the message points at the place.
    """
    faults = Faults()
    tunes = readable_tunes(texts, faults)
    faults.raise_any()
    return tunes


def readable_tunes(texts: Sequence[str], faults: Faults) -> list[Tune]:
    """Reads what was given to ``--tune``, and gathers what is wrong with it, so that the rest can be looked at."""
    check_texts("tune", texts)
    tunes: list[Tune] = []
    for text in texts:
        with faults:
            tune = _parse_tune(text)
            if any((tune.setting, tune.candidate) == (other.setting, other.candidate) for other in tunes):
                raise InputError(f"--tune {text!r}: {text[: -len(tune.range)].strip(' =')} was given twice")
            tunes.append(tune)
    return tunes


def _parse_tune(text: str) -> Tune:
    target, equals, written = partition_outside_brackets(text, "=")
    candidate, _, setting = target.strip().rpartition(".")
    if not equals or not setting.isidentifier():
        raise InputError(f"--tune {text!r}: expected a name, an equals sign and a range; {_EXAMPLES}")
    try:
        parse_range(written.strip())
    except InputError as error:
        raise InputError(f"--tune {pointing(text, len(target) + 1, str(error))}") from None
    return Tune(setting, candidate or None, written.strip(), text)


def parse_range(text: str) -> Tunable:
    """Reads a range: ``low..high``, ``low..high:log``, or values separated by commas, of which one is enough.

    ``low..high:log1m`` is for what lies below one, as momentum: what lacks to one is logarithmic. Values in brackets,
    as ``(0.9,0.95),(0.9,0.999)``, are texts that stand for pairs. In ``../a.yaml`` the dots are of a path.

    Raises:
        InputError: it is none of these, or its bounds are in the wrong order.
    """
    check_text("range", text)
    if ".." in _UPWARDS.sub("", text):
        return _bounded(text)
    if any(text.count(opening) != text.count(closing) for opening, closing in ("()", "[]")):
        raise InputError(f"{text}: a bracket is not closed, or not opened; pairs are written (0.9,0.95),(0.9,0.999)")
    values = [value.strip() for value in (_tuples(text) or split_outside_brackets(text, ","))]
    if "" in values:
        raise InputError(f"{text or 'nothing'}: expected low..high, low..high:log or values separated by commas")
    if len(set(values)) < len(values):
        raise InputError(f"{text}: a value stands there twice")
    return Choice(tuple(map(_value, values)))


def _bounded(text: str) -> Uniform:
    bounds, _, scale = text.partition(":")
    low, _, high = bounds.partition("..")
    if scale not in SCALES:
        raise InputError(f"{text}: after the colon of a range stands log, log1m or nothing")
    for end in (low, high):
        if not _NUMBER.fullmatch(end):
            raise InputError(f"{text}: {end!r} is not a number")
    return _between(text, float(low), float(high), SCALES[scale])


SCALES: dict[str, type[Uniform]] = {"": Uniform, "log": LogUniform, "log1m": LogOneMinus}
"""What may stand after the colon of a range."""

_TUPLES = re.compile(r"\s*\([^()]*\)\s*(,\s*\([^()]*\)\s*)*")


def _tuples(text: str) -> list[str]:
    """Returns the values of a text that are all in brackets; none if they are not."""
    if not _TUPLES.fullmatch(text):
        return []
    found = re.findall(r"\([^()]*\)", text)
    for each in found:
        if not all(_NUMBER.fullmatch(number.strip()) for number in each[1:-1].split(",")):
            raise InputError(f"{text}: in brackets stand numbers separated by commas, as in (0.9,0.999)")
    return found


def _between(text: str, low: float, high: float, kind: type[Uniform]) -> Uniform:
    if kind is LogUniform and low <= 0:
        raise InputError(f"{text}: a logarithmic range begins above 0")
    if kind is LogOneMinus and high >= 1:
        raise InputError(f"{text}: a range that is logarithmic in what lacks to 1 ends below 1")
    if not low < high:
        raise InputError(f"{text}: the first number must be the smaller one")
    try:
        return kind(low, high)
    except InputError as error:
        raise InputError(f"{text}: these numbers are too large, or too far apart") from error


def _value(text: str) -> Value:
    """A number where it is written as one and comes back as the same text or a float, else the text itself."""
    if text == "0" or re.fullmatch(r"-?[1-9]\d*", text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) and re.search(r"[.eE]", text) else text


def ends_of(tunable: Tunable) -> tuple[float, ...]:
    """Returns the smallest and the largest number that a range has; nothing where it has texts."""
    if isinstance(tunable, Uniform):
        return tunable.low, tunable.high
    numbers = [value for value in getattr(tunable, "values", ()) if isinstance(value, int | float)]
    return (min(numbers), max(numbers)) if numbers else ()


def text_values(tunable: Tunable) -> list[str]:
    """Returns those values of a range that are texts, as what is written like no number is."""
    return [value for value in tunable.values if isinstance(value, str)] if isinstance(tunable, Choice) else []


def texts_tried(settings: Mapping[str, Value]) -> str:
    """Returns what to say beside a failure where texts were tried that may have been meant as ranges."""
    found = {name: value for name, value in settings.items() if isinstance(value, str)}
    words = " and ".join(f"{name}={value!r}" for name, value in found.items())
    return f" (tried with the text {words}; a range is written {next(iter(found))}=1e-4..1e-1:log)" if found else ""


def range_text(tunable: Tunable) -> str:
    """Writes a range so that :func:`parse_range` reads it again."""
    if isinstance(tunable, Uniform):
        scale = next(name for name, kind in SCALES.items() if kind is type(tunable))
        return f"{tunable.low!r}..{tunable.high!r}{scale and f':{scale}'}"
    if isinstance(tunable, Choice):
        return ",".join(map(str, tunable.values))
    raise TypeError(f"{tunable!r} is not a range that can be written")
