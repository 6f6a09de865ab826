"""How a study stands, for whoever asks from another terminal; as plain values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from trimtab.study.beside import Beside
from trimtab.study.remaining import Remaining

SCHEMA = "trimtab.status"
SCHEMA_VERSION = 2
"""Grows when a field is renamed, removed or changes its meaning; not when one is added."""

State: TypeAlias = Literal["starting", "planning", "running", "empty", "stopped", "finished"]


@dataclass(frozen=True)
class CandidateStatus:
    """How far a candidate is.

    Args:
        problem: name of the problem or claim.
        label: its name.
        tuned: tuning trials that have an outcome.
        tuning: tuning trials in all.
        final: final runs that have an outcome.
        finals: final runs in all; ``None`` while their number is not known.
        best: lowest tuning loss, or lowest final loss where nothing is tuned, as the number that candidates are
            compared by.
        trouble: how many trials failed or diverged.
        diverged: how many of them diverged.
        left: why it left a race that has ended: ``better`` or ``worse`` than the reference, no ``chance`` of a verdict,
            or a run ``unfinished``; ``None`` where it did not, or there is none.
    """

    problem: str
    label: str
    tuned: int
    tuning: int
    final: int
    finals: int | None
    best: float | None
    trouble: int
    diverged: int
    left: str | None = None


@dataclass(frozen=True)
class TrialStatus:
    """A trial that runs, or ran when its process ended.

    Args:
        key: its name in the study.
        candidate: whose it is.
        phase: ``tune`` or ``final``.
        index: which of its phase.
        since: when it started, in ISO 8601; ``None`` if that is not known.
        seconds: since then.
        host: of the process that runs it.
        process: its id.
        alive: whether that process is at work.
    """

    key: str
    candidate: str
    phase: str
    index: int
    since: str | None
    seconds: float | None
    host: str | None
    process: int | None
    alive: bool


@dataclass(frozen=True)
class ProcessStatus:
    """A process that runs trials.

    Args:
        host: name of its machine.
        process: its id there.
        alive: whether it is at work, as far as can be seen.
        silent_seconds: since its last sign of life; ``None`` where there is none but the file's lock.
        running: how many trials it runs.
    """

    host: str
    process: int
    alive: bool
    silent_seconds: float | None
    running: int


@dataclass(frozen=True)
class StudyStatus:
    """How a study stands.

    Args:
        name: of the problem or claim.
        kind: ``comparison`` or ``claim``; empty while that is not known.
        slot: what candidates of a comparison fill: ``optimizer``, ``command``, ...
        reference: how the command line names the problem, or the commands.
        store: where its outcomes are.
        state: ``starting`` (its store is being made), ``planning`` (numbers for a budget are being chosen),
            ``running``, ``empty`` (no process is at work, and nothing is planned or recorded), ``stopped`` (no process
            is at work) or ``finished``.
        budget: the time that it was planned for, as it was typed.
        candidates: in the order in which they were given.
        running: trials that run, or were cut off.
        processes: that have taken trials.
        done: trials that have an outcome.
        total: trials in all, as far as they are known.
        total_known: whether there will not be more.
        trials_per_minute: over the last ten minutes, or since the first of these trials started; ``None`` where none
            ended then.
        at_once: how many trials run at once, or did when it stopped.
        remaining: about how long it takes from now, or from when it goes on.
        best: the candidate with the best tuning trial, or final run where nothing is tuned, and its number.
        report: the page, if there is one.
        report_is_old: whether trials have ended since it was drawn.
        beside: what the store holds that takes no part in the comparison, and is not counted; ``None`` if there is
            nothing.
        racing: whether its candidates race, so that nobody knows how many trials are to come.
        most: how many trials a race has at most; ``None`` where there is none, or that is not chosen yet.
    """

    name: str
    kind: str
    slot: str
    reference: str
    store: str
    state: State
    budget: str | None = None
    candidates: tuple[CandidateStatus, ...] = ()
    running: tuple[TrialStatus, ...] = ()
    processes: tuple[ProcessStatus, ...] = ()
    done: int = 0
    total: int = 0
    total_known: bool = False
    trials_per_minute: float | None = None
    at_once: int = 0
    remaining: Remaining | None = None
    best: tuple[str, float] | None = None
    report: str | None = None
    report_is_old: bool = False
    beside: Beside | None = None
    racing: bool = False
    most: int | None = None


def to_dict(found: Sequence[StudyStatus]) -> dict[str, Any]:
    """Returns plain values that JSON can hold."""
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "studies": [asdict(each) for each in found]}
