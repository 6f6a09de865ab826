"""From the outcomes of a candidate, beside those of the others, to what they show of it."""

import statistics as standard_statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.compare.amounts import interval, means, median_reached, prices, rate_decades, winners_curse
from trimtab.compare.bounds import Ranges
from trimtab.compare.cautions import Standing, doubles_in_words, gone_on, late_rise, warning
from trimtab.compare.pairs import between
from trimtab.compare.plan import Plan
from trimtab.compare.result import NOT_YET, CandidateResult, Pair
from trimtab.compare.target import Target
from trimtab.compare.tuning import TUNING_SEED
from trimtab.lab.measures import STEPS
from trimtab.lab.problem import Filling
from trimtab.study.facts import Facts
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.running import Outcomes
from trimtab.study.tunable import Settings, as_code


def final_outcomes(plan: Plan, candidate: Filling, outcomes: Outcomes) -> list[Outcome]:
    """Returns the outcomes of those of a candidate's final runs that have one.

    Args:
        plan: what was to be run.
        candidate: one of its candidates.
        outcomes: key to outcome.
    """
    points = plan.final_points(candidate, outcomes)
    return [outcomes[point.key] for point in points if point.key in outcomes]


@dataclass(frozen=True)
class Judged:
    """What was found of all candidates together.

    Args:
        facts: of the problem.
        ranges: what is possible.
        pairs: comparisons of two.
        ended: label to the final losses, of who is ranked.
        standing: ranks, and whose seeds scatter.
        reference: label of the candidate that verdicts compare with.
        against_reference: whether candidates were compared with it alone.
        needed: final runs without which a candidate has no rank.
    """

    facts: Facts
    ranges: Ranges
    pairs: tuple[Pair, ...]
    ended: Mapping[str, Sequence[float]]
    standing: Standing
    reference: str
    against_reference: bool
    needed: int


def candidate_result(
    plan: Plan,
    candidate: Filling,
    outcomes: Outcomes,
    judged: Judged,
    target: Target,
) -> CandidateResult:
    """Returns what was found of one candidate.

    Args:
        plan: what was to be run.
        candidate: one of its candidates.
        outcomes: key to outcome.
        judged: what was found of all together.
        target: what cost to target refers to.
    """
    runs = final_outcomes(plan, candidate, outcomes)
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
        double = "" if candidate.label == judged.reference else doubles_in_words(candidate.label, judged.ended)
        went_on = [gone_on(each, tuned) for each in standing.extensions(outcomes)]
        rise = "" if facts.true_at_end else late_rise(runs, facts.sign)
        note = "; ".join(filter(None, (odd, order, double, rise, *went_on, odd_alone)))
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
        loss=interval([run.loss for run in runs], ranges.loss),
        metric=interval([run.metric for run in runs], ranges.metric),
        final_losses=final_losses,
        tuned_loss=tuned_loss,
        cost_to_target=median_reached(costs, len(runs)),
        reached_target=len(costs),
        rate_decades=None if chosen is None else rate_decades(first, facts.rate),  # some of the trials say little
        measures=means(facts, runs, ranges),
        prices=prices(facts, everything),
        trouble=dict(Counter(outcome.status for outcome in everything if outcome.status != "complete")),
        code="" if chosen is None else _code(candidate, tuned, _steps(plan, facts, runs), facts),
        erratic=rank is not None and judged.standing.erratic(candidate.label),
        in_all_pairs=not judged.against_reference,
        winners_curse=winners_curse(tuned_loss, final_losses),
        extensions=standing.extensions(outcomes),
    )


def _steps(plan: Plan, facts: Facts, runs: list[Outcome]) -> int | None:
    """The length of a candidate's run: fewer steps than plain ones where each costs several gradients."""
    taken = [run.measures[STEPS] for run in runs if run.status == "complete" and STEPS in run.measures]
    plain = plain_steps(plan, facts)
    return plain if plain is None or not taken else round(standard_statistics.median(taken))


def _code(candidate: Filling, tuned: Settings, steps: int | None, facts: Facts) -> str:
    """The lines that use a candidate, on those that give what it takes from the problem; imports stay at the head."""
    lines = candidate.code(tuned, steps)
    if not facts.lines:
        return lines
    head, _, rest = lines.partition("\n\n")
    given = facts.lines.format_map({name: as_code(value) for name, value in tuned.items()})
    return f"{head}\n\n{given}\n{rest}"


def plain_steps(plan: Plan, facts: Facts) -> int | None:
    """Returns the length of a run in plain steps; ``None`` where it is not known.

    Args:
        plan: what was to be run.
        facts: of the problem.
    """
    return plan.budget // facts.step_cost if plan.budget and facts.step_cost else None


def _note(
    plan: Plan,
    candidate: Filling,
    chosen: Settings | None,
    tuning: list[tuple[Point, Outcome]],
    runs: list[Outcome],
    *,
    outcomes: Outcomes,
    judged: Judged,
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
