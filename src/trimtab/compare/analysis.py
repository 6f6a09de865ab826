"""From the outcomes of a comparison to what they show."""

import functools
import math
import statistics as standard_statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.compare.bounds import Ranges, on_one_side
from trimtab.compare.cautions import Standing, gone_on, late_rise, warning
from trimtab.compare.conclusion import conclude
from trimtab.compare.pairs import between, compared_pairs, groups, raced_pairs, raced_ranks, ranks
from trimtab.compare.plan import Plan
from trimtab.compare.race import Race
from trimtab.compare.result import (
    NOT_YET,
    CandidateResult,
    ComparisonResult,
    Interval,
    Pair,
    Protocol,
    RaceResult,
    TrialResult,
)
from trimtab.compare.target import Target
from trimtab.compare.tuning import TUNING_SEED
from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.lab.problem import Filling
from trimtab.study import statistics
from trimtab.study.facts import SECONDS, TRIAL_TIME, Facts
from trimtab.study.outcome import Outcome
from trimtab.study.point import Phase, Point
from trimtab.study.running import Outcomes
from trimtab.study.tunable import Settings, as_code


def analyse(
    plan: Plan,
    outcomes: Outcomes,
    facts: Facts,
    *,
    reference: str,
    environment: dict[str, str],
    against_reference: bool = False,
    unpaired: bool = False,
) -> ComparisonResult:
    """Ranks the candidates by what is finished so far.

    Two candidates are compared by a t test on the loss at the end of the final runs, whose spread all candidates' runs
    tell of (:func:`trimtab.study.statistics.moderated.moderated_estimates`). All pairs are tested, or those with the
    reference, and the p-values are corrected by Holm's method. A candidate's rank is one plus the number of
    candidates that are significantly better. A candidate with a final run that did not finish is not ranked: what is
    left of its runs would be a favourable selection.

    Args:
        plan: what was to be run.
        outcomes: key to outcome.
        facts: of the problem.
        reference: label of the candidate that verdicts compare with.
        environment: facts to pass on.
        against_reference: whether candidates are compared with the reference alone, so that there are no ranks.
        unpaired: whether seeds have no meaning in common: runs are not matched then, and a candidate with two runs is
            ranked, whatever the others have.
    """
    needed = 2 if unpaired else plan.seeds
    ended = {c.label: [run.loss for run in _final_outcomes(plan, c, outcomes)] for c in plan.candidates}
    race = None if plan.race is None else plan.raced(outcomes)
    ranked = {
        label: [loss for loss in losses if loss is not None]
        for label, losses in ended.items()
        if None not in losses and (len(losses) >= needed if race is None else race.ended(label))
    }
    ranges = Ranges.of(facts, outcomes.values())
    pairs: tuple[Pair, ...] = ()
    alone = reference if against_reference else None
    if race is not None:
        pairs = raced_pairs(race, ranked, reference=alone, span=ranges.span)
    elif plan.seeds > 1:
        pairs = compared_pairs(ranked, reference=alone, span=ranges.span, unpaired=unpaired)
    if against_reference:
        placed = groups(list(ranked), pairs, reference)
    else:
        placed = ranks(ranked, pairs) if race is None else raced_ranks(list(ranked), pairs)
    standing = Standing(_comparable(ranked, race), placed, facts.sign)
    judged = _Judged(facts, ranges, pairs, standing, reference, against_reference, needed)
    target = Target(facts, ranked.get(reference), reference)
    results = [_candidate_result(plan, c, outcomes, judged, target) for c in plan.candidates]
    results.sort(key=_order if race is None else functools.partial(_raced_order, ranked.get(reference)))
    return ComparisonResult(
        problem=facts,
        protocol=Protocol(
            plan.trials,
            plan.seeds,
            _steps(plan, facts),
            plan.budget,
            TUNING_SEED,
            plan.seed_numbers[0],
            plan.pruning,
            against_reference,
            plan.final_seeds,
            unpaired=unpaired,
            tuning_seeds=plan.tuning_seeds,
        ),
        environment=environment,
        reference=reference,
        target=target.words,
        conclusion=conclude(
            results,
            pairs,
            reference,
            max(map(len, ranked.values()), default=1) if unpaired else plan.seeds,
            facts,
            unpaired=unpaired,
            raced=race is not None,
        ),
        candidates=tuple(results),
        pairs=pairs,
        trials=_trial_results(plan, outcomes),
        race=None if race is None else RaceResult(race.looks, race.departures, race.over),
    )


def _final_outcomes(plan: Plan, candidate: Filling, outcomes: Outcomes) -> list[Outcome]:
    points = plan.final_points(candidate, outcomes)
    return [outcomes[point.key] for point in points if point.key in outcomes]


@dataclass(frozen=True)
class _Judged:
    """What was found of all candidates together."""

    facts: Facts
    ranges: Ranges
    pairs: tuple[Pair, ...]
    standing: Standing
    reference: str
    against_reference: bool
    needed: int


def _candidate_result(
    plan: Plan,
    candidate: Filling,
    outcomes: Outcomes,
    judged: _Judged,
    target: Target,
) -> CandidateResult:
    runs = _final_outcomes(plan, candidate, outcomes)
    best = plan.best(candidate, outcomes)
    chosen = plan.chosen(candidate, outcomes)
    tuned = {} if chosen is None else chosen
    standing = plan.tuned(candidate, outcomes)
    tuning = [(point, outcomes[point.key]) for point in standing.points if point.key in outcomes]
    first = [(point, outcome) for point, outcome in tuning if point.seed == TUNING_SEED]
    tuned_loss = standing.mean(outcomes) if standing.over else None
    final_losses = tuple(
        outcomes[point.key].loss if point.key in outcomes else None for point in plan.final_points(candidate, outcomes)
    )
    everything = [outcome for _, outcome in tuning] + runs
    costs = target.costs(runs)
    pair = between(judged.pairs, candidate.label, judged.reference)
    facts, ranges = judged.facts, judged.ranges
    note = _note(plan, candidate, chosen, tuning, runs, outcomes=outcomes, judged=judged)
    rank = judged.standing.ranks.get(candidate.label)
    if chosen is not None and not note:
        odd = judged.standing.scatter_in_words(candidate.label) if rank is not None else ""
        odd_alone = warning(plan.tunables(candidate), best, first, runs, facts.rate or "")
        order = judged.standing.order_in_words(candidate.label)
        double = judged.standing.doubles_in_words(candidate.label) if candidate.label != judged.reference else ""
        went_on = [gone_on(each, tuned) for each in standing.extensions(outcomes)]
        note = "; ".join(filter(None, (odd, order, double, late_rise(runs, facts.sign), *went_on, odd_alone)))
    return CandidateResult(
        label=candidate.label,
        title=candidate.title,
        kind=candidate.kind,
        summary=candidate.summary,
        settings=candidate.settings(tuned),
        rank=rank,
        note=note,
        verdict=None if pair is None else pair.verdict,
        against_reference=pair,
        loss=_interval([run.loss for run in runs], ranges.loss),
        metric=_interval([run.metric for run in runs], ranges.metric),
        final_losses=final_losses,
        tuned_loss=tuned_loss,
        cost_to_target=_median_reached(costs, len(runs)),
        reached_target=len(costs),
        rate_decades=None if chosen is None else _rate_decades(first, facts.rate),  # some of the trials say little
        measures=_means(facts, runs, ranges),
        prices=_prices(facts, everything),
        trouble=dict(Counter(outcome.status for outcome in everything if outcome.status != "complete")),
        code="" if chosen is None else _code(candidate, tuned, plan, facts),
        erratic=rank is not None and judged.standing.erratic(candidate.label),
        in_all_pairs=not judged.against_reference,
        winners_curse=winners_curse(tuned_loss, final_losses),
        extensions=standing.extensions(outcomes),
    )


def winners_curse(tuned: float | None, final: Sequence[float | None]) -> float | None:
    """Returns how much better a setting looked in tuning than it is, in standard deviations of fresh seeds.

    Args:
        tuned: its mean loss in tuning.
        final: its losses on fresh seeds.

    Returns:
        ``None`` where one is missing, there are fewer than two fresh seeds, or they are all equal.
    """
    known = [loss for loss in final if loss is not None]
    if tuned is None or len(known) < max(2, len(final)):
        return None
    spread = standard_statistics.stdev(known)
    return (standard_statistics.fmean(known) - tuned) / spread if spread else None


def _code(candidate: Filling, tuned: Settings, plan: Plan, facts: Facts) -> str:
    """The lines that use a candidate, on those that give what it takes from the problem; imports stay at the head."""
    lines = candidate.code(tuned, _steps(plan, facts))
    if not facts.lines:
        return lines
    head, _, rest = lines.partition("\n\n")
    given = facts.lines.format_map({name: as_code(value) for name, value in tuned.items()})
    return f"{head}\n\n{given}\n{rest}"


def _steps(plan: Plan, facts: Facts) -> int | None:
    """The length of a run in plain steps, where it is known."""
    return plan.budget // facts.step_cost if plan.budget and facts.step_cost else None


def _means(facts: Facts, runs: Sequence[Outcome], ranges: Ranges) -> dict[str, Interval]:
    """Means of measures over the final runs."""
    found = {}
    for name in (measure.name for measure in facts.measures if measure.over == "mean"):
        values = [run.measures.get(name) for run in runs]
        known = [value for value in values if value is not None]
        bounds = {TEST_LOSS: ranges.loss, TEST_METRIC: ranges.metric}.get(name) or on_one_side(known)
        if (interval := _interval(values, bounds)) is not None:
            found[name] = interval
    return found


def _prices(facts: Facts, everything: Sequence[Outcome]) -> dict[str, float]:
    """Medians or largest values of measures over all trials."""
    found = {}
    timed = {} if facts.origin else {SECONDS: TRIAL_TIME}  # of runs that others made, nobody knows
    for measure in {**timed, **{each.name: each for each in facts.measures}}.values():
        values = [value for run in everything if (value := _measured(run, measure.name)) is not None]
        if values and measure.over != "mean":
            found[measure.name] = max(values) if measure.over == "largest" else standard_statistics.median(values)
    return found


def _measured(run: Outcome, name: str) -> float | None:
    if name == SECONDS:
        return run.seconds if run.status == "complete" else None
    return run.measures.get(name)


def _note(
    plan: Plan,
    candidate: Filling,
    chosen: Settings | None,
    tuning: list[tuple[Point, Outcome]],
    runs: list[Outcome],
    *,
    outcomes: Outcomes,
    judged: _Judged,
) -> str:
    """Why a candidate is not ranked; empty if it is."""
    standing = plan.tuned(candidate, outcomes)
    if not standing.over:
        known = max(len(standing.points), plan.tuning(candidate).usual)
        return f"{NOT_YET}{len(tuning)} of {known} tuning trials are finished"
    if chosen is None:
        return "not ranked: no tuning trial finished; the table of trials says why"
    broken = [run for run in runs if run.status != "complete"]
    if broken:
        return (
            f"not ranked: {len(broken)} of {len(plan.final_points(candidate, outcomes))} final runs {broken[0].status}"
        )
    if plan.race is not None:
        ended = plan.raced(outcomes).ended(candidate.label)
        return "" if ended else f"{NOT_YET}{len(runs)} of at most {plan.seeds} final runs are finished"
    if len(runs) >= judged.needed:
        return ""
    there = f"{len(runs)} of {'at least ' if judged.needed < plan.seeds else ''}{judged.needed}"
    return f"not ranked: {there} runs are there" if judged.facts.origin else f"{NOT_YET}{there} final runs are finished"


def _interval(values: Sequence[float | None], bounds: statistics.Bounds) -> Interval | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean, low, high = statistics.mean_interval(known, bounds=bounds)
    # without any spread it would be everything that is possible, which is not worth a line
    return Interval(mean, None, None) if (low, high) == _ends(bounds) else Interval(mean, low, high)


def _ends(bounds: statistics.Bounds) -> tuple[float, float]:
    low, high = bounds
    return (-math.inf if low is None else low), (math.inf if high is None else high)


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
            ("tune", plan.tuning_points(candidate, outcomes)),
            ("final", plan.final_points(candidate, outcomes)),
        ]
        rows += [
            _trial_result(candidate, phase, point, outcomes[point.key])
            for phase, points in phases
            for point in points
            if point.key in outcomes
        ]
    return tuple(rows)


def _trial_result(candidate: Filling, phase: Phase, point: Point, run: Outcome) -> TrialResult:
    return TrialResult(
        key=point.key,
        candidate=candidate.label,
        phase=phase,
        seed=point.seed,
        settings=point.settings,
        status=run.status,
        loss=run.loss,
        metric=run.metric,
        cost=run.cost,
        seconds=run.seconds,
        error=run.error,
        curve=run.curve,
        measures=run.measures,
        traces=run.traces,
    )


def _raced_order(reference: Sequence[float] | None, result: CandidateResult) -> tuple[bool, int, float]:
    """Orders candidates of a race, whose means are over different seeds, by what they differ from the reference."""
    pair = result.against_reference
    if pair is None or not reference:
        return _order(result)
    return result.rank is None, result.rank or 0, standard_statistics.fmean(reference) - pair.improvement


def _comparable(ranked: Mapping[str, Sequence[float]], race: Race | None) -> Mapping[str, Sequence[float]]:
    """The losses whose scatter can be judged: two or three seeds of a race lie close together by chance."""
    return ranked if race is None else {label: own for label, own in ranked.items() if len(own) >= _ENOUGH_SEEDS}


_ENOUGH_SEEDS = 5


def _order(result: CandidateResult) -> tuple[bool, int, float]:
    loss = math.inf if result.loss is None else result.loss.mean
    return (result.rank is None, result.rank or 0, loss)
