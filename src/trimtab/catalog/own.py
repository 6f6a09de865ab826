"""Anybody's own class as a candidate: ``package.module:Class``, ``path/to/file.py:Class``."""

import importlib
import inspect
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.catalog.entries import Entry
from trimtab.catalog.ranges import Tune, parse_range, range_text, text_values
from trimtab.catalog.signatures import default_of
from trimtab.lab.loading import file_hash, import_file
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.phrases import either
from trimtab.study.suggestions import nearest
from trimtab.study.tunable import Choice, Tunables, Uniform

OWN = "own"
"""The family of what is in no catalogue."""

OWN_KIND = "your own"
"""The kind of a candidate of it, as it is printed."""

REFERENCE = re.compile(r"[^\s,()+=:'\"]+:[A-Za-z_]\w*(?:\.\w+)*")
"""A module or a file, a colon and a name."""

FILE = re.compile(r"[^\s,()+=:'\"]+\.py")
"""A file without a name, which is not enough."""


@dataclass(frozen=True)
class OwnEntry(Entry):
    """What the catalogue would say of a class that is not in it.

    Args:
        file: the file that it is in, as an absolute path; empty if it is in an importable module.
        hash: of that file.
        ranges: name to range of the class's ``tunables``, as ``--tune`` has it.
        shown_only: whether it stands for a class that may be gone, whose results are to be shown.
    """

    file: str = ""
    hash: str = ""
    ranges: Mapping[str, str] = field(default_factory=dict)
    shown_only: bool = False

    @property
    def loadable(self) -> bool:
        """Whether it is here, and not only what was written down of it."""
        return not self.shown_only

    def load(self) -> Any:
        """Imports the class or function.

        Raises:
            InputError: it cannot be imported.
            UnfitWorkerError: its file is not what it was when the comparison was planned.
        """
        name = self.object.rpartition(":")[2]
        if self.file:
            path = Path(self.file)
            if not path.is_file() or file_hash(path) != self.hash:
                what = "has changed since the comparison began" if path.is_file() else "is not there"
                raise UnfitWorkerError(f"on {socket.gethostname()}, where a trial was to run: {self.file} {what}")
            return _named(import_file(path), name, self.id)
        return _named(_module(self.object.rpartition(":")[0], self.id), name, self.id)

    def load_tunables(self) -> Tunables:
        """Returns the ranges of its settings: those of its class, and in their places those that were typed."""
        return {name: parse_range(text) for name, text in {**self.ranges, **self.typed}.items()}

    def definition(self) -> dict[str, Any]:
        """Returns what may not change while trials of it are kept, and what it takes to show them without its file."""
        return {
            "files": {self.id: self.hash},
            "ranges": {**self.ranges, **self.typed},
            "title": self.title,
            "summary": self.summary,
        }

    @classmethod
    def restored(cls, reference: str, slot: str, definition: Mapping[str, Any]) -> "OwnEntry":
        """Builds it from its definition, without importing anything."""
        return _made(
            reference,
            slot,
            title=definition["title"],
            summary=definition["summary"],
            hash=definition["files"][reference],
            ranges=definition["ranges"],
            shown_only=True,
        )


def own_entry(reference: str, slot: str, tunes: Sequence[Tune] = ()) -> OwnEntry:
    """Imports somebody's own class, and looks at what can be tuned of it.

    Args:
        reference: ``package.module:Class`` or ``path/to/file.py:Class``.
        slot: which it is to fill.
        tunes: ranges for it, which go before those of its ``tunables``.

    Raises:
        InputError: it cannot be imported, or is no class or function.
    """
    if FILE.fullmatch(reference):
        raise InputError(_unnamed(reference, slot))
    place, _, name = reference.rpartition(":")
    file, content = "", ""
    if place.endswith(".py"):
        path = Path(place).expanduser().resolve()
        if not path.is_file():
            raise InputError(f"{reference}: there is no file {place}")
        file, content = str(path), file_hash(path)
        found = _named(import_file(path), name, reference)
    else:
        module = _module(place, reference)
        found, source = _named(module, name, reference), Path(getattr(module, "__file__", None) or "")
        content = file_hash(source) if source.suffix == ".py" else ""
    if not callable(found):
        raise InputError(f"{reference} is a {type(found).__name__}; a class or a function is expected")
    own = _ranges(reference, getattr(found, "tunables", {}))
    meant = {tune.setting: tune for tune in tunes if tune.candidate is None}
    meant |= {tune.setting: tune for tune in tunes if tune.candidate == reference}
    for tune in meant.values():
        _check_no_words(reference, found, tune)
    told = {setting: tune.range for setting, tune in meant.items()}
    words = (inspect.getdoc(found) or "").strip().splitlines()
    title = getattr(found, "__name__", name)
    summary = words[0] if words else f"{title}, of {Path(place).name}."
    return _made(reference, slot, title=title, summary=summary, file=file, hash=content, ranges=own, typed=told)


def _check_no_words(reference: str, found: Any, tune: Tune) -> None:
    """Refuses words for a setting whose default is a number."""
    words, default = text_values(parse_range(tune.range)), default_of(found, tune.setting)
    if words and isinstance(default, int | float):
        form = "0,1" if isinstance(default, bool) else "1e-4..1e-1:log"
        raise InputError(
            f"--tune {tune.text!r}: {words[0]!r} is no number, and {tune.setting} of {reference} is one, "
            f"{default!r} by default; a range is written {tune.setting}={form}"
        )


def _ranges(reference: str, tunables: Any) -> dict[str, str]:
    """Writes down what a class says can be tuned of it."""
    if not isinstance(tunables, Mapping):
        raise InputError(f"{reference}: its tunables are {tunables!r}; expected a mapping of names to ranges")
    found = {}
    for name, tunable in tunables.items():
        if not isinstance(tunable, Uniform | Choice) or parse_range(range_text(tunable)) != tunable:
            raise InputError(
                f"{reference}: {name!r} of its tunables is {tunable!r}; expected a Uniform, a LogUniform, or a Choice "
                "of numbers and words"
            )
        found[name] = range_text(tunable)
    return found


def _unnamed(file: str, slot: str) -> str:
    """What to say of a file without a name: which names are in it."""
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        return f"there is no file {file}"
    module = import_file(path)
    own = {name: each for name, each in vars(module).items() if getattr(each, "__module__", None) == module.__name__}
    if slot == "optimizer":  # which a function that makes one is not
        own = {name: each for name, each in own.items() if isinstance(each, type)}
        own = {name: each for name, each in own.items() if _is_optimizer(each)} or own
    own = {name: each for name, each in own.items() if not name.startswith("_")} or own
    what = "class" if all(isinstance(each, type) for each in own.values()) else "class or function"
    if not own:
        return f"{file} has no {what} of its own"
    return f"name the {what}: {either([f'{file}:{name}' for name in own])}"


def _is_optimizer(found: type) -> bool:
    return any((each.__module__, each.__name__) == ("torch.optim.optimizer", "Optimizer") for each in found.__mro__)


def _made(reference: str, slot: str, **more: Any) -> OwnEntry:
    nothing: dict[str, Any] = dict.fromkeys(("adapts", "signal", "when", "when_not", "paper", "authors"), "")
    place, _, name = reference.rpartition(":")
    module = Path(place).stem if place.endswith(".py") else place
    return OwnEntry(
        key=reference,
        id=reference,
        family=OWN,
        slot=slot,
        kind="method",
        object=f"{module}:{name}",
        year=0,
        **nothing,
        **more,
    )


def _module(name: str, reference: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):  # it is there, and imports what is not
            raise InputError(f"{reference} does not import: {error}") from error
        near = f"; a file's name ends in .py: {name}.py:..." if Path(f"{name}.py").is_file() else ""
        raise InputError(f"{reference}: there is no module {name!r} that can be imported here{near}") from error
    except Exception as error:
        raise InputError(f"{reference} does not import: {type(error).__name__}: {error}") from error


def _named(module: Any, name: str, reference: str) -> Any:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            there = [key for key, value in vars(found).items() if isinstance(value, type) or inspect.isfunction(value)]
            raise InputError(f"{reference}: there is no {part!r} in it; {nearest(part, there)}")
        found = getattr(found, part)
    return found
