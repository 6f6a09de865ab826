"""A trial: one run of one candidate with one set of settings, from a point of the design to its outcome."""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias

from trimtab.lab.checks import check_callable, check_flag, check_whole
from trimtab.lab.errors import DivergedError, InputError, UnfitWorkerError
from trimtab.lab.pace import PacePoint, PaceRecorder
from trimtab.lab.session import Session
from trimtab.lab.task import Evaluation, Split
from trimtab.lab.tunable import Tunables, Value

Status: TypeAlias = Literal["complete", "pruned", "diverged", "failed"]

LARGEST = 1e150
"""What is larger, either way, counts as diverged: squares of such numbers leave the range of floating point, so that a
mean of them has no spread. Scripts write 1.7e308 where they have no value."""


def is_measured(value: float) -> bool:
    """Tells whether a loss or a metric is a value that can be compared: neither infinite nor nan, nor huge."""
    return abs(value) <= LARGEST


@dataclass(frozen=True)
class Point:
    """One point of a study's design.

    Args:
        group: what the trial belongs to, e.g. ``"digits/tune/lion"``; trials of one group share their tunables.
        index: which trial of its group.
        settings: values of the tunables.
        seed: of the session.
        test: whether the test split is evaluated at the end.
        tunables: the ranges that the settings come from.
    """

    group: str
    index: int
    settings: dict[str, Value]
    seed: int
    test: bool = False
    tunables: Tunables = field(default_factory=dict, compare=False, repr=False)

    @property
    def key(self) -> str:
        """A name that is unique within the study."""
        return f"{self.group}/{self.index}"


@dataclass(frozen=True)
class CurvePoint:
    """What was measured at one moment of a run.

    Args:
        cost: sample-gradients used so far.
        train_loss: mean loss of the batches since the last moment; ``None`` at the start.
        loss: validation loss.
        metric: validation metric.
    """

    cost: int
    train_loss: float | None
    loss: float
    metric: float


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Args:
        status: ``complete``, ``pruned`` (stopped early on request), ``diverged`` (the loss stopped being finite, or is
            larger than 1e150) or ``failed`` (an exception, or a worker that died).
        loss: validation loss at the end, or ``None`` unless complete.
        metric: validation metric at the end, or ``None``.
        test_loss: test loss at the end of a final run, or ``None``.
        test_metric: test metric at the end of a final run, or ``None``.
        cost: sample-gradients used.
        steps: optimizer steps taken.
        seconds: wall-clock seconds of the trial.
        processor_seconds: processor seconds of the trial, over all threads.
        step_seconds: wall-clock seconds a step, or ``None`` if there was none.
        state_bytes: memory that the optimizer keeps between steps.
        curve: the run's course.
        pace: the learning rate and the batch size of a final run, from each change to the next; empty where there was
            none.
        probed: what else was measured at the end of a complete run, name to value.
        error: the traceback or the reason, when something went wrong.
    """

    status: Status
    loss: float | None = None
    metric: float | None = None
    test_loss: float | None = None
    test_metric: float | None = None
    cost: int = 0
    steps: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    step_seconds: float | None = None
    state_bytes: int = 0
    curve: tuple[CurvePoint, ...] = field(default=())
    pace: tuple[PacePoint, ...] = field(default=())
    probed: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Builds an outcome from what :meth:`to_dict` returned."""
        curve = tuple(CurvePoint(**point) for point in values["curve"])
        curve = tuple(point for point in curve if is_measured(point.loss) and is_measured(point.metric))
        pace = tuple(PacePoint(**point) for point in values.get("pace", ()))
        return cls(**{**values, "curve": curve, "pace": pace})._judged()

    def _judged(self) -> Self:
        """What was recorded before huge numbers counted as diverged becomes so."""
        ends = (self.loss, self.metric, self.test_loss, self.test_metric)
        huge = [value for value in ends if value is not None and not is_measured(value)]
        if not huge:
            return self
        error = self.error or f"it ended at {huge[0]:.3g}; what is larger than {LARGEST:g} counts as diverged"
        ended = replace(self, status="diverged", error=error)
        return replace(ended, loss=None, metric=None, test_loss=None, test_metric=None)


Reporter: TypeAlias = Callable[[int, float], bool]
"""Called with the cost and the validation loss after each evaluation; ``True`` asks for the trial to be given up."""

Probe: TypeAlias = Callable[[Session], Mapping[str, float]]
"""Measures something of a session that has ended; finite numbers by name."""

Work: TypeAlias = Callable[[Point, Reporter], Outcome]
"""Runs one trial; must be picklable, because workers are processes."""


def attempt(work: Work, point: Point, report: Reporter) -> Outcome:
    """Runs a trial where a worker has been told to: what goes wrong in it is its outcome.

    Raises:
        UnfitWorkerError: this worker can run no trial at all.
    """
    try:
        return work(point, report)
    except UnfitWorkerError:
        raise
    except Exception:
        return Outcome("failed", error=traceback.format_exc())


def run_trial(
    make_session: Callable[[], Session],
    *,
    evaluations: int,
    test: bool,
    report: Reporter,
    probe: Probe | None = None,
) -> Outcome:
    """Runs a session to the end of its budget and records its course.

    Whatever goes wrong inside is an outcome, not an exception: a study goes on without a trial that failed.

    Args:
        make_session: builds the session; what it raises is recorded too.
        evaluations: how many times the validation split is evaluated after the start, evenly over the budget.
        test: whether the test split is evaluated at the end.
        report: told about each evaluation.
        probe: called when the run is complete.

    Raises:
        InputError: an argument cannot be.
    """
    check_callable("make_session", make_session)
    check_whole("evaluations", evaluations)
    check_flag("test", test)
    start, processor_start = time.perf_counter(), time.process_time()
    curve: list[CurvePoint] = []
    session: Session | None = None

    def outcome(status: Status, error: str | None = None, **more: Any) -> Outcome:
        known: dict[str, Any] = {}
        if session is not None:
            known = {
                "cost": session.meter.used,
                "steps": session.steps,
                "step_seconds": session.seconds / session.steps_paid if session.steps_paid else None,
                "state_bytes": session.optimizer_state_bytes(),
            }
        return Outcome(
            status,
            curve=tuple(curve),
            error=error,
            seconds=time.perf_counter() - start,
            processor_seconds=time.process_time() - processor_start,
            **known,
            **more,
        )

    try:
        session = _made(make_session)
        pace = PaceRecorder(session) if test else None
        if _train(session, evaluations, curve, report, pace):
            return outcome("pruned")
        tested = _finite_evaluation(session, "test") if test else None
        return outcome(
            "complete",
            loss=curve[-1].loss,
            metric=curve[-1].metric,
            test_loss=tested.loss if tested else None,
            test_metric=tested.metric if tested else None,
            pace=() if pace is None else pace.points(),
            probed={} if probe is None else dict(probe(session)),
        )
    except DivergedError as error:
        return outcome("diverged", str(error))
    except Exception:  # a method under test may raise anything
        return outcome("failed", traceback.format_exc())


def _made(make_session: Callable[[], Session]) -> Session:
    session = make_session()
    if not isinstance(session, Session):
        raise InputError(f"make_session={make_session!r} made a {type(session).__name__}, expected a Session")
    return session


def _train(
    session: Session, evaluations: int, curve: list[CurvePoint], report: Reporter, pace: PaceRecorder | None
) -> bool:
    """Runs to the end of the budget, filling ``curve``; returns whether the trial was given up."""
    budget = session.meter.budget
    start = _finite_evaluation(session, "validation")
    curve.append(CurvePoint(0, None, start.loss, start.metric))
    losses: list[float] = []
    while not session.meter.exhausted:
        losses.append(session.step())
        if pace is not None:
            pace.note()
        if session.meter.used * evaluations < budget * len(curve) and not session.meter.exhausted:
            continue
        now = _finite_evaluation(session, "validation")
        curve.append(CurvePoint(session.meter.used, sum(losses) / len(losses), now.loss, now.metric))
        losses.clear()
        if report(session.meter.used, now.loss) and not session.meter.exhausted:
            return True
    return False


def _finite_evaluation(session: Session, split: Split) -> Evaluation:
    evaluation = session.evaluate(split)
    for value in (evaluation.loss, evaluation.metric):
        if not is_measured(value):
            raise DivergedError(session.steps, value)
    return evaluation
