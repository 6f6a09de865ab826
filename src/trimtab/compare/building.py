"""From the options of a command line to a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab.compare import DEFAULT_CANDIDATES
from trimtab.compare.command.comparison import CommandComparison
from trimtab.compare.command.reading import named_commands
from trimtab.compare.comparison import Comparison
from trimtab.compare.over_tasks.comparison import ComparisonOverTasks
from trimtab.compare.running import PlannedComparison
from trimtab.study.checks import check_texts
from trimtab.study.errors import InputError
from trimtab.study.lease import Limits


def build_comparison(
    tasks: Sequence[str],
    candidates: str | None,
    *,
    command: str | None,
    own_commands: Sequence[str],
    steps: int | None,
    seeds: int | None,
    takeover: float,
    patience: float,
    shared: Mapping[str, Any],
    for_commands: Mapping[str, Any],
) -> PlannedComparison | ComparisonOverTasks:
    """Returns a comparison of optimizers on a task or several, or one of commands, whichever the options describe.

    Args:
        tasks: as on the command line.
        candidates: names, separated by commas.
        command: the command that they share.
        own_commands: ``name=command`` of candidates that have their own.
        steps: length of a run on a task.
        seeds: fresh seeds of the final runs.
        takeover: see :class:`~trimtab.study.lease.Limits`.
        patience: see :class:`~trimtab.study.lease.Limits`.
        shared: options of both kinds of comparison, by name.
        for_commands: options that only a comparison of commands has, by name; empty where they were not given.

    Raises:
        InputError: options of both kinds are mixed, or something cannot work.
    """
    check_texts("tasks", tasks)
    options = {**shared, "limits": Limits(takeover, patience)}
    if command is None and not own_commands:
        _refuse(for_commands, "belongs to a comparison with --command")
        if not tasks:
            raise InputError("name a task (digits, path/to/task.py:name), or give a --command")
        chosen = DEFAULT_CANDIDATES if candidates is None else candidates
        if len(tasks) == 1:
            return Comparison(tasks[0], chosen, seeds=seeds, steps=steps, **options)
        return ComparisonOverTasks(tasks, chosen, seeds=seeds, steps=steps, **options)
    _refuse({"TASK": list(tasks)}, "cannot be given together with --command")
    _refuse({"steps": steps}, "is for tasks; write the length of a run into the command")
    named = named_commands(candidates, own_commands)
    return CommandComparison(command, named, seeds=seeds, **options, **for_commands)


def _refuse(options: Mapping[str, Any], words: str) -> None:
    for name, value in options.items():
        if value is not None and value is not False and value != []:
            raise InputError(f"{name if name.isupper() else '--' + name.replace('_', '-')} {words}")
