"""A comparison of what a command does, from beginning to end."""

import math
import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.compare.budget import Budget, Deadline, Numbers, Price, parse_duration, starting_numbers
from trimtab.compare.command.candidate import (
    NAME_PLACES,
    TRIAL_PLACES,
    CommandCandidate,
    command_candidates,
    files_of_code,
)
from trimtab.compare.command.file_metric import FileMetric, file_metric
from trimtab.compare.command.metric import CommandMetric
from trimtab.compare.command.output_metric import output_metric
from trimtab.compare.command.ranges import parse_tunes
from trimtab.compare.command.splitting import partition_outside_brackets, split_outside_brackets
from trimtab.compare.command.template import Command, pointing
from trimtab.compare.command.work import CommandWork, trial_name
from trimtab.compare.plan import Plan
from trimtab.compare.result import TaskFacts
from trimtab.compare.running import PlannedComparison
from trimtab.compare.running_options import Running, chosen_reference
from trimtab.lab.checks import check_flag, check_path, check_seconds, check_text, check_texts
from trimtab.lab.devices import as_the_only_one
from trimtab.lab.errors import Faults, InputError, NoStudyError
from trimtab.lab.executor import Executor, threads_per_worker
from trimtab.lab.lease import Limits
from trimtab.lab.store import Store, read_store
from trimtab.lab.study import Observer, Outcomes, run_study
from trimtab.lab.tunable import LogUniform, Uniform

DEFAULT_SEEDS = 5
"""Fresh seeds of the final runs; ten where a run is cheap."""

RATE_NAMES = ("lr", "learning_rate", "learningrate", "rate")
"""Settings that are taken for the learning rate, whose effect the report draws."""


class CommandComparison(PlannedComparison):
    """Tunes candidates that are runs of a command, and compares them on fresh seeds.

    Making one checks everything that can be checked without running the command.

    Args:
        command: the command, with places such as ``{optimizer}``, ``{lr}`` and ``{seed}``; it is for the names in
            ``candidates``.
        candidates: names, in one string with commas or in several; a mapping gives names their own commands, where
            an empty one stands for ``command``.
        tune: ranges, such as ``"lr=1e-4..1e-1:log"``, ``"batch=16,32"`` and ``"lion.lr=1e-5..1e-2:log"``.
        metric: a regular expression with one group, or a plain name, to find in the output; the last match counts.
        metric_file: a path with places, a colon and a dotted key, to find in a JSON file instead.
        metric_name: what reports call it.
        maximize: whether more of it is better.
        out: directory of the study; by default ``runs/<name of the script>``, or ``runs/commands`` where every
            candidate has its own.
        trials: quasi-random settings tried for each candidate; 16 by default, or as many as fit the budget.
        seeds: fresh seeds of the final runs; 5 by default, or as many as fit the budget.
        budget: wall-clock time for all of it, such as ``"20m"`` or ``"1h30m"``, for which trials and seeds are chosen
            when each candidate has been tried.
        reference: candidate that verdicts compare with; ``adamw`` if it takes part, else the first.
        pruner: gives up hopeless tuning trials: ``"median"`` or ``"successive-halving"``.
        jobs: commands that run at the same time; one a core by default, or one a CUDA device.
        store: SQLAlchemy URL of the database that keeps the results, which processes on several machines can share; a
            file in ``out`` by default.
        limits: how long processes that share a store wait for each other and for the database.
        executor: where commands run: ``"local"``, on this machine, or ``"ray"``.
        ray_address: of a Ray cluster that runs already; by default Ray is started on this machine.
        device: ``"cuda"`` shows each command one CUDA device, by ``CUDA_VISIBLE_DEVICES``; using it is the command's.
        timeout: seconds after which a trial has failed.
        shell: whether a shell reads the command.
        unseeded: allows a command without ``{seed}``, because it reads ``TRIMTAB_SEED`` or is random by itself.

    Raises:
        InputError: something cannot work; the message names the place and the remedy.
    """

    def __init__(
        self,
        command: str | None = None,
        candidates: str | Sequence[str] | Mapping[str, str] = "",
        *,
        tune: Sequence[str] = (),
        metric: str | None = None,
        metric_file: str | None = None,
        metric_name: str | None = None,
        maximize: bool = False,
        out: str | Path | None = None,
        trials: int | None = None,
        seeds: int | None = None,
        budget: str | None = None,
        reference: str | None = None,
        pruner: str | None = None,
        jobs: int | None = None,
        store: str | None = None,
        limits: Limits | None = None,
        executor: str = "local",
        ray_address: str | None = None,
        device: str = "cpu",
        timeout: float | None = None,
        shell: bool = False,
        unseeded: bool = False,
    ) -> None:
        for flag, value in (("maximize", maximize), ("shell", shell), ("unseeded", unseeded)):
            check_flag(flag, value)
        if command is not None:
            check_text("command", command)
        if out is not None:
            check_path("out", out)
        if timeout is not None:
            check_seconds("timeout", timeout, most=1e9)
        faults = Faults()
        with faults:
            allowed = None if budget is None else Budget(parse_duration(budget), trials, seeds, DEFAULT_SEEDS)
            counts = starting_numbers(allowed, trials, DEFAULT_SEEDS if seeds is None else seeds)
        with faults:
            running = Running(pruner, jobs, store, limits, executor, ray_address, device)
        with faults:
            self.metric = _metric(metric, metric_file, metric_name)
        with faults:
            chosen = _candidates(_commands(command, candidates, shell), tune, unseeded=unseeded)
            against = chosen_reference([candidate.label for candidate in chosen], reference)
        faults.raise_any()
        _check_places(self.metric, chosen)
        self.maximize, self.timeout = maximize, timeout
        name = "commands" if command is None else _name(Command(command, shell))
        plan = Plan(
            task=name,
            task_fingerprint="",  # each candidate has its own
            candidates=chosen,
            trials=counts.trials,
            seeds=counts.seeds,
            pruning=pruner,
            definition={
                "metric": self.metric.source,
                "maximize": maximize,
                "timeout": timeout,
                "device": as_the_only_one(running.device),
            },
        )
        super().__init__(
            plan,
            Path("runs") / name if out is None else Path(out),
            reference=against,
            running=running,
            budget=allowed,
        )

    def prices(self, store: Store, executor: Executor, observer: Observer | None) -> list[Price]:
        """Runs the first settings of each candidate; they are trials like any others, and kept.

        Raises:
            InputError: none of them ended well, or they take so long that the budget cannot do.
        """
        budget = self._asked_budget
        rounds = min(2, math.ceil(self.jobs / len(self._candidates)), self.plan.trials)  # so that all workers are busy
        pilots = [
            point
            for index in range(rounds)
            for candidate in self._candidates
            for point in self.plan.tuning_points(candidate)[index : index + 1]
        ]
        run_study(lambda _: pilots, store, Deadline(executor, budget), observer=observer)
        outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
        errors = [outcomes[point.key].error for point in pilots]
        if None not in errors:
            raise InputError(f"none of the first runs ended well, so that nothing can be planned:\n{errors[0]}")
        return self._known_prices(outcomes)

    @property
    def _asked_budget(self) -> Budget:
        if self.budget is None:
            raise RuntimeError("there is no budget to find prices for")
        return self.budget

    def _known_prices(self, outcomes: Outcomes) -> list[Price]:
        """What the tuning trials took that have an outcome; a run that failed early says less than one that did not."""
        prices = []
        for candidate in self._candidates:
            points = self.plan.tuning_points(candidate)
            found = [outcomes[point.key] for point in points if point.key in outcomes]
            whole = [outcome.seconds for outcome in found if outcome.status == "complete"]
            seconds = statistics.mean(whole or [outcome.seconds for outcome in found])
            prices.append(Price(candidate.label, bool(candidate.tunables), seconds, seconds, done=len(found)))
        return prices

    def work(self) -> CommandWork:
        """Returns what a worker does with a point."""
        return CommandWork(
            {candidate.label: candidate for candidate in self._candidates},
            self.metric,
            self.maximize,
            (self.out / "trials").resolve(),
            self.timeout,
            threads_per_worker(self.jobs),
            Path.cwd(),
        )

    @property
    def _candidates(self) -> tuple[CommandCandidate, ...]:
        return tuple(candidate for candidate in self.plan.candidates if isinstance(candidate, CommandCandidate))

    def estimate(self) -> Numbers | None:
        """Returns how large the comparison will be and how long it takes, if each candidate has run once already.

        Raises:
            InputError: the budget is too short.
        """
        self.adopt_stored()
        try:
            outcomes = read_store(self.location).outcomes
        except NoStudyError:
            return None
        if not all(self.plan.tuning_points(candidate)[0].key in outcomes for candidate in self._candidates):
            return None
        return self.numbers(self._known_prices(outcomes), self.jobs)

    def first_commands(self) -> list[str]:
        """Returns each candidate's first command, as it can be pasted into a shell."""
        lines = []
        for candidate in self._candidates:
            point = self.plan.tuning_points(candidate)[0]
            trial = trial_name(point)
            out = str((self.out / "trials").resolve() / trial)
            values = candidate.values(point.settings, seed=point.seed, trial=trial, out=out)
            lines.append(candidate.command.shown(values))
        return lines

    def facts(self) -> TaskFacts:
        """Returns what a reader has to know of the command."""
        return TaskFacts(
            self.plan.task,
            "; ".join(dict.fromkeys(candidate.command.text for candidate in self._candidates)),
            self.metric.name,
            "max" if self.maximize else "min",
            None,
            kind="command",
            metric_source=self.metric.source,
            rate=_rate(self._candidates),
            timeout=self.timeout,
        )


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


def _metric(pattern: str | None, file: str | None, name: str | None) -> CommandMetric:
    if (pattern is None) == (file is None):
        raise InputError(
            "a command needs a metric to be compared by: either --metric val_loss (or a regular expression), which is "
            "looked for in its output, or --metric-file {out}/metrics.json:val.loss"
        )
    return output_metric(pattern, name) if pattern is not None else file_metric(file or "", name)


def _commands(
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


def _candidates(
    commands: Mapping[str, Command], tune: Sequence[str], *, unseeded: bool
) -> tuple[CommandCandidate, ...]:
    faults = Faults()
    with faults:
        tunes = parse_tunes(tune)
        candidates = command_candidates(commands, tunes)
    for label, command in commands.items():
        with faults:
            _check_command(label, command, unseeded=unseeded)
    faults.raise_any()
    return candidates


def _check_command(label: str, command: Command, *, unseeded: bool) -> None:
    if "seed" not in command.names and not unseeded:
        raise InputError(
            f"{label}: the command has no {{seed}}, so that its final runs would all be the same: "
            f"{command.text}\nIf it reads the variable TRIMTAB_SEED or is random by itself, say --unseeded"
        )
    if not command.shell:
        _check_program(command)


def _check_places(metric: CommandMetric, candidates: Sequence[CommandCandidate]) -> None:
    """Checks that what the path of a file of metrics is filled with is known."""
    if not isinstance(metric, FileMetric):
        return
    for candidate in candidates:
        for name in metric.path.names:
            if name not in (*NAME_PLACES, *TRIAL_PLACES, *candidate.command.names):
                words = f"--metric-file: {{{name}}} is not among the places of {candidate.label}'s command"
                raise InputError(pointing(metric.path.text, metric.path.place(name), words))


def _check_program(command: Command) -> None:
    program, *rest = command.words()
    if "{" not in program and shutil.which(program) is None:
        raise InputError(f"there is no program {program!r} to run: {command.text}")
    script = rest[0] if rest else ""
    is_script = Path(program).name.startswith("python") and script.endswith(".py") and "{" not in script
    if is_script and not Path(script).is_file():
        raise InputError(f"there is no file {script}: {command.text}")


def _name(command: Command) -> str:
    files = files_of_code(command)
    return files[0].stem if files else Path(command.words()[0]).name


def _rate(candidates: Sequence[CommandCandidate]) -> str | None:
    """The setting whose effect is drawn: the learning rate, or else the first that has a range."""
    tuned = [(name, t) for candidate in candidates for name, t in candidate.tunables.items()]
    for name, _ in tuned:
        if name.lower().replace("-", "_") in RATE_NAMES:
            return name
    return next((name for kind in (LogUniform, Uniform) for name, t in tuned if isinstance(t, kind)), None)
