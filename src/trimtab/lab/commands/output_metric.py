r"""A metric in what a command prints: after a plain name, or where a regular expression finds it.

What is given is a regular expression if something in it is found in no name: a backslash, ``.*``, ``.+``, ``.{``,
``(?``, or a class that is repeated or has digits in round brackets (``[0-9]+``, ``([0-9])``). Everything else is a
name, whatever characters are in it: ``val loss``, ``val/loss``, ``loss (val)``, ``acc@[1,5]``, ``R^2``.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.lab.commands.metric import MetricError
from trimtab.lab.commands.printed_number import (
    UnclearNumberError,
    begins_number,
    check_what_follows,
    continuation,
    is_progress_bar,
    read_number,
    read_whole,
)
from trimtab.lab.commands.remedies import OTHERWISE, after_name, instead_of_group
from trimtab.study.checks import check_text
from trimtab.study.errors import InputError
from trimtab.study.tunable import Value

_PATTERN_ONLY = re.compile(r"\\|\(\?|\.[*+{]|\[[^\]]+\][*+?{]|\([^()]*\[[^\]]*0-9")
"""What shows that a text is a regular expression."""

_SEPARATOR = r"(?:[\"'`*\])}]{0,4}\s*(?P<separator>:=|=>?|->|→|:|[|│┃])\s*|[\"'`]?\s+)[\"'`*]{0,3}"
"""What stands between a name and its number: ``val_loss=0.3``, ``"val_loss": 0.3``, ``val_loss 0.3``."""

_WRAPPER = re.compile(r"(?P<type>(?:\w+\.)*(?:tensor|[Aa]rray|b?float\d*|double|Decimal)\w*\()?[(\[{]*\s*[\"']?")
"""What numbers stand in when they are printed as Python's objects: ``tensor(0.25, device='cuda:0')``, ``[0.25]``."""

_CLOSING = re.compile(r"\s*[\"']?\s*(?:[)\]}]|,\s*[A-Za-z_]\w*\s*=)")
_CLOSED = re.compile(r"[\s\"'\])}]*(?<!\s)")
_SCALED = re.compile(r"[)\]}]*\s*[%×x*·^]")
_NUMBER_SOON = re.compile(r"[^\w\s,;]{0,3}\s?\d")


@dataclass(frozen=True)
class OutputMetric:
    """A metric in the lines of standard output and standard error; the last value counts.

    Args:
        name: what it is called.
        text: what was given: a name, or a regular expression with one group.
        is_name: which of the two.
    """

    name: str
    text: str
    is_name: bool = False

    @property
    def source(self) -> str:
        """Where it is found, in words."""
        what = f"number after {self.text}" if self.is_name else f"match of {self.text}"
        return f"the last {what} in the output"

    def start(self, values: Mapping[str, Value]) -> "_LineReading":  # noqa: ARG002 - the same for every run
        """Begins to read one run."""
        return _NameReading(self) if self.is_name else _PatternReading(self)


class _LineReading:
    """The lines of one run."""

    def __init__(self, metric: OutputMetric) -> None:
        self._metric = metric
        self._found = False

    def line(self, text: str) -> list[float]:
        """Returns the values in a line."""
        values = self._values(text)
        self._found |= bool(values)
        return values

    def _values(self, text: str) -> list[float]:
        raise NotImplementedError

    def _instead(self) -> str:
        """What was found instead, to be added to a message."""
        return ""

    def end(self) -> None:
        """Checks that there was a value."""
        if not self._found:
            metric = self._metric
            raise MetricError(f"no {metric.name} was found: looked for {metric.source}{self._instead()}")


class _NameReading(_LineReading):
    def __init__(self, metric: OutputMetric) -> None:
        super().__init__(metric)
        name = r"\s+".join(map(re.escape, metric.text.split()))
        before = r"(?<![\w./-])" if re.match(r"\w", metric.text) else ""
        self._name = re.compile(name, re.IGNORECASE)
        self._pattern = re.compile(before + name + _SEPARATOR)
        self._nearest: str | None = None

    def _values(self, text: str) -> list[float]:
        values = []
        for match in self._pattern.finditer(text):
            try:
                value = _value_at(text, match.end(), announced=match["separator"] is not None)
            except UnclearNumberError as error:
                raise MetricError(_unclear(error, text, match.start(), self._metric.text)) from None
            if value is not None:
                values.append(value)
        if not values and self._name.search(text):
            self._nearest = text
        return values

    def _instead(self) -> str:
        if self._nearest is not None:
            return f"; the nearest to it is the line: {_quoted(self._nearest, 0)}"
        return r"; a regular expression would have brackets around the number, as in loss=([-+.\w]+)"


def _value_at(text: str, start: int, *, announced: bool) -> float | None:
    """Returns the number that stands at a place after a name, or ``None`` where there is none.

    Args:
        text: the line.
        start: the place.
        announced: whether there was more than a blank between the name and the place, so that what follows is a value.

    Raises:
        UnclearNumberError: there is a number that cannot be read for certain.
    """
    if is_progress_bar(text, start):
        return None
    if begins_number(text, start):
        return read_number(text, start)[0]
    wrapper = _WRAPPER.match(text, start)
    if wrapper and (announced or wrapper["type"]) and wrapper[0] and begins_number(text, wrapper.end()):
        value, end = read_number(text, wrapper.end(), inside=True)
        if not _CLOSING.match(text, end) or _SCALED.match(text, end):
            raise UnclearNumberError(f"{text[start : end + 20]!r} is not one number")
        closed = _CLOSED.match(text, end)
        check_what_follows(text, start, closed.end() if closed else end)
        return value
    if (_NUMBER_SOON if announced else re.compile(r"\d")).match(text, start):
        raise UnclearNumberError(f"{text[start : start + 20]!r} is not a number alone")
    return None


class _PatternReading(_LineReading):
    def __init__(self, metric: OutputMetric) -> None:
        super().__init__(metric)
        self._pattern = re.compile(metric.text)

    def _values(self, text: str) -> list[float]:
        values = []
        for match in self._pattern.finditer(text):
            if match[1] is None:
                continue
            self._check_cut(match)
            try:
                values.append(read_whole(match[1]))
            except UnclearNumberError as error:
                where = _quoted(text, match.start(1))
                raise MetricError(f"{error}, in the line: {where}\n{OTHERWISE}") from None
        return values

    def _check_cut(self, match: re.Match[str]) -> None:
        """Raises MetricError where the pattern says nothing of how a number goes on."""
        start, end = match.span(1)
        rest = continuation(match.string, start, end)
        if rest and self._pattern.match(match.string, match.start(), end):
            raise MetricError(
                f"the pattern {self._metric.text} takes {match[1]!r} for the number, but the line goes on with "
                f"{rest!r}: {_quoted(match.string, start)}\n{instead_of_group(match.string, start, end)}"
            )


def _unclear(error: UnclearNumberError, text: str, start: int, name: str) -> str:
    return f"{error}, in the line: {_quoted(text, start)}\n{after_name(name, text, start)}"


def _quoted(text: str, start: int) -> str:
    """Returns a line, of a long one the part around a place."""
    if len(text) <= 200:
        return text.strip()
    first = max(0, start - 60)
    return f"{'... ' if first else ''}{text[first : first + 200].strip()} ..."


def output_metric(text: str, name: str | None = None) -> OutputMetric:
    r"""Reads what was given to ``--metric``.

    Args:
        text: a name, which stands before the number and ``=``, ``:``, ``|``, an arrow or blanks, or a regular
            expression with one group.
        name: what reports call it; by default the name, or the word before the group.

    Raises:
        InputError: it is empty, has several lines, or is no regular expression with one group.
    """
    check_text("metric", text)
    if name is not None:
        check_text("metric_name", name)
    if not _PATTERN_ONLY.search(text):
        plain = " ".join(text.split()).rstrip(":= ")
        if not plain or not plain.isprintable():
            raise InputError(f"metric={text!r}: a name that stands before the number is needed, such as val_loss")
        return OutputMetric(name or plain, plain, is_name=True)
    group = _group(text)
    words = re.findall(r"[A-Za-z_][\w/-]*", re.sub(r"\\.|\[[^]]*\]", " ", text[:group]))
    return OutputMetric(name or (words[-1] if words else "metric"), text)


def _group(text: str) -> int:
    """Returns where the only group of a regular expression begins."""
    try:
        with warnings.catch_warnings(action="ignore"):  # Python's, about what a later version may read otherwise
            compiled = re.compile(text)
    except (RecursionError, OverflowError, MemoryError) as error:
        raise InputError(f"--metric is too large a regular expression: {text[:100]} ({error})") from None
    except re.error as error:
        at = error.pos or 0
        raise InputError(f"--metric is not a regular expression: {error.msg}\n  {text}\n  {' ' * at}^") from None
    if compiled.groups != 1:
        raise InputError(
            f"--metric {text!r} has {compiled.groups} groups; one pair of brackets has to enclose the number, as in "
            r"val_loss=([-+.\w]+); others are written (?:...)"
        )
    group = re.search(r"(?<!\\)(?:\\\\)*\((?!\?[:=!<])", text)
    return group.start() if group else 0
