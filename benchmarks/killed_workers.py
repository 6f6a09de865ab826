"""Runs a comparison twice, once undisturbed and once with workers killed at random moments, and compares the results.

    python benchmarks/killed_workers.py [--task digits] [--every 6]

Whatever is not a duration has to be the same to the last bit.
"""

import argparse
import os
import random
import signal
import tempfile
import threading
from pathlib import Path

from trimtab import Comparison
from trimtab.compare.result import TrialResult


def findings(trial: TrialResult) -> tuple:
    """Everything about a trial that is not a duration."""
    return trial.key, trial.seed, trial.settings, trial.status, trial.loss, trial.metric, trial.test_loss, trial.curve


def kill_at_random(seconds: float, over: threading.Event, kills: list[int]) -> None:
    """Kills one of the worker processes every so many seconds on average."""
    chooser = random.Random(0)
    while not over.wait(chooser.expovariate(1 / seconds)):
        alive = [pid for pid in children() if pid not in kills]
        if alive:
            kills.append(chooser.choice(alive))
            os.kill(kills[-1], signal.SIGKILL)


def children() -> list[int]:
    """Process ids of this process's workers."""
    me = str(os.getpid())
    found = []
    for directory in Path("/proc").iterdir():
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            spawned = b"spawn_main" in (directory / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if fields[1] == me and spawned:
            found.append(int(directory.name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--candidates", default="sgd,adamw,nadam,radam,lion,adabelief")
    parser.add_argument("--every", type=float, default=6.0, help="seconds between kills, on average")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as stormy:
        expected = Comparison(options.task, options.candidates, calm).run()
        over, kills = threading.Event(), []
        killer = threading.Thread(target=kill_at_random, args=(options.every, over, kills))
        killer.start()
        try:
            found = Comparison(options.task, options.candidates, stormy).run()
        finally:
            over.set()
            killer.join()
    pairs = list(zip(expected.trials, found.trials, strict=True))
    differing = [(a, b) for a, b in pairs if findings(a) != findings(b)]
    for a, b in differing:
        print(f"{a.key}: {a.status} {a.loss!r} undisturbed, {b.status} {b.loss!r} disturbed; {b.error or ''}")
    print(
        f"{options.task}: {len(expected.trials)} trials, {len(kills)} workers killed, {len(differing)} results differ"
    )
    print(
        "same ranking" if [c.label for c in expected.candidates] == [c.label for c in found.candidates] else "DIFFERENT"
    )
    raise SystemExit(bool(differing))


if __name__ == "__main__":
    main()
