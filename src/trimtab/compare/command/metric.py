"""How the number that candidates are compared by is read from what a command prints or writes."""

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trimtab.compare.command.template import Template
from trimtab.lab.checks import check_text
from trimtab.lab.errors import InputError
from trimtab.lab.tunable import Value

_NAME = re.compile(r"[A-Za-z_][\w./-]*")
_AFTER_NAME = (
    r"[\"']?(?:\s*[:=]\s*|\s+)[\"']?"
    r"([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)(?!\w)))"
)
"""What follows a name in ``val_loss=0.3``, ``"val_loss": 0.3`` and ``val_loss 0.3``."""

_CONTINUES = re.compile(r"\.?\d|[eE][-+]?\d")


class MetricError(Exception):
    """A run told no metric that can be read; the message says what was looked for and what was found."""


class Reading(Protocol):
    """The metric of one run, read while it runs."""

    def line(self, text: str) -> list[float]:
        """Returns the values in a line of output; ``nan`` and ``inf`` are values."""
        ...

    def end(self) -> float | None:
        """Returns a value that is known at the end only.

        Raises:
            MetricError: there is none.
        """
        ...


class CommandMetric(Protocol):
    """Where a metric is found."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def source(self) -> str:
        """Where it is found, in words."""
        ...

    def start(self, values: Mapping[str, Value]) -> Reading:
        """Begins to read one run, whose command is filled with these values."""
        ...


@dataclass(frozen=True)
class OutputMetric:
    """A metric in the lines of standard output and standard error.

    Args:
        name: what it is called.
        pattern: regular expression with one group; the last match counts.
        source: where it is found, in words.
    """

    name: str
    pattern: str
    source: str

    def start(self, values: Mapping[str, Value]) -> "_LineReading":  # noqa: ARG002 - the same for every run
        """Begins to read one run."""
        return _LineReading(re.compile(self.pattern))


class _LineReading:
    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def line(self, text: str) -> list[float]:
        values = []
        for match in self._pattern.finditer(text):
            if match[1] is None:
                continue
            rest = _CONTINUES.match(text, match.end(1))
            if rest and match[1][-1:].isdigit():
                raise MetricError(
                    f"the pattern {self._pattern.pattern} takes {match[1]!r} for the number, but the line goes on with "
                    f"{rest[0]!r}; ([-+.\\w]+) takes all of it: {text.strip()[:200]}"
                )
            values.append(_number(match[1], f"in the line: {text.strip()[:200]}"))
        return values

    def end(self) -> float | None:
        return None


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise MetricError(f"{text!r} is not a number, {where}") from None


def output_metric(text: str, name: str | None = None) -> OutputMetric:
    r"""Reads what was given to ``--metric``.

    Args:
        text: a regular expression with one group, or a plain name, which stands for that name followed by ``=``, ``:``
            or blanks and a number.
        name: what reports call it; the word before the group by default.

    Raises:
        InputError: it is no regular expression, or one with another number of groups.
    """
    check_text("metric", text)
    if name is not None:
        check_text("metric_name", name)
    if _NAME.fullmatch(text):
        pattern = rf"(?<![\w./-]){re.escape(text)}{_AFTER_NAME}"
        return OutputMetric(name or text, pattern, f"the last number after {text} in the output")
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
    before = text[: group.start()] if group else ""
    words = re.findall(r"[A-Za-z_][\w/-]*", re.sub(r"\\.|\[[^]]*\]", " ", before))
    name = name or (words[-1] if words else "metric")
    return OutputMetric(name, text, f"the last match of {text} in the output")


@dataclass(frozen=True)
class FileMetric:
    """A metric in a JSON file that the command writes.

    Args:
        name: what it is called.
        path: of the file, with places.
        key: names of objects and numbers of list elements, separated by dots.
    """

    name: str
    path: Template
    key: str

    @property
    def source(self) -> str:
        """Where it is found, in words."""
        return f"{self.key} in the file {self.path.text}"

    def start(self, values: Mapping[str, Value]) -> "_FileReading":
        """Begins to read one run."""
        return _FileReading(Path(self.path.filled(values)), self.key)


class _FileReading:
    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._before = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        return (self._path.stat().st_mtime_ns, self._path.stat().st_ino) if self._path.is_file() else None

    def line(self, text: str) -> list[float]:  # noqa: ARG002 - what is printed says nothing
        return []

    def end(self) -> float:
        if self._stamp() is None:
            raise MetricError(f"the command did not write {self._path}")
        if self._stamp() == self._before:
            raise MetricError(f"{self._path} is older than the run, which did not write it")
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MetricError(f"{self._path} is not JSON: {error}") from None
        return self._value(found)

    def _value(self, found: Any) -> float:
        known: list[str] = []
        for part in self._key.split("."):
            found = _member(found, part, f"{self._path}, {'.'.join(known) or 'at the top'}")
            known.append(part)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise MetricError(f"{self._path}: {self._key} is {json.dumps(found)[:100]}, a number is needed")
        return float(found)


def _member(found: Any, part: str, where: str) -> Any:
    if isinstance(found, dict):
        if part not in found:
            raise MetricError(f"{where}: there is no {part!r}; there are {', '.join(map(str, found)) or 'no keys'}")
        return found[part]
    if isinstance(found, list):
        try:
            return found[int(part)]
        except (ValueError, IndexError):
            raise MetricError(f"{where}: a list of {len(found)} has no {part!r}") from None
    raise MetricError(f"{where}: {json.dumps(found)[:100]} has no {part!r}")


def file_metric(text: str, name: str | None = None) -> FileMetric:
    """Reads what was given to ``--metric-file``: a path, a colon and a dotted key.

    Args:
        text: such as ``{out}/metrics.json:val.loss``.
        name: what reports call it; the last part of the key by default.

    Raises:
        InputError: it has no key, or a path that is the same for all trials.
    """
    check_text("metric_file", text)
    if name is not None:
        check_text("metric_name", name)
    path, colon, key = text.rpartition(":")
    if not colon or not path or not key or "" in key.split("."):
        raise InputError(f"--metric-file {text!r}: expected a path, a colon and a key: {{out}}/metrics.json:val.loss")
    template = Template(path)
    if not {"out", "trial"} & set(template.names):
        raise InputError(
            f"--metric-file {text!r}: the path is the same for all trials, which run at the same time; "
            "put {out} or {trial} into it"
        )
    return FileMetric(name or key.rpartition(".")[2], template, key)
