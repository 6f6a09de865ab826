"""Commands as a problem: what a run does is the command's own affair, and one number is read of it."""

import contextlib
import errno
import os
import re
import shutil
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from trimtab.lab.commands.attempt import Attempt
from trimtab.lab.commands.file_metric import file_metric
from trimtab.lab.commands.metric import CommandMetric
from trimtab.lab.commands.output_metric import output_metric
from trimtab.lab.commands.template import Command, Template
from trimtab.lab.problem import Filling, Problem, Workplace
from trimtab.study.checks import check_flag, check_seconds, check_text
from trimtab.study.errors import Faults, InputError, UnfitWorkerError
from trimtab.study.facts import SECONDS, Facts, Measure, Unit
from trimtab.study.metric import Metric
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.process import NotStartedError, process_group, run_process
from trimtab.study.trial import Reporter
from trimtab.study.tunable import LogUniform, Uniform, Value

DEFAULT_SEEDS = 5
"""Fresh seeds of the final runs; ten where a run is cheap."""

LONGEST_NAME = 150
"""Bytes of names in a file's, which may have 255 in all on most file systems, fewer on encrypted ones."""

RATE_NAMES = ("lr", "learning_rate", "learningrate", "rate")
"""Settings that are taken for the learning rate, whose effect the report draws."""


class FilledCommand(Protocol):
    """What a candidate fills the slot with: a command and its settings."""

    @property
    def command(self) -> Command:
        """The command, with places."""
        ...

    def values(self, *, seed: int, trial: str, out: str) -> dict[str, Value]:
        """Returns what its places are filled with."""
        ...


class CommandProblem(Problem):
    """What commands do from beginning to end, compared by a number that they print or write.

    Args:
        command: what candidates share, with places such as ``{optimizer}``, ``{lr}`` and ``{seed}``; those that have
            commands of their own need none.
        metric: a regular expression with one group, or a plain name, to find in the output; the last match counts.
        metric_file: a path with places, a colon and a dotted key, to find in a JSON file instead.
        metric_name: what reports call it.
        maximize: whether more of it is better.
        timeout: seconds after which a run has failed.
        shell: whether a shell reads commands.
        unseeded: allows a command without ``{seed}``, because it reads ``TRIMTAB_SEED`` or is random by itself.

    Raises:
        InputError: something cannot be; the message names the place and the remedy.
    """

    slot = "command"
    described: ClassVar = True
    modules: ClassVar = ("trimtab.compare.work", __name__)
    seeds = DEFAULT_SEEDS

    def __init__(
        self,
        command: str | None = None,
        *,
        metric: str | None = None,
        metric_file: str | None = None,
        metric_name: str | None = None,
        maximize: bool = False,
        timeout: float | None = None,
        shell: bool = False,
        unseeded: bool = False,
    ) -> None:
        for flag, value in (("maximize", maximize), ("shell", shell), ("unseeded", unseeded)):
            check_flag(flag, value)
        if command is not None:
            check_text("command", command)
        if timeout is not None:
            check_seconds("timeout", timeout, most=1e9)
        faults = Faults()
        with faults:
            self.found = _metric(metric, metric_file, metric_name)
        with faults:
            self.command = None if command is None else Command(command, shell)
        faults.raise_any()
        self.name = "commands" if self.command is None else _name(self.command)
        self.metric = Metric(self.found.name, "max" if maximize else "min")
        self.maximize, self.timeout, self.shell, self.unseeded = maximize, timeout, shell, unseeded

    def check(self, place: str) -> None:
        """Does nothing: what can be seen of a command without running it is seen with its candidates."""

    def budget(self, steps: int | None) -> None:
        """Returns nothing: a run is as long as it is.

        Raises:
            InputError: a number of steps is given.
        """
        if steps is not None:
            raise InputError(f"steps={steps}: a command's length is its own; write it into the command")

    def definition(self) -> dict[str, Any]:
        """Returns where the number is found, which side of it is better, and when a run has failed."""
        return {"metric": self.found.source, "maximize": self.maximize, "timeout": self.timeout}

    def facts(self, reference: str, candidates: Sequence[Filling], _budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        commands = reference or "; ".join(dict.fromkeys(candidate.summary for candidate in candidates))
        return command_facts(
            self.name,
            commands,
            self.metric,
            source=self.found.source,
            rate=rate_of(candidates),
            timeout=self.timeout,
        )

    def preview(self, build: FilledCommand, point: Point, place: Workplace, /) -> str:
        """Returns the command of a trial, as it can be pasted into a shell."""
        trial = trial_name(point, several=place.several)
        return build.command.shown(build.values(seed=point.seed, trial=trial, out=str(place.directory / trial)))

    def trial(
        self,
        build: FilledCommand,
        point: Point,
        *,
        budget: int | None,  # noqa: ARG002 - a run is as long as it is
        report: Reporter,
        place: Workplace,
    ) -> Outcome:
        """Runs a command to its end and reads the number; a trial gets a directory of its own.

        Raises:
            UnfitWorkerError: a directory or a file is not to be had here, or the program is not.
        """
        try:
            with contextlib.chdir(place.here):  # a worker of Ray's starts elsewhere
                return self._attempt(build, point, report, place)
        except OSError as error:
            raise _unfit(
                f"{error.filename or place.directory} cannot be used ({error.strerror or error}). Commands run in the "
                "directory that you are in and write into --out, and both are needed"
            ) from error

    def _attempt(self, build: FilledCommand, point: Point, report: Reporter, place: Workplace) -> Outcome:
        trial = trial_name(point, several=place.several)
        out = place.directory / trial
        values = build.values(seed=point.seed, trial=trial, out=str(out))
        arguments, shown = build.command.arguments(values), build.command.shown(values)
        place.directory.mkdir(parents=True, exist_ok=True)
        # from here on nothing of an earlier attempt runs
        with process_group(place.directory / f"{trial}.lock") as group:
            _make_empty(out)
            (out / "command.txt").write_text(f"{shown}\n", encoding="utf-8")
            attempt = Attempt(self.found.start(values), -1 if self.maximize else 1, report)
            try:
                ended = run_process(
                    arguments,
                    group=group,
                    output=out / "output.txt",
                    on_line=attempt.line,
                    environment=_environment(point, trial, out, place.threads),
                    timeout=self.timeout,
                )
            except NotStartedError as error:
                if _of_all_trials(build.command, error):
                    raise _unfit(f"{error}\n{shown}") from error
                return Outcome("failed", error=f"{error}\n{shown}")
            # before anybody else may begin, who would empty the directory
            return attempt.outcome(ended, self.found, f"{shown}\nits output is in {out / 'output.txt'}", self.timeout)


def _of_all_trials(command: Command, error: NotStartedError) -> bool:
    """Whether no trial could be started: a program whose name is filled in, or what is too long, is the trial's own."""
    program = "" if command.shell else command.words()[0]
    too_long = isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.E2BIG, errno.ENAMETOOLONG)
    return not (Template(program).names or too_long)


def _unfit(words: str) -> UnfitWorkerError:
    place = f"on {socket.gethostname()}, where a trial was to run"
    return UnfitWorkerError(f"{place}: {words}\nNo trial has failed by this: the same call goes on when it is mended")


def command_facts(
    name: str, commands: str, metric: Metric, *, source: str, rate: str | None, timeout: float | None
) -> Facts:
    """Returns what a reader has to know of commands.

    Args:
        name: of the problem.
        commands: that are run.
        metric: by which they are compared.
        source: where it is found, in words.
        rate: name of the setting whose effect is drawn.
        timeout: seconds after which a run has failed.
    """
    better = "higher" if metric.direction == "max" else "lower"
    limit = "" if timeout is None else f". A run that took more than {timeout:g} seconds has failed"
    return Facts(
        name=name,
        reference=commands,
        objective=metric,
        cost=Unit("reported value"),
        rate=rate,
        measures=(_RUN_TIME,),
        sizes=(("time-out", "none" if timeout is None else f"{timeout:g} s a run"),),
        paragraphs=(("Command", commands), ("Metric", f"{metric.name}, {better} is better: {source}.")),
        length=f". How long a run is, and what it may cost, is the command's own affair{limit}",
    )


_RUN_TIME = Measure(
    SECONDS,
    "seconds a run",
    over="median",
    explanation="Median of the runs that came to their end; they shared the machine.",
    brief="s/run",
    price="time",
    axis="seconds a run",
)


def _metric(pattern: str | None, file: str | None, name: str | None) -> CommandMetric:
    """Returns where the number is looked for that candidates are compared by."""
    if (pattern is None) == (file is None):
        given = "neither was given" if pattern is None else f"both were, metric={pattern!r} and metric_file={file!r}"
        raise InputError(
            "a command needs a metric to be compared by: either --metric val_loss (or a regular expression), which is "
            f"looked for in its output, or --metric-file {{out}}/metrics.json:val.loss; {given}"
        )
    return output_metric(pattern, name) if pattern is not None else file_metric(file or "", name)


def _name(command: Command) -> str:
    """Returns what a problem of this command is called: its script, or else its program."""
    files = command.files()
    return files[0].stem if files else Path(command.words()[0]).name


def rate_of(candidates: Sequence[Filling]) -> str | None:
    """The setting whose effect is drawn: the learning rate, or else the first that has a range."""
    tuned = [(name, t) for candidate in candidates for name, t in candidate.tunables.items()]
    for name, _ in tuned:
        if name.lower().replace("-", "_") in RATE_NAMES:
            return name
    return next((name for kind in (LogUniform, Uniform) for name, t in tuned if isinstance(t, kind)), None)


def _environment(point: Point, trial: str, out: Path, threads: int) -> dict[str, str]:
    ours = {"TRIMTAB_SEED": str(point.seed), "TRIMTAB_TRIAL": trial, "TRIMTAB_OUT": str(out)}
    # without these a script would use all cores in each worker, and hold back what it prints to a file
    defaults = {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    return {**defaults, **os.environ, **ours}


def trial_name(point: Point, *, several: bool = False) -> str:
    """Returns a name for a trial that can be a file's: ``lion-tune-3``.

    A candidate whose name has other characters in it, or is too long for that, gets a number of its own as well.

    Args:
        point: the trial.
        several: whether there are trials of several problems, whose names are then told as well:
            ``lion-tune-3@train``. No name of a candidate has that sign in it here.
    """
    longest = LONGEST_NAME // 2 if several else LONGEST_NAME
    name = f"{_file_name(point.candidate, longest)}-{point.phase}-{point.index}"
    return f"{name}@{_file_name(point.problem, longest)}" if several else name


def _file_name(label: str, longest: int) -> str:
    plain = re.sub(r"[^\w.+-]", "_", label)
    while len(plain.encode()) > longest:
        plain = plain[:-1]
    if plain != label or plain.startswith("."):
        plain = f"{plain.lstrip('.')}-{zlib.crc32(label.encode()):08x}"
    return plain


def _make_empty(directory: Path) -> None:
    """What an earlier attempt at the trial left behind must not be mistaken for this one's."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
