"""A trial of a training task: one session from its beginning to its outcome."""

import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from trimtab.lab.measures import STATE_BYTES, STEP_SECONDS, TEST_LOSS, TEST_METRIC, UPDATES
from trimtab.lab.pace import PaceRecorder
from trimtab.lab.session import Session
from trimtab.lab.task import Evaluation, Split
from trimtab.study.checks import check_callable, check_flag, check_whole
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.outcome import CurvePoint, Outcome, Status, is_measured
from trimtab.study.trial import Reporter

Probe: TypeAlias = Callable[[Session], Mapping[str, float]]
"""Measures something of a session that has ended; finite numbers by name."""


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
    measures: dict[str, float] = {}
    session: Session | None = None

    def outcome(status: Status, error: str | None = None, **more: Any) -> Outcome:
        if session is not None:
            measures[UPDATES] = session.steps
            measures[STATE_BYTES] = session.optimizer_state_bytes()
            if session.steps_paid:
                measures[STEP_SECONDS] = session.seconds / session.steps_paid
        return Outcome(
            status,
            cost=0 if session is None else session.meter.used,
            measures=measures,
            curve=tuple(curve),
            error=error,
            seconds=time.perf_counter() - start,
            processor_seconds=time.process_time() - processor_start,
            **more,
        )

    try:
        session = _made(make_session)
        pace = PaceRecorder(session) if test else None
        if _train(session, evaluations, curve, report, pace):
            return outcome("pruned")
        if test:
            tested = _finite_evaluation(session, "test")
            measures |= {TEST_LOSS: tested.loss, TEST_METRIC: tested.metric}
        if probe is not None:
            measures |= probe(session)
        return outcome(
            "complete",
            loss=curve[-1].loss,
            metric=curve[-1].metric,
            traces={} if pace is None else pace.traces(),
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
