"""What the runs of a candidate take, measured where and as they will run: on the workers, with all of them busy."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence

from trimtab.compare.plan import EVALUATIONS
from trimtab.lab.session import Session
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.executor import Died, Executor, Finished
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point

MEASURED_SECONDS = 2.0
"""How long each candidate is measured, at least."""

MEASURED_STEPS = 5
"""How many steps of it are measured, at least."""

_ATTEMPTS = 3


def measure(make_session: Callable[[], Session]) -> Outcome:
    """Measures runs of a candidate for a while.

    Args:
        make_session: starts a run.

    Returns:
        An outcome whose ``measures`` hold seconds: ``run``, of a whole run with its evaluations; ``evaluation``, of a
        single one; ``first``, what the first run took longer to begin than others, because something was compiled; and
        ``steps``, how many were measured.
    """
    _, beginning = _begun(make_session)
    session, later = _begun(make_session)
    evaluation = sum(_timed(session.evaluate) for _ in range(3)) / 3
    gradients = steps = 0
    seconds, over = 0.0, False
    while seconds < MEASURED_SECONDS or steps < MEASURED_STEPS:
        if over or session.meter.exhausted:
            session, _ = _begun(make_session)
        used = session.meter.used
        start = time.perf_counter()
        over = not _step(session)
        seconds += time.perf_counter() - start
        gradients += session.meter.used - used
        steps += 1
    whole = session.meter.budget * seconds / gradients
    run = max(0.0, later - seconds / steps - evaluation) + whole + (EVALUATIONS + 1) * evaluation
    return Outcome(
        "complete",
        seconds=seconds,
        measures={"run": run, "evaluation": evaluation, "first": max(0.0, beginning - later), "steps": steps},
    )


def _begun(make_session: Callable[[], Session]) -> tuple[Session, float]:
    """Begins a run, and returns how long it took to its first step and evaluation."""
    start = time.perf_counter()
    session = make_session()
    _step(session)
    session.evaluate()
    return session, time.perf_counter() - start


def _step(session: Session) -> bool:
    """Takes a step; returns whether the run can go on."""
    try:
        session.step()
    except DivergedError:
        return False
    return True


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run_measurements(executor: Executor, points: Sequence[Point]) -> dict[str, Outcome]:
    """Has points measured, with work for every worker until the last one is done.

    Returns:
        Key to outcome.

    Raises:
        InputError: one of them cannot be measured.
    """
    waiting, fillers = list(points), itertools.cycle(points)
    found: dict[str, Outcome] = {}
    deaths: Counter[str] = Counter()
    running = 0
    while running or len(found) < len(points):
        while executor.free and len(found) < len(points):
            executor.submit(waiting.pop(0) if waiting else next(fillers))
            running += 1
        for event in executor.wait():
            if isinstance(event, Finished):
                running -= 1
                found.setdefault(event.point.key, _checked(event))
            elif isinstance(event, Died):
                running -= 1
                deaths[event.point.key] += 1
                if deaths[event.point.key] == _ATTEMPTS:
                    raise InputError(f"{_label(event.point)} cannot be measured: {event.reason}")
                waiting.append(event.point)
    return found


def _checked(event: Finished) -> Outcome:
    if event.outcome.status == "failed":
        lines = (event.outcome.error or "").strip().splitlines()
        raise InputError(f"{_label(event.point)} cannot be measured: {lines[-1] if lines else 'it failed'}")
    return event.outcome


def _label(point: Point) -> str:
    return point.candidate
