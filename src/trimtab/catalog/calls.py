"""Candidates that stand for themselves: a name of the catalogue or a class of one's own, with settings in brackets.

``tpe``, ``tpe(n_startup_trials=5)``, ``package.module:Class(width=3)``, ``path/to/file.py:Class``.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from trimtab.catalog.entries import Entry, entries, find
from trimtab.catalog.own import FILE, OWN, OWN_KIND, REFERENCE, OwnEntry, own_entry
from trimtab.catalog.ranges import Tune, parse_tunes
from trimtab.lab.commands.splitting import split_outside_brackets
from trimtab.lab.problem import Build
from trimtab.lab.references import Reference, parse_reference
from trimtab.study.errors import Faults, InputError
from trimtab.study.suggestions import closest
from trimtab.study.tunable import Settings, Tunables, Value


@dataclass(frozen=True)
class Call(ABC):
    """An entry with some of its settings fixed.

    Args:
        entry: the entry.
        fixed: settings, in the order in which they were written.
    """

    entry: Entry
    fixed: tuple[tuple[str, Value], ...] = ()

    @property
    def label(self) -> str:
        """How it is written."""
        return Reference(self.entry.id, settings=self.fixed).text

    @property
    def title(self) -> str:
        """Its full name."""
        return self.entry.title

    @property
    def kind(self) -> str:
        """``method`` or ``baseline``, or ``your own`` if it is in no catalogue."""
        return OWN_KIND if self.entry.family == OWN else self.entry.kind

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return self.entry.summary

    @property
    def tunables(self) -> Tunables:
        """What is tuned: every range but what is fixed."""
        fixed = dict(self.fixed)
        return {name: range_ for name, range_ in self.entry.load_tunables().items() if name not in fixed}

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that it is called with."""
        return {**self.entry.settings, **dict(self.fixed), **tuned}

    def definition(self) -> dict[str, Any]:
        """Returns what of it its label does not say: of a class of one's own, its file."""
        return self.entry.definition()

    def arguments(self, tuned: Settings) -> str:
        """Returns its settings as they stand in code."""
        return "".join(f", {name}={value!r}" for name, value in self.settings(tuned).items())

    @abstractmethod
    def build(self, tuned: Settings) -> Build:
        """Returns what the slot is filled with."""

    @abstractmethod
    def code(self, tuned: Settings, total_steps: int | None = None) -> str:
        """Returns the lines that use it, to be pasted."""

    @abstractmethod
    def check(self) -> None:
        """Looks at what it is and at its settings, before any work.

        Raises:
            InputError: it does not fit the slot, or has no such setting.
        """


Made = TypeVar("Made", bound=Call)


def read_calls(
    text: str, slot: str, make: Callable[[Entry, tuple[tuple[str, Value], ...]], Made], tune: Sequence[str] = ()
) -> tuple[Made, ...]:
    """Reads candidates separated by commas.

    Args:
        text: the candidates.
        slot: which they are to fill.
        make: makes one of an entry and its settings.
        tune: ranges for classes of one's own.

    Raises:
        InputError: a name or a setting is unknown, does not fit, or stands there twice.
    """
    faults, found = Faults(), dict[str, Made]()
    tunes = parse_tunes(tune)
    for part in split_outside_brackets(text, ",") if text.strip() else []:
        with faults:
            call = parse_reference(part.strip() or "?")
            _check_single(call, part.strip(), slot)
            own = (REFERENCE.fullmatch(call.place) or FILE.fullmatch(call.place)) is not None
            entry = own_entry(call.place, slot, tunes) if own else find(call.place, slot)
            candidate = make(entry, call.settings)
            candidate.check()
            if candidate.label in found:
                raise InputError(f"the candidate {candidate.label} was given twice")
            found[candidate.label] = candidate
    faults.raise_any()  # whose ranges they are is known only when all candidates are
    check_tuned(tunes, [candidate.entry for candidate in found.values()])
    if not found:
        raise InputError("no candidates were given; name some, separated by commas")
    return tuple(found.values())


def _check_single(call: Reference, text: str, slot: str) -> None:
    """Refuses what is put together as only optimizers are, and settings without names."""
    from trimtab.catalog.slots import SLOTS

    wrappers = [entry.id for entry in entries().values() if entry.around and entry.slot != slot]
    single = f"{SLOTS[slot].what} are not put together: name each by itself"
    if call.arguments and call.place in wrappers:
        raise InputError(f"{text}: {call.place} goes around optimizers; {single}")
    if "+" in call.place:
        raise InputError(f"{text}: {single}")
    if call.arguments:
        raise InputError(f"{text}: settings need names, as in {call.place}(name=value)")


def restored_calls(
    labels: Sequence[str],
    definitions: Mapping[str, Any],
    slot: str,
    make: Callable[[Entry, tuple[tuple[str, Value], ...]], Made],
) -> tuple[Made, ...]:
    """Makes candidates again of labels and definitions, without importing what is somebody's own."""
    found = []
    for label in labels:
        call, definition = parse_reference(label), definitions.get(label, {})
        entry = OwnEntry.restored(call.place, slot, definition) if definition else find(call.place, slot)
        found.append(make(entry, call.settings))
    return tuple(found)


def check_tuned(tunes: Sequence[Tune], entries: Sequence[Entry], named: str = "") -> None:
    """Checks that ranges are for classes of one's own that take part.

    Args:
        tunes: the ranges.
        entries: what takes part.
        named: how a range of the catalogue's is written, for the message, where one can be.

    Raises:
        InputError: one is for nobody.
    """
    own = [entry.id for entry in entries if isinstance(entry, OwnEntry)]
    for tune in tunes:
        if not own or tune.candidate not in (None, *own):
            theirs = f"here {' and '.join(own)}" if own else "of which none takes part"
            raise InputError(
                f"--tune {tune.text!r} is for nobody: those of the catalogue have ranges of their own{named}; it is "
                f"for classes of your own, path/to/file.py:Class, {theirs}"
            )


def check_settings(call: Call, known: Sequence[str]) -> None:
    """Checks that settings have names that there are.

    Raises:
        InputError: one has not; the message offers the nearest.
    """
    for name, _ in call.fixed:
        if name not in known and ANY not in known:
            near = closest(name, known)
            meant = f"did you mean {' or '.join(near)}? It has" if near else "it has"
            raise InputError(f"{call.entry.id} has no setting {name!r}; {meant} {', '.join(known) or 'none'}")


ANY = "**"
"""Stands among names of settings where any other name will do."""


def parameter_names(function: Any) -> list[str]:
    """Returns the names of what a class or function can be called with by name, and :data:`ANY` if it takes any."""
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in kinds]
    return [*names, *(ANY for each in parameters if each.kind is inspect.Parameter.VAR_KEYWORD)]
