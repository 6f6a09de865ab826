"""A trial: one run from its beginning to its outcome."""

import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.lab.run import Run
from trimtab.lab.traces import TraceRecorder
from trimtab.study.checks import check_callable, check_flag, check_whole
from trimtab.study.errors import DivergedError
from trimtab.study.metric import Evaluation, Split
from trimtab.study.outcome import CurvePoint, Outcome, Status, is_measured
from trimtab.study.trial import Reporter

AnyRun = TypeVar("AnyRun", bound=Run)


def run_trial(
    make_run: Callable[[], AnyRun],
    *,
    evaluations: int,
    test: bool,
    watch: bool | None = None,
    start: bool = True,
    report: Reporter,
    probe: Callable[[AnyRun], Mapping[str, float]] | None = None,
) -> Outcome:
    """Takes a run to the end of its budget and records its course.

    Whatever goes wrong inside is an outcome, not an exception: a study goes on without a trial that failed.

    Args:
        make_run: begins the run; what it raises is recorded too.
        evaluations: how many times the validation split is evaluated after the start, evenly over the budget.
        test: whether the test split is evaluated at the end.
        watch: whether what the run lets be watched is kept; as ``test`` by default.
        start: whether there is something to evaluate before the first step. Where there is not, the course begins with
            an evaluation after that step.
        report: told about each evaluation.
        probe: called when the run is complete; what it measures, finite numbers by name, is kept.

    Raises:
        InputError: an argument cannot be.
    """
    check_callable("make_run", make_run)
    check_whole("evaluations", evaluations)
    check_flag("test", test)
    check_flag("start", start)
    if watch is not None:
        check_flag("watch", watch)
    began, processor_began = time.perf_counter(), time.process_time()
    curve: list[CurvePoint] = []
    measures: dict[str, float] = {}
    run: AnyRun | None = None

    def outcome(status: Status, error: str | None = None, **more: Any) -> Outcome:
        return Outcome(
            status,
            cost=0 if run is None else run.meter.used,
            measures=measures if run is None else {**run.measures(), **measures},
            curve=tuple(curve),
            error=error,
            seconds=time.perf_counter() - began,
            processor_seconds=time.process_time() - processor_began,
            **more,
        )

    try:
        run = make_run()
        if start:
            at_start = _finite_evaluation(run, "validation")
            curve.append(CurvePoint(0, None, at_start.loss, at_start.metric))
        recorder = TraceRecorder(run) if (test if watch is None else watch) else None
        if _train(run, evaluations, curve, report, recorder):
            return outcome("pruned")
        if test:
            tested = _finite_evaluation(run, "test")
            measures |= {TEST_LOSS: tested.loss, TEST_METRIC: tested.metric}
        if probe is not None:
            measures |= probe(run)
        traces = {} if recorder is None else recorder.traces()
        return outcome("complete", loss=curve[-1].loss, metric=curve[-1].metric, traces=traces)
    except DivergedError as error:
        return outcome("diverged", str(error))
    except Exception:  # a method under test may raise anything
        return outcome("failed", traceback.format_exc())


def _train(
    run: Run, evaluations: int, curve: list[CurvePoint], report: Reporter, recorder: TraceRecorder | None
) -> bool:
    """Runs to the end of the budget, filling ``curve``; returns whether the trial was given up."""
    budget = run.meter.budget
    losses: list[float] = []
    while not run.meter.exhausted:
        losses.append(run.step())
        if recorder is not None:
            recorder.note()
        if run.meter.used * evaluations < budget * len(curve) and not run.meter.exhausted:
            continue
        now = _finite_evaluation(run, "validation")
        curve.append(CurvePoint(run.meter.used, sum(losses) / len(losses), now.loss, now.metric))
        losses.clear()
        if report(run.meter.used, now.loss) and not run.meter.exhausted:
            return True
    return False


def _finite_evaluation(run: Run, split: Split) -> Evaluation:
    evaluation = run.evaluate(split)
    for value in (evaluation.loss, evaluation.metric):
        if not is_measured(value):
            raise DivergedError(run.steps, value)
    return evaluation
