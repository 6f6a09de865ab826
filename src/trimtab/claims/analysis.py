"""From the outcomes of a claim to its verdict."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from trimtab.claims import design
from trimtab.claims.claim import COUNTED, MEASURES, AnyArm, Claim, Statement
from trimtab.claims.design import Unfinished
from trimtab.claims.result import ArmResult, ClaimResult, Finding, Tried
from trimtab.lab.measures import MEASURED
from trimtab.study import statistics
from trimtab.study.outcome import Outcome
from trimtab.study.running import Outcomes
from trimtab.study.statistics import ALPHA, Verdict

_DIGITS = 8
"""Significant digits of what is written down; runs on other machines differ in the seventh."""


def analyse(
    claim: Claim, outcomes: Outcomes, *, protocol_hash: str, environment: dict[str, str], methods: dict[str, str]
) -> ClaimResult:
    """Judges a claim.

    A comparison is judged by the mean of its improvement over seeds and the 95 % t interval
    (:func:`trimtab.study.statistics.verdict`), which is that comparison's alone; to be confirmed it also needs a
    p-value below 5 % after Holm's correction for all comparisons of the claim. The claim is refuted if any comparison
    that decides is, and confirmed if all are.

    Args:
        claim: what was claimed.
        outcomes: key to outcome, of all its points.
        protocol_hash: to pass on.
        environment: to pass on.
        methods: to pass on.

    Raises:
        Unfinished: a final run ended with an exception or without measuring what is compared, or points are missing.
    """
    arms = tuple(_arm_result(claim, arm, outcomes) for arm in claim.arms)
    findings = judge(claim.comparisons, arms)
    used = [outcomes[point.key] for point in design.points(claim, outcomes)]
    return ClaimResult(
        id=claim.id,
        statement=claim.statement,
        protocol_hash=protocol_hash,
        verdict=overall(finding.verdict for finding in findings if finding.decides),
        findings=findings,
        notes=tuple(
            note
            for arm, result in zip(claim.arms, arms, strict=True)
            for note in _notes(result, sum(run.status == "diverged" for run in _final_runs(claim, arm, outcomes)))
        ),
        arms=arms,
        trials=len(used),
        processor_seconds=round(sum(outcome.processor_seconds for outcome in used), 1),
        environment=environment,
        methods=methods,
    )


def judge(comparisons: Sequence[Statement], arms: Sequence[ArmResult]) -> tuple[Finding, ...]:
    """Returns what comparisons show, given what the arms reached."""
    by_name = {arm.name: arm for arm in arms}
    differences = [_difference(comparison, by_name) for comparison in comparisons]
    corrected = iter(statistics.holm([each.p_value for each in differences if each is not None]).tolist())
    return tuple(
        _finding(comparison, each, None if each is None else next(corrected), len(by_name[comparison.arms[0]].seeds))
        for comparison, each in zip(comparisons, differences, strict=True)
    )


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Returns the verdict on a claim of several statements: that on the least certain, and refuted if any of them is.

    Raises:
        ValueError: there are no statements.
    """
    found = set(verdicts)
    order: tuple[Verdict, ...] = ("refuted", "inconclusive", "underpowered", "confirmed")
    for verdict in order:
        if verdict in found:
            return verdict
    raise ValueError("no comparison decides this claim")


def _difference(comparison: Statement, arms: Mapping[str, ArmResult]) -> statistics.PairedDifference | None:
    columns = [(arms[name].values | arms[name].probed)[comparison.measure] for name in comparison.arms]
    known = [[value for value in column if value is not None] for column in columns]
    if any(len(values) < len(column) for values, column in zip(known, columns, strict=True)):
        return None  # what is left of an arm whose runs diverged would be a favourable selection
    improvements = [comparison.improvement(*values) for values in zip(*known, strict=True)]
    if comparison.measure in COUNTED and len(set(improvements)) == 1:
        return _certain(improvements)
    return statistics.paired_difference(improvements, [0.0] * len(improvements))


def _certain(improvements: Sequence[float]) -> statistics.PairedDifference:
    """A difference that is known and not estimated."""
    (value,) = set(improvements)
    return statistics.PairedDifference(value, value, value, float(value == 0), 0.0, len(improvements), 1 - ALPHA)


def _finding(
    comparison: Statement, difference: statistics.PairedDifference | None, p_value: float | None, seeds: int
) -> Finding:
    finding = Finding(
        comparison.name,
        comparison.measure,
        comparison.unit,
        comparison.claimed,
        comparison.decides,
        "inconclusive",
        *(None, None, None, None, None),
        seeds,
    )
    if difference is None or p_value is None:
        return finding
    verdict = statistics.verdict(difference, comparison.claimed)
    if verdict == "confirmed" and p_value >= ALPHA:
        verdict = "inconclusive"
    return replace(
        finding,
        verdict=verdict,
        mean=_rounded(difference.mean),
        low=_rounded(difference.low),
        high=_rounded(difference.high),
        p_value=_rounded(p_value),
        smallest_detectable=_rounded(difference.smallest_detectable),
    )


def _arm_result(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> ArmResult:
    best = design.best_setting(claim, arm, outcomes)
    runs = _final_runs(claim, arm, outcomes)
    if best is None or len(runs) < len(arm.test_seeds):
        raise Unfinished(f"{arm.name}: {len(runs)} of {len(arm.test_seeds)} final runs are finished")
    compared = [each.measure for each in claim.comparisons if arm.name in each.arms]
    for run in runs:
        _check_whole(arm.name, run, compared)
    needed = (measure for measure in compared if measure not in MEASURES)
    own = (name for run in runs for name in run.measures if name not in MEASURED or name in claim.measures)
    settings = design.tried_settings(claim, arm, outcomes)
    tuning = [outcomes[point.key] for point in design.tuning_points(claim, arm, outcomes)]
    statuses = [run.status for run in (*tuning, *runs)]
    losses = [design.mean_loss(claim, arm, settings, each, outcomes) for each in settings] if tuning else []
    return ArmResult(
        name=arm.name,
        settings=best,
        tried=tuple(Tried(each, _rounded(loss)) for each, loss in zip(settings, losses, strict=False)),
        at_edge=tuple(design.at_edge(claim, arm, outcomes)),
        seeds=arm.test_seeds,
        values={name: _column(runs, measure) for name, measure in MEASURES.items()},
        probed={name: _column(runs, _measure(name)) for name in dict.fromkeys([*own, *needed])},
        curve=_mean_curve(runs),
        diverged=statuses.count("diverged"),
        failed=statuses.count("failed"),
    )


def _final_runs(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> list[Outcome]:
    finals = (outcomes.get(point.key) for point in design.final_points(claim, arm, outcomes))
    return [run for run in finals if run is not None]


def _check_whole(name: str, run: Outcome, compared: Iterable[str]) -> None:
    if run.status == "failed":
        raise Unfinished(f"{name}: a final run failed: {(run.error or '').strip().splitlines()[-1]}")
    missing = [measure for measure in compared if _measure(measure)(run) is None]
    if run.status == "complete" and missing:
        raise Unfinished(f"{name}: a final run did not measure {missing[0]!r}, which is compared")


def _column(runs: Sequence[Outcome], measure: Callable[[Outcome], float | None]) -> tuple[float | None, ...]:
    return tuple(_rounded(measure(run)) for run in runs)


def _measure(name: str) -> Callable[[Outcome], float | None]:
    return MEASURES.get(name, lambda run: run.measures.get(name))


def _mean_curve(runs: Sequence[Outcome]) -> tuple[tuple[int, float], ...]:
    """The mean validation loss where all complete runs were evaluated, which is at the same costs."""
    curves = [run.curve for run in runs if run.status == "complete"]
    return tuple(
        (points[0].cost, float(f"{_mean(p.loss for p in points):.5g}")) for points in zip(*curves, strict=False)
    )


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)


def _rounded(value: float | None) -> float | None:
    """A number with so many digits as are written down; ``None`` where it is not finite."""
    if value is None or not abs(value) < float("inf"):
        return None
    return float(f"{value:.{_DIGITS}g}")


def _notes(arm: ArmResult, diverged: int) -> list[str]:
    notes = []
    if arm.at_edge:
        notes.append(f"{arm.name}: the best {' and '.join(arm.at_edge)} is the most extreme that was tried")
    if diverged:
        notes.append(
            f"{arm.name}: {diverged} of {len(arm.seeds)} final runs diverged, so that nothing is compared with it"
        )
    if arm.failed:
        notes.append(f"{arm.name}: {arm.failed} tuning runs failed")
    return notes
