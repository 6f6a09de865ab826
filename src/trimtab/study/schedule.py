"""How long trials take together: durations that are taken as known, a queue, and workers that empty it."""

import heapq
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A trial whose duration is taken as known.

    Args:
        group: what it belongs to.
        after: the group that has to be finished before it can start; ``None`` if there is none.
        seconds: how long it takes, or goes on from now.
    """

    group: Hashable
    after: Hashable | None
    seconds: float


def seconds_together(waiting: Sequence[Job], running: Sequence[Job], workers: int) -> float:
    """Returns after how many seconds all jobs are done, if a free worker takes the first one that can start.

    Args:
        waiting: in the order in which they are taken.
        running: those that have a worker already.
        workers: how many there are; at least as many as jobs are running, and one.
    """
    queue = list(waiting)
    unfinished = Counter(job.group for job in (*queue, *running))
    ends = [(job.seconds, place, job.group) for place, job in enumerate(running)]
    heapq.heapify(ends)
    places = max(1, workers, len(ends))
    now, started = 0.0, len(ends)
    while queue or ends:
        while len(ends) < places:
            ready = next((i for i, job in enumerate(queue) if not unfinished[job.after]), None)
            if ready is None:
                break
            job = queue.pop(ready)
            heapq.heappush(ends, (now + job.seconds, started, job.group))
            started += 1
        if not ends:
            raise ValueError("jobs wait for each other in a circle")
        now, _, group = heapq.heappop(ends)
        unfinished[group] -= 1
    return now
