"""A comparison of what a command does, from beginning to end."""

import math
import statistics
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from trimtab.compare.budget import Budget, Numbers, parse_duration, starting_numbers
from trimtab.compare.command.candidate import CommandCandidate
from trimtab.compare.command.reading import (
    candidates_of,
    check_places,
    commands_of,
    metric_of,
    name_of,
    rate_of,
)
from trimtab.compare.command.template import Command
from trimtab.compare.command.work import CommandWork, trial_name
from trimtab.compare.deadline import Deadline, Smallest
from trimtab.compare.plan import Plan
from trimtab.compare.prices import Price
from trimtab.compare.result import TaskFacts
from trimtab.compare.running import PlannedComparison
from trimtab.compare.running_options import Running, chosen_reference
from trimtab.lab.devices import as_the_only_one
from trimtab.study.checks import check_flag, check_path, check_seconds, check_text
from trimtab.study.errors import Faults, InputError, NoStudyError
from trimtab.study.executor import Executor, LocalExecutor, threads_per_worker
from trimtab.study.lease import Limits
from trimtab.study.running import Observer, Outcomes, run_study
from trimtab.study.store import Store, read_store

DEFAULT_SEEDS = 5
"""Fresh seeds of the final runs; ten where a run is cheap."""


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
            self.metric = metric_of(metric, metric_file, metric_name)
        with faults:
            chosen = candidates_of(commands_of(command, candidates, shell), tune, unseeded=unseeded)
            against = chosen_reference([candidate.label for candidate in chosen], reference)
        faults.raise_any()
        check_places(self.metric, chosen)
        self.maximize, self.timeout = maximize, timeout
        name = "commands" if command is None else name_of(Command(command, shell))
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
        rounds = min(2, math.ceil(self.jobs / len(self._candidates)), self.plan.trials)  # so that all workers are busy
        pilots = [
            point
            for index in range(rounds)
            for candidate in self._candidates
            for point in self.plan.tuning_points(candidate)[index : index + 1]
        ]
        run_study(lambda _: pilots, store, self._deadline(store.outcomes(), executor), observer=observer)
        outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
        errors = [outcomes[point.key].error for point in pilots]
        if None not in errors:
            raise InputError(f"none of the first runs ended well, so that nothing can be planned:\n{errors[0]}")
        return self._known_prices(outcomes)

    def _deadline(self, known: Container[str], executor: Executor) -> Deadline:
        if self.budget is None:
            raise RuntimeError("there is no budget to find prices for")
        to_come, labels = {}, {}
        for candidate in self._candidates:
            tuning = self.plan.tuning_points(candidate)
            to_come[candidate.label] = self.plan.seeds + sum(point.key not in known for point in tuning)
            labels.update({point.key: candidate.label for point in tuning})
        numbers = Numbers(self.plan.trials, self.plan.seeds, 0.0)
        at_once = isinstance(executor, LocalExecutor)
        return Deadline(executor, self.budget, Smallest(numbers, to_come, labels, self.places(executor), at_once))

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
            rate=rate_of(self._candidates),
            timeout=self.timeout,
        )
