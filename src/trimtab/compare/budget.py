"""The time that a whole comparison may take: how it is written, and what may be chosen for it."""

import re
import time
from dataclasses import dataclass, field

from trimtab.compare import DEFAULT_TRIALS
from trimtab.study.errors import InputError

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
    if re.fullmatch(r"0*[1-9]\d*", plain):
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
        trials: number of trials that was asked for, 0 where nothing is tuned; ``None`` if it is to be chosen.
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
                f"budget={written(self.seconds)} has nothing to choose beside "
                + (f"--trials {self.trials} and --seeds {self.seeds}: leave out one of them" if self.trials else "")
                + ("" if self.trials else f"--seeds {self.seeds}: leave it out")
                + ", or --budget"
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
