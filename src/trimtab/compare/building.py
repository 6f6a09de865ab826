"""From the options of a command line to a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab.catalog.command_candidates import named_commands
from trimtab.compare.comparison import Comparison
from trimtab.lab.commands.problem import CommandProblem
from trimtab.study.checks import check_text, check_texts
from trimtab.study.errors import Faults, InputError
from trimtab.study.lease import Limits


def build_comparison(
    problems: Sequence[str],
    candidates: str | None,
    *,
    target: str | None = None,
    command: str | None,
    own_commands: Sequence[str],
    takeover: float,
    patience: float,
    options: Mapping[str, Any],
    for_commands: Mapping[str, Any],
) -> Comparison:
    """Returns a comparison on a problem or several, or one of commands, whichever the options describe.

    Args:
        problems: as on the command line.
        candidates: names, separated by commas.
        target: column of tables among the problems that is to be learned.
        command: the command that they share.
        own_commands: ``name=command`` of candidates that have their own.
        takeover: see :class:`~trimtab.study.lease.Limits`.
        patience: see :class:`~trimtab.study.lease.Limits`.
        options: by name; see :class:`~trimtab.compare.options.Options`.
        for_commands: what only a comparison of commands has, by name; empty where it was not given.

    Raises:
        InputError: options of both kinds are mixed, or something cannot work.
    """
    check_texts("problems", problems)
    if target is not None:
        check_text("target", target)
    given = {**options, "limits": Limits(takeover, patience)}
    if command is None and not own_commands:
        _refuse(for_commands, "belongs to a comparison with --command")
        if not problems:
            raise InputError("name a problem (digits, branin, path/to/file.py:name), or give a --command")
        return Comparison(problems[0] if len(problems) == 1 else list(problems), candidates, target=target, **given)
    _refuse({"PROBLEM": list(problems), "target": target}, "cannot be given together with --command")
    _refuse(
        {"steps": options.get("steps")},
        "cannot be given together with --command; write the length of a run into the command",
    )
    faults = Faults()
    with faults:
        problem = CommandProblem(command, **for_commands)
    with faults:
        named = named_commands(candidates, own_commands)
    faults.raise_any()
    return Comparison(problem, named, **given)


def _refuse(options: Mapping[str, Any], words: str) -> None:
    for name, value in options.items():
        if value is not None and value is not False and value != []:
            raise InputError(f"{name if name.isupper() else '--' + name.replace('_', '-')} {words}")
