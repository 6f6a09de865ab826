"""Candidates of a comparison of commands: names of the user's own, each with a command and its ranges."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from trimtab.catalog.ranges import Tune, parse_range, range_text
from trimtab.lab.commands.template import Command, Template, pointing
from trimtab.study.errors import Faults, InputError
from trimtab.study.suggestions import nearest
from trimtab.study.tunable import Choice, Settings, Tunables, Value, as_code

NAME_PLACES = ("optimizer", "candidate")
"""Places that a candidate's name is put into."""

TRIAL_PLACES = ("seed", "trial", "out")
"""Places that differ from trial to trial."""


@dataclass(frozen=True)
class Filled:
    """A command with its settings.

    Args:
        command: with places.
        settings: what they are filled with, those aside that differ from trial to trial.
    """

    command: Command
    settings: dict[str, Value]

    def values(self, *, seed: int, trial: str, out: str) -> dict[str, Value]:
        """Returns what all places are filled with."""
        return {**self.settings, "seed": seed, "trial": trial, "out": out}


@dataclass(frozen=True)
class CommandCandidate:
    """What a comparison of commands tunes and runs.

    Args:
        label: its name.
        command: what is run for it.
        ranges: name of a setting to its range, as typed, in the order of the command's places.
        fixed: settings that are not tuned.
        files: path to a hash of its content, of the files of code and configuration that are words of the command.
        files_within: the same of further ones that it names.
    """

    label: str
    command: Command
    ranges: tuple[tuple[str, str], ...] = ()
    fixed: tuple[tuple[str, Value], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    files_within: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The script that is run, or the program."""
        return Path(self.files[0][0] if self.files else self.command.words()[0]).name

    @property
    def kind(self) -> str:
        """What it is."""
        return "command"

    @property
    def summary(self) -> str:
        """The command as it was written."""
        return self.command.text

    @property
    def tunables(self) -> Tunables:
        """What is tuned."""
        return {name: parse_range(text) for name, text in self.ranges}

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that the command is filled with."""
        return {**dict(self.fixed), **tuned}

    def build(self, tuned: Settings) -> "Filled":
        """Returns the command with its settings."""
        return Filled(self.command, {**dict.fromkeys(NAME_PLACES, self.label), **self.settings(tuned)})

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:  # noqa: ARG002 - its own affair
        """Returns a line to paste; three significant digits are more than tuning resolves."""
        short = {name: float(as_code(value)) if isinstance(value, float) else value for name, value in tuned.items()}
        return self.command.shown(self.build(short).values(seed=0, trial="best", out="best"))

    def definition(self) -> dict[str, Any]:
        """Returns plain values that may not change when a comparison goes on; :meth:`from_definition` reads them."""
        return {
            "command": self.command.text,
            "shell": self.command.shell,
            "ranges": dict(self.ranges),
            "fixed": dict(self.fixed),
            "files": dict(self.files),
            "files_within": dict(self.files_within),
        }

    @classmethod
    def from_definition(cls, label: str, values: Mapping[str, Any]) -> Self:
        """Builds a candidate from what :meth:`definition` returned."""
        command = Command(values["command"], values["shell"])
        # a study that was begun earlier does not know of files within words
        pairs = (tuple(values.get(name, {}).items()) for name in ("ranges", "fixed", "files", "files_within"))
        return cls(label, command, *pairs)


def command_candidates(commands: Mapping[str, Command], tunes: Sequence[Tune]) -> tuple[CommandCandidate, ...]:
    """Gives each candidate the ranges of the places in its command.

    A range given for the candidate counts before one given for all, and that before the catalogue's, which serves where
    the candidate has the name of a method and the place that of a setting which the catalogue tunes.

    Args:
        commands: label to command.
        tunes: what ``--tune`` says.

    Raises:
        InputError: a place has no range, a range no place, or a range is for a candidate that there is not.
    """
    faults = Faults()
    check_targets(tunes, commands, faults)
    for name, labels in _without_range(commands, tunes).items():
        with faults:
            raise InputError(_no_range(name, labels, commands[labels[0]]))
    faults.raise_any()
    candidates = []
    for label, command in commands.items():
        with faults:
            candidates.append(_candidate(label, command, tunes))
    faults.raise_any()
    return tuple(candidates)


def check_targets(tunes: Sequence[Tune], commands: Mapping[str, Command], faults: Faults) -> None:
    """Gathers which ranges are for candidates that there are not, or for places that their commands do not have."""
    for tune in tunes:
        with faults:
            _check_target(tune, commands)


def _check_target(tune: Tune, commands: Mapping[str, Command]) -> None:
    if tune.candidate is not None and tune.candidate not in commands:
        raise InputError(
            f"--tune {tune.text}: {tune.candidate!r} is not among the candidates; {nearest(tune.candidate, commands)}"
        )
    if tune.setting in (*NAME_PLACES, *TRIAL_PLACES):
        raise InputError(f"--tune {tune.text}: {{{tune.setting}}} is filled by trimtab and cannot be tuned")
    meant = commands if tune.candidate is None else {tune.candidate: commands[tune.candidate]}
    if not any(tune.setting in command.names for command in meant.values()):
        where = "; ".join(dict.fromkeys(command.text for command in meant.values()))
        raise InputError(f"--tune {tune.text}: there is no {{{tune.setting}}} in the command: {where}")


def _candidate(label: str, command: Command, tunes: Sequence[Tune]) -> CommandCandidate:
    ranges, fixed = {}, {}
    known: dict[str, Sequence[Value]] = dict.fromkeys(NAME_PLACES, (label,))
    for name in _settings(command):
        text = _range(label, name, tunes) or ""
        found = parse_range(text)
        if isinstance(found, Choice) and len(found.values) == 1:
            fixed[name] = found.values[0]
        else:
            ranges[name] = text
        if isinstance(found, Choice):
            known[name] = found.values
    files = [_hashes(paths) for paths in (command.files(), command.files_within(known))]
    candidate = CommandCandidate(label, command, tuple(ranges.items()), tuple(fixed.items()), *files)
    _check_formats(candidate)
    return candidate


def _hashes(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    return tuple({str(path): hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths}.items())


def _settings(command: Command) -> list[str]:
    """The places of a command that are filled with settings."""
    return [name for name in command.names if name not in (*NAME_PLACES, *TRIAL_PLACES)]


def _range(label: str, name: str, tunes: Sequence[Tune]) -> str | None:
    """Returns the range of a place as text; ``None`` if it has none."""
    for owner in (label, None):
        for tune in tunes:
            if (tune.setting, tune.candidate) == (name, owner):
                return tune.range
    from trimtab.catalog.parsing import parse_expression  # which imports torch, and workers need none

    try:
        expression = parse_expression(label)
    except InputError:
        return None
    fixed = dict(next(expression.nodes()).fixed)
    if name in fixed:
        return str(fixed[name])
    return range_text(expression.tunables[name]) if name in expression.tunables else None


def _without_range(commands: Mapping[str, Command], tunes: Sequence[Tune]) -> dict[str, list[str]]:
    """Returns the places that lack a range, with the candidates that lack it."""
    found: dict[str, list[str]] = {}
    for label, command in commands.items():
        for name in _settings(command):
            if _range(label, name, tunes) is None:
                found.setdefault(name, []).append(label)
    return found


def _no_range(name: str, labels: Sequence[str], command: Command) -> str:
    known = ", ".join(f"{{{place}}}" for place in (*NAME_PLACES, *TRIAL_PLACES))
    words = (
        f"{{{name}}} has no range for {', '.join(labels)}: give one, such as --tune {name}=1e-4..1e-1:log, "
        f"or a value, --tune {name}=0.1. trimtab itself fills {known}"
    )
    return pointing(command.text, Template(command.text).place(name), words)


def _check_formats(candidate: CommandCandidate) -> None:
    """Fills the command with the ends of all ranges, and with each of a choice's values, to see that it can be."""
    tunables = candidate.tunables
    count = max((len(t.values) for t in tunables.values() if isinstance(t, Choice)), default=2)
    for index in range(count):
        tuned = {name: tunable.at(index / count) for name, tunable in tunables.items()}
        candidate.command.arguments(candidate.build(tuned).values(seed=0, trial="trial", out="out"))
