"""What the runs of candidates take, and a whole comparison of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.study.schedule import Job, seconds_together


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


def predicted_seconds(prices: Sequence[Price], trials: int, seeds: int, workers: int) -> float:
    """Returns how long a comparison takes from now, with so many workers that have started."""
    tuning: list[tuple[int, Job]] = []
    final: list[Job] = []
    for place, price in enumerate(prices):
        count = trials if price.tuned else min(trials, 1)
        for index in range(price.done, count):
            warming = price.first if index < workers else 0.0
            tuning.append((index, Job((place, "tune"), None, price.trial + warming)))
        final += [Job((place, "final"), (place, "tune"), price.final)] * seeds
    tuning.sort(key=lambda pair: pair[0])
    return seconds_together([job for _, job in tuning] + final, [], workers)
