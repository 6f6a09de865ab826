"""Verifying claims: run what has no outcome yet, judge, write down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.claims import CLAIMS, design
from trimtab.claims.analysis import analyse
from trimtab.claims.claim import SCALES, Claim
from trimtab.claims.design import Unfinished
from trimtab.claims.fingerprint import method_hashes, methods_of, protocol_hash
from trimtab.claims.loading import find_reference, load_reference
from trimtab.claims.result import ClaimResult
from trimtab.claims.work import ClaimWork
from trimtab.lab.problem import Workplace
from trimtab.study.cores import usable_cores
from trimtab.study.environment import environment
from trimtab.study.errors import Faults, InputError
from trimtab.study.files import from_store, write_atomically
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.point import Point
from trimtab.study.running import Observer, Outcomes, run_study
from trimtab.study.store import Store
from trimtab.study.stored_study import read_store

DEFAULT_OUT = Path("runs/claims")

Watch = Callable[[Claim], AbstractContextManager[Observer]]


@dataclass(frozen=True)
class NotJudged:
    """A claim that could not be judged.

    Args:
        id: of the claim.
        reason: in words, with the remedy.
    """

    id: str
    reason: str


def verify(
    names: Sequence[str] | None = None,
    out: str | Path = DEFAULT_OUT,
    *,
    jobs: int | None = None,
    scale: str = "small",
    watch: Watch | None = None,
) -> Iterator[ClaimResult | NotJudged]:
    """Runs the experiments behind methods' claims, and judges the claims.

    Whatever ends it early, what is finished is kept in ``out``: run it again to go on. Every trial runs on one thread,
    so that results do not depend on ``jobs``.

    Args:
        names: of methods; all that have a claim by default.
        out: made if it is missing; a claim's trials go to ``<id>/study.db`` in it, and its result to ``<id>.json``.
        jobs: worker processes; one a core by default.
        scale: ``"small"``, or ``"full"``, for which the message says what is needed that is not here.
        watch: makes an observer for each claim that has something to run.

    Returns:
        An iterator that runs one claim after the other. The input is checked before it is returned.

    Raises:
        InputError: an unknown name or scale, the full scale, or a directory that holds another protocol's trials.
    """
    faults, references = Faults(), list[str]()
    for name in dict.fromkeys(CLAIMS if names is None else names):
        with faults:
            references.append(find_reference(name))
    faults.raise_any()
    references = list(dict.fromkeys(references))
    if not references:
        raise InputError(f"no claim was named; known are {', '.join(CLAIMS)}")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs={jobs}: at least one worker is needed")
    _check_scale(scale, references)
    workers = usable_cores() if jobs is None else jobs
    return (_verify(reference, Path(out), workers, watch) for reference in references)


def _check_scale(scale: str, references: Sequence[str]) -> None:
    if scale not in SCALES:
        raise InputError(f"scale={scale!r} must be {' or '.join(SCALES)}")
    if scale == "full":
        needs = [(claim.id, claim.full_scale) for claim in map(load_reference, references)]
        lines = "\n".join(f"  {name}: {' '.join(words)}" for name, words in needs)
        raise InputError(f"the full scale cannot run here, because it takes what is not in trimtab:\n{lines}")


def _verify(reference: str, out: Path, jobs: int, watch: Watch | None) -> ClaimResult | NotJudged:
    claim = load_reference(reference)
    try:
        for entry in methods_of(reference):
            entry.load()
    except InputError as missing:
        return NotJudged(claim.id, str(missing))
    try:
        result = _run(reference, claim, out, jobs, watch)
    except Unfinished as reason:
        return NotJudged(claim.id, f"{reason}. Remove {out / claim.id} to start it again")
    with from_store():
        write_atomically(out / f"{claim.id}.json", result.to_json())
    return result


def _run(reference: str, claim: Claim, out: Path, jobs: int, watch: Watch | None) -> ClaimResult:
    protocol, methods = protocol_hash(reference), method_hashes(reference)

    def points(outcomes: Outcomes) -> list[Point]:
        return design.points(claim, outcomes)

    with Store(out / claim.id, {"claim": claim.id, "protocol": protocol, "methods": methods}, words=_changes) as store:
        outcomes: Outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
        if any(point.key not in outcomes for point in points(outcomes)):
            store.annotate(lambda _: {"environment": environment()})
            executor = LocalExecutor(ClaimWork(reference, Workplace(out / claim.id)), jobs=jobs, threads=1)
            with _watching(watch, claim) as observer, executor:
                outcomes = run_study(points, store, executor, observer=observer)
    ran_on = read_store(out / claim.id).annotation["environment"]
    return analyse(claim, outcomes, protocol_hash=protocol, environment=ran_on, methods=methods)


def _changes(there: Mapping[str, Any], here: Mapping[str, Any], _annotation: Mapping[str, Any]) -> str:
    changed = {"protocol": "the claim's experiment has changed since", "methods": "its methods' code has changed since"}
    differing = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    return "; ".join(changed.get(key, f"{key}: {there.get(key)} there, {here.get(key)} here") for key in differing)


def _watching(watch: Watch | None, claim: Claim) -> AbstractContextManager[Observer | None]:
    return nullcontext() if watch is None else watch(claim)
