"""How many processes and threads this machine has room for."""

import os
import re

from trimtab.study.checks import MANY_WORKERS, check_whole


def usable_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_per_worker(jobs: int) -> int:
    """Returns how many threads each of ``jobs`` workers may have so that they do not fight for the cores.

    No more than ``OMP_NUM_THREADS`` allows, where that is set: on cores that others use too, threads that share small
    tensors spend most of their time waiting for each other.
    """
    check_whole("jobs", jobs)
    allowed = re.match(r"\s*(\d+)", os.environ.get("OMP_NUM_THREADS", ""))
    return max(1, min(usable_cores() // jobs, int(allowed[1]) if allowed else MANY_WORKERS))
