"""The time that a whole comparison may take: how it is written, and how many trials and seeds fit into it."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from trimtab.compare import DEFAULT_TRIALS
from trimtab.lab.errors import InputError
from trimtab.lab.executor import Event, Executor
from trimtab.lab.schedule import Job, seconds_together

FEWEST_TRIALS, MOST_TRIALS = 6, 128
"""Settings that are planned for each candidate: two for each power of ten of a learning rate, up to forty."""

FEWEST_SEEDS, MOST_SEEDS = 3, 30
"""Final runs that are planned for each candidate: without three there is no ranking that deserves the name."""

SHARE = 0.95
"""Of the time, what is planned to be used; the rest is for the reports, and for what takes longer than it was."""

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?", re.IGNORECASE)
_UNITS = (86400, 3600, 60, 1)


def parse_duration(text: str) -> float:
    """Reads a duration such as ``20m``, ``90s``, ``1h30m`` or ``2h``.

    Returns:
        Seconds.

    Raises:
        InputError: it is none, or has no unit, or is zero.
    """
    plain = str(text).replace(" ", "")
    found = _DURATION.fullmatch(plain)
    seconds = sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS, strict=True) if n) if found else 0
    if seconds:
        return float(seconds)
    if re.fullmatch(r"[-+]?[\d.]+", plain):
        raise InputError(
            f"budget={text} has no unit: --budget {plain}m is the time for the whole comparison; the length of a run "
            f"in steps is --steps {plain}"
        )
    raise InputError(f"budget={text!r} is not a time; examples are 20m, 90s, 1h30m and 2h")


def written(seconds: float) -> str:
    """Returns a duration as :func:`parse_duration` reads it."""
    rest, parts = round(seconds), ""
    for unit, name in zip(_UNITS, "dhms", strict=True):
        count, rest = divmod(rest, unit)
        parts += f"{count}{name}" if count else ""
    return parts or "0s"


@dataclass(frozen=True)
class Budget:
    """The time that a comparison may take, from the moment that this is made.

    Args:
        seconds: in all.
        trials: number of trials that was asked for; ``None`` if it is to be chosen.
        seeds: number of seeds that was asked for; ``None`` if it is to be chosen.
        usual_seeds: number that is chosen before there are more trials than the fewest.
        since: when it began, by the clock of ``time.monotonic``.

    Raises:
        InputError: nothing is left to be chosen.
    """

    seconds: float
    trials: int | None
    seeds: int | None
    usual_seeds: int
    since: float = field(default_factory=time.monotonic, compare=False)

    def __post_init__(self) -> None:
        if self.trials is not None and self.seeds is not None:
            raise InputError(
                f"budget={written(self.seconds)} has nothing to choose: leave out --trials or --seeds, or both, or it"
            )

    @property
    def spent(self) -> float:
        """Seconds that are over."""
        return time.monotonic() - self.since

    @property
    def left(self) -> float:
        """Seconds that may be planned for."""
        return SHARE * self.seconds - self.spent


@dataclass(frozen=True)
class Price:
    """What the runs of a candidate take.

    Args:
        label: the candidate's name, for messages.
        tuned: whether it has something to tune; without, one trial is all.
        trial: seconds of a tuning trial.
        final: seconds of a final run.
        first: seconds more of the first run on a worker.
        done: how many of its tuning trials have an outcome.
    """

    label: str
    tuned: bool
    trial: float
    final: float
    first: float = 0.0
    done: int = 0


@dataclass(frozen=True)
class Numbers:
    """How large a comparison is.

    Args:
        trials: of each candidate.
        seeds: of each candidate.
        seconds: about how long that takes.
    """

    trials: int
    seeds: int
    seconds: float


def starting_numbers(budget: Budget | None, trials: int | None, seeds: int) -> Numbers:
    """Returns what was asked for, or with a budget the least that can come of it."""
    if budget is None:
        return Numbers(DEFAULT_TRIALS if trials is None else trials, seeds, 0.0)
    return Numbers(
        FEWEST_TRIALS if budget.trials is None else budget.trials,
        FEWEST_SEEDS if budget.seeds is None else budget.seeds,
        0.0,
    )


class Deadline:
    """An executor for the first runs, which gives them up when the budget cannot do any more.

    Args:
        executor: runs them; entered and left by somebody else.
        budget: they may take half of it, because there are several times as many runs to follow.
    """

    def __init__(self, executor: Executor, budget: Budget) -> None:
        self._executor = executor
        self._budget = budget
        self.submit = executor.submit
        self.answer = executor.answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def free(self) -> int:
        """How many trials could start at once."""
        return self._executor.free

    def wait(self, timeout: float | None = None) -> Sequence[Event]:
        """Waits no longer than there is time.

        Raises:
            InputError: it is over.
        """
        left = self._budget.seconds / 2 - self._budget.spent
        if left <= 0:
            raise InputError(
                f"budget={written(self._budget.seconds)} is too short: half of it is over, and not even the first runs "
                "of all candidates have ended. Make a run shorter, leave out candidates, or give more time; the runs "
                "that have ended are kept"
            )
        return self._executor.wait(left if timeout is None else min(left, timeout))


def predicted_seconds(prices: Sequence[Price], trials: int, seeds: int, workers: int) -> float:
    """Returns how long a comparison takes from now, with so many workers that have started."""
    tuning: list[tuple[int, Job]] = []
    final: list[Job] = []
    for place, price in enumerate(prices):
        count = trials if price.tuned else 1
        for index in range(price.done, count):
            warming = price.first if index < workers else 0.0
            tuning.append((index, Job((place, "tune"), None, price.trial + warming)))
        final += [Job((place, "final"), (place, "tune"), price.final)] * seeds
    tuning.sort(key=lambda pair: pair[0])
    return seconds_together([job for _, job in tuning] + final, [], workers)


def fitting(budget: Budget, prices: Sequence[Price], workers: int) -> Numbers:
    """Chooses as many trials and seeds as fit, the same for every candidate.

    Seeds come first, up to the usual number, because they are what lets a difference be seen; then trials, up to
    :data:`MOST_TRIALS`; then more seeds, up to :data:`MOST_SEEDS`. What was asked for stays.

    Raises:
        InputError: not even the fewest fit; the message says how long those take, and what to leave out.
    """
    left = budget.left

    def seconds(trials: int, seeds: int) -> float:
        return predicted_seconds(prices, trials, seeds, workers)

    trials = budget.trials or max(FEWEST_TRIALS, *(price.done for price in prices))
    seeds = budget.seeds or FEWEST_SEEDS
    fewest = Numbers(trials, seeds, seconds(trials, seeds))
    if fewest.seconds > left:
        raise InputError(_too_short(budget, prices, fewest, workers))
    if budget.seeds is None:
        seeds = _most(range(seeds, max(seeds, budget.usual_seeds) + 1), lambda n: seconds(trials, n) <= left)
    if budget.trials is None:
        trials = _most(range(trials, max(trials, MOST_TRIALS) + 1), lambda n: seconds(n, seeds) <= left)
    if budget.seeds is None:
        seeds = _most(range(seeds, max(seeds, MOST_SEEDS) + 1), lambda n: seconds(trials, n) <= left)
    return Numbers(trials, seeds, seconds(trials, seeds))


def _most(numbers: Iterable[int], fits: Callable[[int], bool]) -> int:
    """Returns the last number that fits; the first one does."""
    first, *others = numbers
    low, high = 0, len(others)
    while low < high:  # the first `low` of the others fit, those from `high` on do not
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(others[middle - 1]) else (low, middle - 1)
    return others[low - 1] if low else first


def _too_short(budget: Budget, prices: Sequence[Price], fewest: Numbers, workers: int) -> str:
    alone = {price.label: predicted_seconds([price], fewest.trials, fewest.seeds, workers) for price in prices}
    longest = sorted(alone.items(), key=lambda pair: pair[1], reverse=True)[:3]
    needed = (fewest.seconds + budget.spent) / SHARE
    return (
        f"budget={written(budget.seconds)} is too short: {fewest.trials} trials and {fewest.seeds} seeds of each "
        f"candidate take about {written(max(1, fewest.seconds))} with {workers} at a time, so that --budget "
        f"{written(_rounded_up(needed))} is needed. Leave out a candidate (the longest alone: "
        f"{', '.join(f'{label} {written(max(1, seconds))}' for label, seconds in longest)}), or make a run shorter."
    )


def _rounded_up(seconds: float) -> float:
    unit = 60 if seconds > 120 else 10
    return unit * (seconds // unit + 1)
