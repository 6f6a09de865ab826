"""From the outcomes of a comparison to what they show."""

import itertools
import math
import statistics as standard_statistics
from collections import Counter
from collections.abc import Sequence

from trimtab.compare.conclusion import conclude
from trimtab.compare.plan import FIRST_FINAL_SEED, TUNING_SEED, CandidateLike, Plan
from trimtab.compare.result import (
    ALPHA,
    CandidateResult,
    ComparisonResult,
    Interval,
    Pair,
    Phase,
    Protocol,
    TaskFacts,
    TrialResult,
    Verdict,
)
from trimtab.compare.target import Target
from trimtab.lab import statistics
from trimtab.lab.study import Outcomes
from trimtab.lab.trial import Outcome, Point


def analyse(
    plan: Plan, outcomes: Outcomes, task: TaskFacts, *, reference: str, environment: dict[str, str]
) -> ComparisonResult:
    """Ranks the candidates by what is finished so far.

    Two candidates are compared by the paired t test over seeds on the validation loss at the end of the final runs. All
    pairs are tested, and the p-values are corrected by Holm's method. A candidate's rank is one plus the number of
    candidates that are significantly better. A candidate with a final run that did not finish is not ranked: what is
    left of its runs would be a favourable selection.

    Args:
        plan: what was to be run.
        outcomes: key to outcome.
        task: facts to pass on.
        reference: label of the candidate that verdicts compare with.
        environment: facts to pass on.
    """
    finals = {c.label: _final_outcomes(plan, c, outcomes) for c in plan.candidates}
    complete = {label: _losses(runs) for label, runs in finals.items()}
    ranked = {
        label: [loss for loss in losses if loss is not None]
        for label, losses in complete.items()
        if len(losses) == plan.seeds and None not in losses
    }
    pairs = _pairs(ranked) if plan.seeds > 1 else ()
    ranks = _ranks(ranked, pairs)
    target = Target(task, ranked.get(reference), reference)
    results = [
        _candidate_result(
            plan,
            c,
            outcomes,
            finals[c.label],
            task=task,
            rank=ranks.get(c.label),
            pairs=pairs,
            reference=reference,
            target=target,
        )
        for c in plan.candidates
    ]
    results.sort(key=_order)
    return ComparisonResult(
        task=task,
        protocol=Protocol(
            plan.trials,
            plan.seeds,
            plan.budget // task.batch_size if plan.budget and task.batch_size else None,
            plan.budget,
            TUNING_SEED,
            FIRST_FINAL_SEED,
            plan.pruning,
        ),
        environment=environment,
        reference=reference,
        target=target.words,
        conclusion=conclude(results, pairs, reference, plan.seeds, task.objective),
        candidates=tuple(results),
        pairs=pairs,
        trials=_trial_results(plan, outcomes),
    )


def _final_outcomes(plan: Plan, candidate: CandidateLike, outcomes: Outcomes) -> list[Outcome]:
    points = plan.final_points(candidate, outcomes)
    return [outcomes[point.key] for point in points if point.key in outcomes]


def _losses(runs: Sequence[Outcome]) -> list[float | None]:
    return [run.loss for run in runs]


def _pairs(ranked: dict[str, list[float]]) -> tuple[Pair, ...]:
    labels = list(itertools.combinations(ranked, 2))
    differences = [statistics.paired_difference(ranked[second], ranked[first]) for first, second in labels]
    corrected = statistics.holm([difference.p_value for difference in differences])
    return tuple(
        Pair(first, second, d.mean, d.low, d.high, float(p), d.smallest_detectable, d.n)
        for (first, second), d, p in zip(labels, differences, corrected, strict=True)
    )


def _ranks(ranked: dict[str, list[float]], pairs: Sequence[Pair]) -> dict[str, int]:
    """Ranks by what the pairs show; with a single seed they show nothing, and all share the first rank."""
    if not ranked:
        return {}
    labels = list(ranked)
    p_values = {frozenset((pair.first, pair.second)): pair.p_value for pair in pairs}
    corrected: list[list[float]] = [
        [p_values.get(frozenset((row, column)), 1.0) for column in labels] for row in labels
    ]
    means = [sum(losses) / len(losses) for losses in ranked.values()]
    return dict(zip(ranked, statistics.ranks(means, corrected, ALPHA), strict=True))


def _between(pairs: Sequence[Pair], label: str, reference: str) -> Pair | None:
    """The pair of a candidate and the reference, turned so that an improvement is the candidate's."""
    for p in pairs:
        if (p.first, p.second) == (label, reference):
            return p
        if (p.first, p.second) == (reference, label):
            return Pair(label, reference, -p.improvement, -p.high, -p.low, p.p_value, p.smallest_detectable, p.seeds)
    return None


def _verdict(pair: Pair | None) -> Verdict | None:
    if pair is None:
        return None
    if pair.p_value >= ALPHA or pair.improvement == 0:
        return "no difference shown"
    return "helps" if pair.improvement > 0 else "hurts"


def _candidate_result(
    plan: Plan,
    candidate: CandidateLike,
    outcomes: Outcomes,
    runs: list[Outcome],
    *,
    task: TaskFacts,
    rank: int | None,
    pairs: Sequence[Pair],
    reference: str,
    target: Target,
) -> CandidateResult:
    best = plan.best(candidate, outcomes)
    tuned = {} if best is None else best.settings
    tuning = [(point, outcomes[point.key]) for point in plan.tuning_points(candidate) if point.key in outcomes]
    everything = [outcome for _, outcome in tuning] + runs
    costs = target.costs(runs)
    pair = _between(pairs, candidate.label, reference)
    note = _note(plan, candidate, best, tuning, runs)
    if best is not None and not note:
        note = _warning(candidate, best, tuning, runs, task.rate or "")
    return CandidateResult(
        label=candidate.label,
        title=candidate.title,
        kind=candidate.kind,
        summary=candidate.summary,
        settings=candidate.settings(tuned),
        rank=rank,
        note=note,
        verdict=_verdict(pair),
        against_reference=pair,
        loss=_interval([run.loss for run in runs]),
        metric=_interval([run.metric for run in runs]),
        test_loss=_interval([run.test_loss for run in runs]),
        test_metric=_interval([run.test_metric for run in runs]),
        final_losses=tuple(
            outcomes[point.key].loss if point.key in outcomes else None
            for point in plan.final_points(candidate, outcomes)
        ),
        tuned_loss=None if best is None else outcomes[best.key].loss,
        cost_to_target=_median_reached(costs, len(runs)),
        reached_target=len(costs),
        learning_rate_decades=_rate_decades(tuning, task.rate),
        step_seconds=_median([run.step_seconds for run in everything if run.step_seconds is not None]),
        state_bytes=max((outcome.state_bytes for outcome in everything), default=None),
        trouble=dict(Counter(outcome.status for outcome in everything if outcome.status != "complete")),
        code="" if best is None else candidate.code(tuned),
        trial_seconds=_median([outcome.seconds for outcome in everything if outcome.status == "complete"]),
    )


def _note(
    plan: Plan, candidate: CandidateLike, best: Point | None, tuning: list[tuple[Point, Outcome]], runs: list[Outcome]
) -> str:
    """Why a candidate is not ranked; empty if it is."""
    if len(tuning) < len(plan.tuning_points(candidate)):
        return f"not ranked: {len(tuning)} of {len(plan.tuning_points(candidate))} tuning trials are finished"
    if best is None:
        return "not ranked: no tuning trial finished; the table of trials says why"
    broken = [run for run in runs if run.status != "complete"]
    if broken:
        return f"not ranked: {len(broken)} of {plan.seeds} final runs {broken[0].status}"
    if len(runs) < plan.seeds:
        return f"not ranked: {len(runs)} of {plan.seeds} final runs are finished"
    return ""


def _warning(
    candidate: CandidateLike, best: Point, tuning: list[tuple[Point, Outcome]], runs: list[Outcome], rate: str
) -> str:
    """What a reader of a candidate's rank should know."""
    warnings = []
    if rate in candidate.tunables and len(tuning) > 2 and _at_edge(best.settings[rate], tuning, rate):
        warnings.append(f"the best {rate} is the most extreme that was tried: a wider range may do better")
    if len(runs) > 1 and len({run.loss for run in runs}) == 1:
        warnings.append(f"all {len(runs)} seeds ended at exactly the same value: does it depend on the seed?")
    return "; ".join(warnings)


def _at_edge(value: object, tuning: list[tuple[Point, Outcome]], name: str) -> bool:
    # weight decay near its lower end is as good as none: only the learning rate's edge says something
    values = [point.settings[name] for point, _ in tuning]
    numbers = [v for v in values if isinstance(v, float)]
    return len(numbers) == len(values) and value in (min(numbers), max(numbers))


def _interval(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean, low, high = statistics.mean_interval(known)
    return Interval(mean, low if math.isfinite(low) else None, high if math.isfinite(high) else None)


def _median(values: Sequence[float]) -> float | None:
    return standard_statistics.median(values) if values else None


def _median_reached(costs: list[float], runs: int) -> float | None:
    """The median over all runs, those that did not reach the target counting as later than any."""
    padded = sorted(costs) + [math.inf] * (runs - len(costs))
    median = _median(padded)
    return median if median is not None and math.isfinite(median) else None


def _rate_decades(tuning: list[tuple[Point, Outcome]], name: str | None) -> float | None:
    if name is None:
        return None
    tried = [(point.settings[name], outcome.loss) for point, outcome in tuning if name in point.settings]
    rates = [rate for rate, _ in tried if isinstance(rate, float) and rate > 0]
    losses = [math.inf if loss is None else loss for _, loss in tried]
    if len(rates) != len(losses) or not any(math.isfinite(loss) for loss in losses):
        return None
    return statistics.decades_within(rates, losses)


def _trial_results(plan: Plan, outcomes: Outcomes) -> tuple[TrialResult, ...]:
    rows = []
    for candidate in plan.candidates:
        phases: list[tuple[Phase, list[Point]]] = [
            ("tune", plan.tuning_points(candidate)),
            ("final", plan.final_points(candidate, outcomes)),
        ]
        rows += [
            _trial_result(candidate, phase, point, outcomes[point.key])
            for phase, points in phases
            for point in points
            if point.key in outcomes
        ]
    return tuple(rows)


def _trial_result(candidate: CandidateLike, phase: Phase, point: Point, run: Outcome) -> TrialResult:
    return TrialResult(
        key=point.key,
        candidate=candidate.label,
        phase=phase,
        seed=point.seed,
        settings=point.settings,
        status=run.status,
        loss=run.loss,
        metric=run.metric,
        test_loss=run.test_loss,
        test_metric=run.test_metric,
        cost=run.cost,
        steps=run.steps,
        seconds=run.seconds,
        step_seconds=run.step_seconds,
        error=run.error,
        curve=run.curve,
        pace=run.pace,
    )


def _order(result: CandidateResult) -> tuple[bool, int, float]:
    loss = math.inf if result.loss is None else result.loss.mean
    return (result.rank is None, result.rank or 0, loss)
