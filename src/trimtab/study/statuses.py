"""Looking at a study that may be running, without disturbing it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from trimtab.study.activity import Activity, Ended, Running, look
from trimtab.study.again import FEWEST, goes_on, runs_again, runs_beyond, tuning_seeds_of
from trimtab.study.beside import Beside, beside
from trimtab.study.ledger import Again, Group, Ledger, Seeds, key_of
from trimtab.study.location import FILE_NAME, Location, shown
from trimtab.study.notes import RACED, reference_of, sign_of, slot_of
from trimtab.study.point import Point
from trimtab.study.remaining import Remaining
from trimtab.study.status import CandidateStatus, ProcessStatus, State, StudyStatus, TrialStatus

Raced: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What a store notes of a race that has ended."""

RATE_SECONDS = 600.0
"""The rate is that of the last ten minutes."""


def statuses(directory: str | Path, store: str | None = None) -> list[StudyStatus]:
    """Looks at the study in a directory, or at each of the studies in its directories, as ``verify`` makes them.

    Args:
        directory: of a comparison or of claims.
        store: SQLAlchemy URL of the comparison's database, if that is not in the directory.

    Raises:
        NoStudyError: there is none.
        CorruptStoreError: one cannot be read.
        StoreUnreachableError: the database does not answer.
    """
    directory = Path(directory)
    if store is None and not (directory / FILE_NAME).exists():
        inner = sorted(path.parent for path in directory.glob(f"*/{FILE_NAME}"))
        if inner:
            return [status(each) for each in inner]
    return [status(directory, store)]


def status(directory: Path, store: str | None = None, now: datetime | None = None) -> StudyStatus:
    """Looks at one study; see :func:`statuses`."""
    location: Location = directory if store is None else store
    activity = look(location)
    if activity is None:
        return StudyStatus(directory.name, "", "", "", shown(location), "starting")
    now = datetime.now(UTC) if now is None else now
    notes = activity.annotation
    seeds = activity.annotation.get("seeds")
    at_once = _at_once(activity)
    racing = bool(activity.manifest.get("race"))
    raced: Raced | None = notes.get(RACED)
    ledger = _ledger(activity, seeds, at_once, now, racing=racing)
    known = raced is not None if racing else seeds is not None or "claim" in activity.manifest
    done = bool(ledger.total) and ledger.done == ledger.total and known
    page = directory / "report.html"
    best = ledger.best
    return StudyStatus(
        name=activity.manifest.get("claim") or activity.manifest.get("task") or directory.name,
        kind="claim" if "claim" in activity.manifest else "comparison" if notes else "",
        slot=slot_of(notes),
        reference=reference_of(notes),
        store=shown(location),
        state=_state(activity, ledger, done=done),
        budget=activity.annotation.get("time"),
        candidates=_candidates(ledger, notes, raced),
        running=tuple(_trial(each, now) for each in activity.running),
        processes=tuple(
            ProcessStatus(p.host, p.process, p.alive, p.silent_seconds, sum(r.process == p for r in activity.running))
            for p in activity.processes
        ),
        done=ledger.done,
        total=ledger.total,
        total_known=known if racing else ledger.seeds is not None,
        trials_per_minute=_rate(activity.ended, now),
        at_once=at_once,
        remaining=None if done else _at_least(ledger.remaining()) if racing else ledger.remaining(),
        best=None if best is None else (best[0], sign_of(notes, activity.manifest.get("task", "")) * best[1]),
        report=str(page) if page.exists() else None,
        report_is_old=page.exists() and any(e.end and e.end.timestamp() > page.stat().st_mtime for e in activity.ended),
        beside=_beside(activity, seeds),
        racing=racing,
        most=_most(activity, seeds) if racing else None,
    )


def _most(activity: Activity, seeds: Seeds) -> int | None:
    """How many trials there would be if nobody left, and every range went on that may."""
    notes = activity.annotation
    trials, labels = notes.get("trials"), notes.get("candidates")
    if trials is None or seeds is None or labels is None:
        return None
    each = seeds if isinstance(seeds, Mapping) else {activity.manifest.get("task", ""): seeds}
    one = {key_of(point) for point in _points(activity) if point.phase == "tune" and not point.settings}
    return sum(
        _most_tuning(min(trials, 1) if (name, label) in one else trials, notes, name, label) + finals
        for name, finals in each.items()
        for label in labels
    )


def _most_tuning(settings: int, notes: Mapping[str, Any], problem: str, label: str) -> int:
    """How many tuning trials of a candidate there are at most."""
    seeds = tuning_seeds_of(notes, problem)
    further = settings >= FEWEST and goes_on(notes, problem, label)
    return settings + runs_again(settings, seeds) + (runs_beyond(seeds) if further else 0)


def _points(activity: Activity) -> list[Point]:
    """Every trial that the store knows of."""
    known = [*(each.point for each in activity.ended), *(each.point for each in activity.running)]
    return [*known, *activity.waiting]


def _at_least(left: Remaining | None) -> Remaining | None:
    """What is left of a race: nobody knows who will go on."""
    return None if left is None else replace(left, least=left.low if left.least is None else left.least)


def _state(activity: Activity, ledger: Ledger, *, done: bool) -> State:
    if done:
        return "finished"
    if not activity.alive:
        return "stopped" if ledger.total else "empty"
    planned = activity.annotation.get("trials", 0) is not None
    return "running" if planned else "planning"


def _ledger(activity: Activity, seeds: Seeds, at_once: int, now: datetime, *, racing: bool) -> Ledger:
    """A ledger of what takes part and is reported; earlier comparisons may have left more in the store.

    How many runs of a race are still to come, nobody knows.
    """
    labels, problems = activity.annotation.get("candidates"), activity.annotation.get("compared")
    raced: Raced | None = activity.annotation.get(RACED)

    def counts(point: Point) -> bool:
        problem, label = key_of(point)
        most = seeds.get(problem) if isinstance(seeds, Mapping) else seeds
        if raced is not None:
            most = raced.get(problem, {}).get(label, {}).get("seeds", 0)
        more = point.phase == "final" and most is not None and point.index >= most
        return (labels is None or label in labels) and (problems is None or problem in problems) and not more

    running = {each.point.key: each for each in activity.running}
    points = [point for point in _points(activity) if counts(point)]
    if labels is not None:
        points.sort(key=lambda point: labels.index(key_of(point)[1]))
    points.sort(key=_turn)
    moment = time.monotonic()

    def again(problem: str) -> Again:
        return partial(runs_again, seeds=1 if racing else tuning_seeds_of(activity.annotation, problem))

    ledger = Ledger(lambda: {} if racing else seeds, lambda: moment, workers=at_once, again=again)
    ledger.plan(points, {})
    planned = {point.key for point in points}
    for each in sorted(activity.ended, key=lambda each: each.end.timestamp() if each.end else 0.0):
        if each.point.key in planned:
            ledger.record(each.point, each.outcome)
    for point in points:
        if point.key in running and _at_work(running[point.key]):
            ledger.start(point, _seconds_since(running[point.key].since, now) or 0.0)
    return ledger


def _beside(activity: Activity, seeds: Seeds) -> Beside | None:
    labels = activity.annotation.get("candidates")
    if labels is None or seeds is None:  # of a claim, or not planned yet
        return None
    problem = activity.manifest.get("task", "")
    by_problem = seeds if isinstance(seeds, Mapping) else {problem: seeds}
    noted: Raced = activity.annotation.get(RACED, {})
    raced = {name: {label: each["seeds"] for label, each in ran.items()} for name, ran in noted.items()}
    return beside([each.point.key for each in activity.ended], labels, by_problem, raced)


def _turn(point: Point) -> tuple[bool, int]:
    """Candidates take turns in the tuning; final runs come after."""
    return point.phase == "final", point.index if point.phase == "tune" else 0


def _candidates(ledger: Ledger, notes: Mapping[str, Any], raced: Raced | None) -> tuple[CandidateStatus, ...]:
    left = {} if raced is None else raced
    return tuple(
        CandidateStatus(
            problem,
            label,
            group.done["tune"],
            group.planned["tune"] + group.unplanned_tuning(ledger.again_on(problem)),
            group.done["final"],
            _finals(group, ledger.seeds_of(problem), over=raced is not None),
            None if group.best is None else sign_of(notes, problem) * group.best,
            group.diverged + group.failed,
            group.diverged,
            left.get(problem, {}).get(label, {}).get("left"),
        )
        for (problem, label), group in ledger.groups.items()
    )


def _finals(group: Group, seeds: int | None, *, over: bool) -> int | None:
    """How many final runs there are in all; of a race, those that were made when it was over."""
    if seeds is None:
        return group.planned["final"] if over else None
    return group.planned["final"] + group.unplanned(seeds)


def _trial(running: Running, now: datetime) -> TrialStatus:
    process = running.process
    point = running.point
    return TrialStatus(
        key=point.key,
        candidate=point.candidate,
        phase=point.phase,
        index=point.index,
        since=None if running.since is None else running.since.isoformat(timespec="seconds"),
        seconds=_seconds_since(running.since, now),
        host=None if process is None else process.host,
        process=None if process is None else process.process,
        alive=_at_work(running),
    )


def _at_work(running: Running) -> bool:
    return running.process is not None and running.process.alive


def _seconds_since(moment: datetime | None, now: datetime) -> float | None:
    # the clocks of two machines may differ
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def _rate(ended: Sequence[Ended], now: datetime) -> float | None:
    lately = [e for e in ended if e.end is not None and (now - e.end).total_seconds() < RATE_SECONDS]
    if not lately:
        return None
    first = min(each.start or each.end or now for each in lately)
    seconds = min(RATE_SECONDS, (now - first).total_seconds())
    return 60 * len(lately) / seconds if seconds > 0 else None


def _at_once(activity: Activity) -> int:
    """How many trials run at once; of a study that has stopped, how many did among the last ones."""
    jobs = activity.annotation.get("jobs")
    if jobs is not None and not activity.shared:
        return int(jobs)
    now = sum(map(_at_work, activity.running))
    if now:
        return now
    known = sorted(
        (each.start, each.start + timedelta(seconds=each.outcome.seconds)) for each in activity.ended if each.start
    )[-50:]
    return max((sum(start <= moment < end for start, end in known) for moment, _ in known), default=0)
