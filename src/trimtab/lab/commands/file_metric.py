"""A metric in a JSON file that a command writes."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.lab.commands.metric import MetricError
from trimtab.lab.commands.template import Template
from trimtab.study.checks import check_text
from trimtab.study.errors import InputError
from trimtab.study.tunable import Value

LARGEST_FILE = 1 << 26
"""Bytes; a file of metrics that is larger is another one than was meant."""


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
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino)

    def line(self, text: str) -> list[float]:  # noqa: ARG002 - what is printed says nothing
        return []

    def end(self) -> float:
        if self._stamp() is None:
            raise MetricError(f"the command did not write {self._path}")
        if self._stamp() == self._before:
            raise MetricError(f"{self._path} is older than the run, which did not write it")
        return self._value(_parsed(self._path))

    def _value(self, found: Any) -> float:
        parts = self._key.split(".")
        known: list[str] = []
        while parts:
            where = f"{self._path}, {'.'.join(known) or 'at the top'}"
            taken = len(parts) if isinstance(found, dict) and ".".join(parts) in found else 1
            known += parts[:taken]
            found = _member(found, ".".join(parts[:taken]), where)
            parts = parts[taken:]
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise MetricError(f"{self._path}: {self._key} is {_short(found)}, a number is needed")
        return float(found)


class _Object(dict[str, Any]):
    """An object of JSON that knows which of its keys stand there twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.twice = {key for key, count in counts.items() if count > 1}


@dataclass(frozen=True)
class _Beyond:
    """A number that no float can hold."""

    text: str


def _number(text: str) -> int | float | _Beyond:
    value = float(text)
    if math.isinf(value) or (value == 0 and text.lower().partition("e")[0].strip("-0.")):
        return _Beyond(text)
    return int(text) if text.lstrip("-").isdigit() else value


def _parsed(path: Path) -> Any:
    try:
        if not path.is_file():
            raise MetricError(f"{path} is not a file")
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise MetricError(f"{path} has {size:,} bytes; at most {LARGEST_FILE:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise MetricError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return json.loads(content, object_pairs_hook=_Object, parse_float=_number, parse_int=_number)
    except UnicodeDecodeError as error:
        raise MetricError(f"{path} is not JSON: byte {error.start} is not {error.encoding}") from None
    except ValueError as error:
        several = " (several values, one a line? one value is needed)" if "Extra data" in str(error) else ""
        raise MetricError(f"{path} is not JSON: {error}{several}") from None
    except RecursionError:
        raise MetricError(f"{path} is nested too deeply") from None


def _member(found: Any, part: str, where: str) -> Any:
    if isinstance(found, _Object):
        if part not in found:
            known = ", ".join(found)
            raise MetricError(f"{where}: there is no {part!r}; there are {known[:300] or 'no keys'}")
        if part in found.twice:
            raise MetricError(f"{where}: {part!r} stands there twice")
        return found[part]
    if isinstance(found, list):
        try:
            return found[int(part)]
        except (ValueError, IndexError):
            raise MetricError(f"{where}: a list of {len(found)} has no {part!r}") from None
    raise MetricError(f"{where}: {_short(found)} has no {part!r}")


def _short(found: Any) -> str:
    if isinstance(found, _Beyond):
        return f"{found.text[:60]}{'...' if len(found.text) > 60 else ''}, which no float can hold"
    if isinstance(found, dict | list):
        kind, noun = ("an object", "keys") if isinstance(found, dict) else ("a list", "elements")
        return f"{kind} of {len(found)} {noun}"
    return json.dumps(found)[:100]


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
