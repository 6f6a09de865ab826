"""What was given for a comparison of commands: read, and checked before anything runs."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.catalog.commands import NAME_PLACES, TRIAL_PLACES, CommandCandidate, check_targets, command_candidates
from trimtab.catalog.ranges import readable_tunes
from trimtab.lab.commands.file_metric import FileMetric
from trimtab.lab.commands.problem import CommandProblem
from trimtab.lab.commands.splitting import partition_outside_brackets, split_outside_brackets
from trimtab.lab.commands.template import Command, pointing
from trimtab.study.checks import check_text, check_texts
from trimtab.study.errors import Faults, InputError
from trimtab.study.phrases import listed


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


def commands_of(problem: CommandProblem, own: Mapping[str, str]) -> dict[str, Command]:
    """Returns label to command.

    Args:
        problem: has the command that candidates share, if they do.
        own: label to a command of its own, or to nothing.

    Raises:
        InputError: a candidate has no command, or the shared one serves nobody or cannot tell candidates apart.
    """
    if not own:
        raise InputError("no candidates were given; an example is --candidates adamw,lion,sgd")
    sharing = [name for name, text in own.items() if not text]
    shared = problem.command
    if shared is None and sharing:
        raise InputError(f"there is no command for {', '.join(sharing)}: give one with --command")
    if shared is not None and not sharing:
        raise InputError("--command is not used: every candidate has its own command")
    if shared is not None and len(sharing) > 1 and not set(NAME_PLACES) & set(shared.names):
        raise InputError(
            f"{', '.join(sharing)} would all run the same command: {shared.text}\n"
            "Put {optimizer} where the candidate's name belongs, or give candidates their own commands"
        )
    commands = {label: Command(text, problem.shell) if text else shared for label, text in own.items()}
    return {label: found for label, found in commands.items() if found is not None}


def candidates_of(problem: CommandProblem, own: Mapping[str, str], tune: Sequence[str]) -> tuple[CommandCandidate, ...]:
    """Returns the candidates with their ranges, after a look at what their commands need.

    Args:
        problem: what they are candidates of.
        own: label to a command of its own, or to nothing.
        tune: ranges as they are typed.

    Raises:
        InputError: something cannot be; the message names the place and the remedy.
    """
    commands = commands_of(problem, own)
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
            _check_command(listed(labels), commands[labels[0]], unseeded=problem.unseeded)
    faults.raise_any()
    _check_places(problem, candidates)
    return candidates


def _check_command(labels: str, command: Command, *, unseeded: bool) -> None:
    if "seed" not in command.names and not unseeded:
        raise InputError(
            f"{labels}: the command has no {{seed}}, so that its final runs would all be the same: "
            f"{command.text}\nIf it reads the variable TRIMTAB_SEED or is random by itself, say --unseeded"
        )
    if not command.shell:
        _check_program(labels, command)


def _check_places(problem: CommandProblem, candidates: Sequence[CommandCandidate]) -> None:
    """Checks that what the path of a file of metrics is filled with is known."""
    metric = problem.found
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
