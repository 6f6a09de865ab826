"""What the runs of candidates take, and a whole comparison of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.study.again import runs_again
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
        done: how many of its settings have an outcome with the first seed.
        tuning_seeds: seeds with which its best settings are tried.
    """

    label: str
    tuned: bool
    trial: float
    final: float
    first: float = 0.0
    done: int = 0
    tuning_seeds: int = 1

    def settings(self, trials: int) -> int:
        """Returns how many settings of it are tried, where candidates have so many trials."""
        return trials if self.tuned else min(trials, 1)

    def again(self, trials: int) -> int:
        """Returns how many runs of it there are with further seeds of tuning."""
        return runs_again(self.settings(trials), self.tuning_seeds)


def predicted_seconds(prices: Sequence[Price], trials: int, seeds: int, workers: int) -> float:
    """Returns how long a comparison takes from now, with so many workers that have started, if no range goes on."""
    tuning: list[tuple[int, Job]] = []
    final: list[Job] = []
    for place, price in enumerate(prices):
        again = [Job((place, "again"), (place, "tune"), price.trial)] * price.again(trials)
        for index in range(price.done, price.settings(trials)):
            warming = price.first if index < workers else 0.0
            tuning.append((index, Job((place, "tune"), None, price.trial + warming)))
        final += again
        final += [Job((place, "final"), (place, "again" if again else "tune"), price.final)] * seeds
    tuning.sort(key=lambda pair: pair[0])
    return seconds_together([job for _, job in tuning] + final, [], workers)
