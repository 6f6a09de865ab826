"""Trials to log: a study of one problem or two, whose objective is an accuracy."""

from trimtab.study.callbacks import StudyAbout
from trimtab.study.facts import Facts, Unit
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.point import Point

CURVE = (CurvePoint(0, None, -0.1, 2.0), CurvePoint(64, 1.5, -0.6, 1.0), CurvePoint(128, 1.0, -0.8, 0.5))
COMPLETE = Outcome(
    "complete", -0.8, 0.5, cost=128, seconds=2.0, measures={"test metric": 0.7, "state bytes": 16.0}, curve=CURVE
)
FAILED = Outcome("failed", cost=64, seconds=1.0, curve=CURVE[:2], error="Traceback\n  ValueError: <b>no</b>")


def facts(name="toy"):
    objective, quoted = Metric("validation accuracy", "max"), Metric("validation loss", "min")
    return Facts(name, name, objective, Unit("sample-gradient"), quoted=quoted)


def about(directory, *problems, id="abc"):
    return StudyAbout(id, "+".join(problems or ["toy"]), directory, {name: facts(name) for name in problems or ["toy"]})


def tuning(index=0, candidate="adamw", problem="toy"):
    return Point(problem, "tune", candidate, index, {"lr": 0.1, "nesterov": True, "batch": "small"}, 0)


def final(index=0, candidate="adamw", problem="toy"):
    return Point(problem, "final", candidate, index, {"lr": 0.1}, 1000 + index)


def tell(callback, study, trials, *, before=()):
    """Tells a callback of a whole study; ``before`` are the places of trials that were finished earlier."""
    callback.begun(study)
    points = [point for point, _ in trials]
    outcomes = {point.key: outcome for place, (point, outcome) in enumerate(trials) if place in before}
    callback.planned(points, outcomes)
    for place, (point, outcome) in enumerate(trials):
        if place not in before:
            callback.started(point)
            callback.finished(point, outcome)
            outcomes[point.key] = outcome
            callback.planned(points, outcomes)
    callback.ended()
