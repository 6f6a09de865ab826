"""What the runs of a candidate take, measured where and as they will run: on the workers, with all of them busy."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import cast

from trimtab.catalog.ranges import texts_tried
from trimtab.lab.problem import EVALUATIONS
from trimtab.lab.run import Run
from trimtab.study.errors import DivergedError, Faults, InputError
from trimtab.study.executor import Died, Executor, Finished
from trimtab.study.outcome import Outcome
from trimtab.study.phrases import listed
from trimtab.study.point import Point

MEASURED_SECONDS = 2.0
"""How long steps of each candidate are measured, at least, with what it takes to begin anew where a run is over."""

MEASURED_STEPS = 5
"""How many steps of it are measured, at least."""

_ATTEMPTS = 3


def measure(make_run: Callable[[], Run]) -> Outcome:
    """Measures runs of a candidate for a while.

    Args:
        make_run: starts a run.

    Returns:
        An outcome whose ``measures`` hold seconds: ``run``, of a whole run with its evaluations; ``evaluation``, of a
        single one; ``first``, what the first run took longer to begin than others, because something was compiled; and
        ``steps``, how many were measured.
    """
    _, beginning, _ = _begun(make_run)
    run_, later, looked = _begun(make_run)
    # a search evaluates what it recommends once, and goes on recommending it: about as often as one in three is new
    evaluation = (looked + sum(_timed(run_.evaluate) for _ in range(2))) / 3
    taken = list[tuple[float, int]]()
    seconds, over, ended = 0.0, False, False
    enough = time.perf_counter() + MEASURED_SECONDS
    while time.perf_counter() < enough or len(taken) < MEASURED_STEPS:
        if over or run_.meter.exhausted:
            run_, *_ = _begun(make_run)
            ended = True
        used = run_.meter.used
        start = time.perf_counter()
        over = not _step(run_)
        taken.append((time.perf_counter() - start, run_.meter.used - used))
        seconds += taken[-1][0]
    steps = len(taken)
    whole = run_.meter.budget * _seconds_each(taken)
    if not ended:  # who learns from what it has seen may take longer for each step: the rest is as the last ones were
        whole = seconds + (run_.meter.budget - sum(cost for _, cost in taken)) * _seconds_each(taken[steps // 2 :])
    run = max(0.0, later - seconds / steps - evaluation) + whole + (EVALUATIONS + 1) * evaluation
    return Outcome(
        "complete",
        seconds=seconds,
        measures={"run": run, "evaluation": evaluation, "first": max(0.0, beginning - later), "steps": steps},
    )


def _seconds_each(taken: Sequence[tuple[float, int]]) -> float:
    """Returns the seconds of a unit of cost in steps, of which each has its seconds and its cost."""
    return sum(seconds for seconds, _ in taken) / sum(cost for _, cost in taken)


def _begun(make_run: Callable[[], Run]) -> tuple[Run, float, float]:
    """Begins a run, and returns how long it took to its first step and evaluation, and how long the latter took."""
    start = time.perf_counter()
    run_ = make_run()
    _step(run_)
    looked = _timed(run_.evaluate)
    return run_, time.perf_counter() - start, looked


def _step(run_: Run) -> bool:
    """Takes a step; returns whether the run can go on."""
    try:
        run_.step()
    except DivergedError:
        return False
    return True


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run_checks(executor: Executor, points: Sequence[Point], typed: Collection[str] = ()) -> None:
    """Has candidates tried, each with the first settings that it will run with.

    Args:
        executor: that runs them.
        points: of the candidates.
        typed: names of the settings whose values somebody has typed, perhaps not as they were meant.

    Raises:
        InputError: some of them cannot; the message names all of these.
    """
    faults, found = Faults(), dict[tuple[str, str], list[str]]()
    for point, outcome in _ended(executor, points).values():
        if outcome.status != "complete":
            words = texts_tried({name: value for name, value in point.settings.items() if name in typed})
            found.setdefault((point.candidate, f"{outcome.error}{words}"), []).append(point.problem)
    for (candidate, words), problems in found.items():
        with faults:
            raise InputError(f"{candidate} cannot run on {listed(problems)}: {words}")
    faults.raise_any()


def run_measurements(executor: Executor, points: Sequence[Point]) -> dict[str, Outcome]:
    """Has points measured, with work for every worker until the last one is done.

    Returns:
        Key to outcome.

    Raises:
        InputError: one of them cannot be measured.
    """
    found = _ended(executor, points, fillers=itertools.cycle(points))
    for point, outcome in found.values():
        if outcome.status == "failed":
            lines = (outcome.error or "").strip().splitlines()
            raise InputError(f"{point.candidate} cannot be measured: {lines[-1] if lines else 'it failed'}")
    return {key: outcome for key, (_, outcome) in found.items()}


def _ended(
    executor: Executor, points: Sequence[Point], fillers: Iterator[Point] | None = None
) -> dict[str, tuple[Point, Outcome]]:
    """Runs points that no store sees; while some still run, free workers get fillers."""
    waiting = list(points)
    found: dict[str, tuple[Point, Outcome]] = {}
    deaths: Counter[str] = Counter()
    running = 0
    while running or len(found) < len(points):
        while executor.free and len(found) < len(points):
            if not waiting and fillers is None:
                break
            executor.submit(waiting.pop(0) if waiting else next(cast(Iterator[Point], fillers)))
            running += 1
        for event in executor.wait():
            if isinstance(event, Finished):
                running -= 1
                found.setdefault(event.point.key, (event.point, event.outcome))
            elif isinstance(event, Died):
                running -= 1
                deaths[event.point.key] += 1
                if deaths[event.point.key] == _ATTEMPTS:
                    raise InputError(f"{event.point.candidate} cannot be tried: {event.reason}")
                waiting.append(event.point)
    return found
