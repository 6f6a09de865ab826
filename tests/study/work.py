"""A small study and its work: nothing here imports torch, for which each process that is started would wait."""

import os
import time
import zlib
from collections import Counter
from pathlib import Path

from trimtab.study.errors import UnfitWorkerError
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import Choice, LogUniform

MANIFEST = {"task": "toy", "budget": 3}
OTHER_MANIFEST = {**MANIFEST, "budget": 4}
RANGES = {"lr": LogUniform(1e-3, 1.0)}


def points(count, candidate="a"):
    return [Point("toy", "tune", candidate, i, {"lr": 0.001 * (i + 1)}, seed=0, tunables=RANGES) for i in range(count)]


def fixed(*wanted):
    return lambda outcomes: list(wanted)


def log_of(path):
    lines = [line.split() for line in path.read_text().splitlines()]
    return Counter(key for what, key, _ in lines if what == "start"), Counter(key for w, key, _ in lines if w == "end")


def judged_by(store, pruner):
    """Gives up what a pruner of Optuna's would, as a comparison with one does."""
    return lambda _outcomes, point, cost, loss: store.hopeless(point, cost, loss, pruner)


def what(*names):
    choice = Choice(("raise", "unfit", "die", "ask", "work"))
    return [Point("toy", "tune", "a", i, {"what": name}, 0, tunables={"what": choice}) for i, name in enumerate(names)]


class LoggedWork:
    """Notes each start in a file, sleeps, and returns a value that depends on the point alone."""

    modules = ()

    def __init__(self, log: Path, seconds: float = 0.02):
        self.log, self.seconds = log, seconds

    def __call__(self, point, report):
        with self.log.open("a") as file:
            file.write(f"start {point.key} {os.getpid()}\n")
        time.sleep(self.seconds)
        with self.log.open("a") as file:
            file.write(f"end {point.key} {os.getpid()}\n")
        loss = (hash_of(point.key) % 1000) / 1000
        return Outcome("complete", loss=loss, metric=0.5, cost=7, curve=(CurvePoint(7, 0.5, loss, 0.5),))


def hash_of(text):
    return zlib.crc32(text.encode())


class MisbehavingWork:
    """Does what the point's settings say."""

    modules = ()

    def __call__(self, point, report):
        what = point.settings["what"]
        if what == "raise":
            raise RuntimeError("deliberate")
        if what == "unfit":
            raise UnfitWorkerError("there is no task here")
        if what == "die":
            os._exit(3)
        if what == "ask":
            stopped = report(10, 99.0)
            return Outcome("pruned" if stopped else "complete", loss=None if stopped else 99.0)
        report(10, 0.5)
        return Outcome("complete", loss=0.5)
