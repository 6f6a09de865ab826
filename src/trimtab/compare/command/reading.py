"""What was given for a comparison of commands: read, and checked before anything runs."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.compare.command.candidate import (
    NAME_PLACES,
    TRIAL_PLACES,
    CommandCandidate,
    check_targets,
    command_candidates,
    files_of_code,
)
from trimtab.compare.command.file_metric import FileMetric, file_metric
from trimtab.compare.command.metric import CommandMetric
from trimtab.compare.command.output_metric import output_metric
from trimtab.compare.command.ranges import readable_tunes
from trimtab.compare.command.splitting import partition_outside_brackets, split_outside_brackets
from trimtab.compare.command.template import Command, pointing
from trimtab.compare.phrases import listed
from trimtab.lab.checks import check_text, check_texts
from trimtab.lab.errors import Faults, InputError
from trimtab.lab.tunable import LogUniform, Uniform

RATE_NAMES = ("lr", "learning_rate", "learningrate", "rate")
"""Settings that are taken for the learning rate, whose effect the report draws."""


def named_commands(names: str | None, own: Sequence[str]) -> dict[str, str]:
    """Reads what was given to ``--candidates`` and ``--candidate``.

    Args:
        names: candidates that run the shared command, separated by commas.
        own: ``name=command``, for candidates with a command of their own.

    Returns:
        Name to its own command, which is empty for the shared one.

    Raises:
        InputError: a name is missing or stands there twice.
    """
    if names is not None:
        check_text("candidates", names)
    check_texts("candidate", own)
    found: dict[str, str] = {}
    pairs = [(name, "") for name in split_outside_brackets(names or "", ",") if names]
    for text in own:
        name, equals, command = partition_outside_brackets(text, "=")
        if not equals or not command.strip():
            raise InputError(f"--candidate {text!r}: expected a name, an equals sign and a command")
        pairs.append((name, command.strip()))
    for name, command in pairs:
        if not name.strip():
            raise InputError(f"a candidate has no name: {names or ''} {' '.join(own)}".rstrip())
        if name.strip() in found:
            raise InputError(f"the candidate {name.strip()} was given twice")
        found[name.strip()] = command
    return found


def metric_of(pattern: str | None, file: str | None, name: str | None) -> CommandMetric:
    """Returns where the number is looked for that candidates are compared by."""
    if (pattern is None) == (file is None):
        raise InputError(
            "a command needs a metric to be compared by: either --metric val_loss (or a regular expression), which is "
            "looked for in its output, or --metric-file {out}/metrics.json:val.loss"
        )
    return output_metric(pattern, name) if pattern is not None else file_metric(file or "", name)


def commands_of(
    command: str | None, candidates: str | Sequence[str] | Mapping[str, str], shell: bool
) -> dict[str, Command]:
    """Returns label to command."""
    if isinstance(candidates, Mapping):
        check_texts("candidates", [*candidates, *candidates.values()])
        own = dict(candidates)
    else:
        if not isinstance(candidates, str):
            check_texts("candidates", candidates)
        own = named_commands(candidates if isinstance(candidates, str) else ",".join(candidates), [])
    if not own:
        raise InputError("no candidates were given; an example is --candidates adamw,lion,sgd")
    sharing = [name for name, text in own.items() if not text]
    shared = None if command is None else Command(command, shell)
    if shared is None and sharing:
        raise InputError(f"there is no command for {', '.join(sharing)}: give one with --command")
    if shared is not None and not sharing:
        raise InputError("--command is not used: every candidate has its own command")
    if shared is not None and len(sharing) > 1 and not set(NAME_PLACES) & set(shared.names):
        raise InputError(
            f"{', '.join(sharing)} would all run the same command: {shared.text}\n"
            "Put {optimizer} where the candidate's name belongs, or give candidates their own commands"
        )
    commands = {label: Command(text, shell) if text else shared for label, text in own.items()}
    return {label: found for label, found in commands.items() if found is not None}


def candidates_of(
    commands: Mapping[str, Command], tune: Sequence[str], *, unseeded: bool
) -> tuple[CommandCandidate, ...]:
    """Returns the candidates with their ranges, after a look at what their commands need."""
    faults = Faults()
    with faults:
        tunes = readable_tunes(tune, faults)
        check_targets(tunes, commands, faults)
        if not faults.any:  # a setting whose range cannot be read would seem to have none
            candidates = command_candidates(commands, tunes)
    sharing: dict[str, list[str]] = {}
    for label, command in commands.items():
        sharing.setdefault(command.text, []).append(label)
    for labels in sharing.values():
        with faults:
            _check_command(listed(labels), commands[labels[0]], unseeded=unseeded)
    faults.raise_any()
    return candidates


def _check_command(labels: str, command: Command, *, unseeded: bool) -> None:
    if "seed" not in command.names and not unseeded:
        raise InputError(
            f"{labels}: the command has no {{seed}}, so that its final runs would all be the same: "
            f"{command.text}\nIf it reads the variable TRIMTAB_SEED or is random by itself, say --unseeded"
        )
    if not command.shell:
        _check_program(labels, command)


def check_places(metric: CommandMetric, candidates: Sequence[CommandCandidate]) -> None:
    """Checks that what the path of a file of metrics is filled with is known."""
    if not isinstance(metric, FileMetric):
        return
    for candidate in candidates:
        for name in metric.path.names:
            if name not in (*NAME_PLACES, *TRIAL_PLACES, *candidate.command.names):
                words = f"--metric-file: {{{name}}} is not among the places of {candidate.label}'s command"
                raise InputError(pointing(metric.path.text, metric.path.place(name), words))


def _check_program(labels: str, command: Command) -> None:
    program, *rest = command.words()
    if "{" not in program and shutil.which(program) is None:
        raise InputError(f"{labels}: there is no program {program!r} to run: {command.text}")
    script = rest[0] if rest else ""
    is_script = Path(program).name.startswith("python") and script.endswith(".py") and "{" not in script
    if is_script and not Path(script).is_file():
        raise InputError(f"{labels}: there is no file {script}: {command.text}")


def name_of(command: Command) -> str:
    """Returns what a comparison of this command is called: its script, or else its program."""
    files = files_of_code(command)
    return files[0].stem if files else Path(command.words()[0]).name


def rate_of(candidates: Sequence[CommandCandidate]) -> str | None:
    """The setting whose effect is drawn: the learning rate, or else the first that has a range."""
    tuned = [(name, t) for candidate in candidates for name, t in candidate.tunables.items()]
    for name, _ in tuned:
        if name.lower().replace("-", "_") in RATE_NAMES:
            return name
    return next((name for kind in (LogUniform, Uniform) for name, t in tuned if isinstance(t, kind)), None)
