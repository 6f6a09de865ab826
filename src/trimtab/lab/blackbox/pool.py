"""Workers that evaluate at the same time, simulated: who is done first follows from the seed alone."""

import heapq
from typing import Generic, TypeVar

import numpy as np

Job = TypeVar("Job")

SPREAD = 0.5
"""Standard deviation of the logarithm of how long an evaluation takes: one in six takes 1.6 times as long or more."""


class Pool(Generic[Job]):
    """Evaluations that are under way.

    Args:
        workers: how many at most.
        seed: of how long each takes, by its number: the same for every candidate.
    """

    def __init__(self, workers: int, seed: np.random.SeedSequence) -> None:
        self.workers = workers
        self._durations = np.random.default_rng(seed)
        self._now = 0.0
        self._jobs: list[tuple[float, int, Job]] = []
        self._begun = 0

    @property
    def free(self) -> bool:
        """Whether a worker waits for something to do."""
        return len(self._jobs) < self.workers

    def begin(self, job: Job) -> None:
        """Gives a free worker something to do."""
        duration = float(np.exp(SPREAD * self._durations.standard_normal()))
        heapq.heappush(self._jobs, (self._now + duration, self._begun, job))  # of two at once, who began first
        self._begun += 1

    def finish(self) -> Job:
        """Returns what is done next."""
        self._now, _, job = heapq.heappop(self._jobs)
        return job
