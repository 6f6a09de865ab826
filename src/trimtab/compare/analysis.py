"""From the outcomes of a comparison to what they show."""

import functools
import math
import statistics as standard_statistics
from collections.abc import Mapping, Sequence

from trimtab.compare.amounts import ENOUGH_SEEDS
from trimtab.compare.bounds import Ranges
from trimtab.compare.candidate_analysis import Judged, candidate_result, final_outcomes, plain_steps
from trimtab.compare.cautions import Standing
from trimtab.compare.conclusion import conclude
from trimtab.compare.durations import NAMED, at_durations, in_words
from trimtab.compare.pairs import compared_pairs, groups, raced_pairs, raced_ranks, ranks
from trimtab.compare.plan import Plan
from trimtab.compare.race import Race
from trimtab.compare.result import (
    CandidateResult,
    ComparisonResult,
    Pair,
    Protocol,
    RaceResult,
    TrialResult,
)
from trimtab.compare.target import Target
from trimtab.compare.tuning import TUNING_SEED
from trimtab.lab.problem import Filling
from trimtab.study.facts import Facts
from trimtab.study.outcome import Outcome
from trimtab.study.point import Phase, Point
from trimtab.study.running import Outcomes


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
    ended = {c.label: [run.loss for run in final_outcomes(plan, c, outcomes)] for c in plan.candidates}
    race = None if plan.race is None else plan.raced(outcomes)
    ranked = {
        label: [loss for loss in losses if loss is not None]
        for label, losses in ended.items()
        if None not in losses and (len(losses) >= needed if race is None else race.ended(label))
    }
    ran = _what_ran(plan, outcomes)
    ranges = Ranges.of(facts, (outcomes[point.key] for _, _, point in ran))  # a store may hold other problems' as well
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
    standing = Standing(_comparable(ranked, race), placed, pairs, facts.sign)
    judged = Judged(facts, ranges, pairs, ranked, standing, reference, against_reference, needed)
    target = Target(facts, ranked.get(reference), reference)
    results = [candidate_result(plan, c, outcomes, judged, target) for c in plan.candidates]
    results.sort(key=_order if race is None else functools.partial(_raced_order, ranked.get(reference)))
    trials = tuple(_trial_result(candidate, phase, point, outcomes[point.key]) for candidate, phase, point in ran)
    named = [each.label for each in results if each.rank is not None]
    timed = in_words(at_durations(trials, facts, list(NAMED.values()), named)) if facts.overhead else ""
    return ComparisonResult(
        problem=facts,
        protocol=Protocol(
            plan.trials,
            plan.seeds,
            plain_steps(plan, facts),
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
        conclusion=(
            *([timed] if timed else []),
            *conclude(
                results,
                pairs,
                reference,
                max(map(len, ranked.values()), default=1) if unpaired else plan.seeds,
                facts,
                unpaired=unpaired,
                raced=race is not None,
            ),
        ),
        candidates=tuple(results),
        pairs=pairs,
        trials=trials,
        race=None if race is None else RaceResult(race.looks, race.departures, race.over),
    )


def _what_ran(plan: Plan, outcomes: Outcomes) -> list[tuple[Filling, Phase, Point]]:
    """Returns the plan's own runs that have ended."""
    rows = list[tuple[Filling, Phase, Point]]()
    for candidate in plan.candidates:
        phases: list[tuple[Phase, list[Point]]] = [
            ("tune", plan.tuning_points(candidate, outcomes)),
            ("final", plan.final_points(candidate, outcomes)),
        ]
        rows += [(candidate, phase, point) for phase, points in phases for point in points if point.key in outcomes]
    return rows


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
    return ranked if race is None else {label: own for label, own in ranked.items() if len(own) >= ENOUGH_SEEDS}


def _order(result: CandidateResult) -> tuple[bool, int, float]:
    loss = math.inf if result.loss is None else result.loss.mean
    return (result.rank is None, result.rank or 0, loss)
