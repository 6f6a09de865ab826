"""Points, outcomes and a clock, to play studies with."""

from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import LogUniform

LABELS = ("adamw", "lion(betas=(0.9, 0.99))")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def tuning(label, count=4, problem="digits"):
    ranges = {"lr": LogUniform(0.01, 100.0)}
    return [Point(problem, "tune", label, i, {"lr": 0.1 * (i + 1)}, 0, ranges) for i in range(count)]


def finals(label, count=3, problem="digits"):
    return [Point(problem, "final", label, i, {}, 1000 + i) for i in range(count)]


def complete(loss=0.5, seconds=10.0):
    return Outcome("complete", loss=loss, seconds=seconds)
