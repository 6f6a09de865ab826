"""What to do after a comparison, in one sentence that is no stronger than what was shown.

Advice is against or for the reference, which is what a reader would use without the comparison. It rests on verdicts
alone, which are corrected for the number of pairs: where nothing was shown to be better, the reference is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.compare.cautions import FEW_SEEDS, alike
from trimtab.compare.result import CandidateResult, Pair
from trimtab.study.facts import Facts
from trimtab.study.phrases import NAMED, distinct, either, listed, rounded


@dataclass(frozen=True)
class Advice:
    """What to do.

    Args:
        sentence: in words.
        told: labels of the candidates whose difference from the reference it tells.
    """

    sentence: str
    told: frozenset[str] = frozenset()


def advise(
    results: Sequence[CandidateResult],
    pairs: Sequence[Pair],
    reference: str,
    seeds: int,
    facts: Facts,
    *,
    unpaired: bool = False,
) -> Advice:
    """Says what to do.

    Args:
        results: best first, the candidates that could not be ranked last.
        pairs: all pairs of ranked candidates.
        reference: label of the candidate that verdicts compare with.
        seeds: of the final runs; of unpaired ones, the most that a ranked candidate has.
        facts: of the problem.
        unpaired: whether runs were not matched by their seeds: two are enough then.
    """
    ranked = [result for result in results if result.rank is not None]
    enough = "two runs" if unpaired else "all its final runs"
    waiting = any(result.waiting for result in results)
    obstacle = _obstacle([result.label for result in ranked], len(results), reference, seeds, enough, waiting=waiting)
    if obstacle:
        return Advice(obstacle)
    kept = next((result for result in ranked if result.label == reference), None)
    if kept is None:
        return Advice(_among_others(ranked, pairs, reference))
    helping = [result for result in ranked if result.verdict == "helps"]
    if helping:
        return _use(helping, reference, facts)
    return _keep(kept, [result for result in ranked if result is not kept], len(results) - 1, seeds)


def _obstacle(ranked: Sequence[str], candidates: int, reference: str, seeds: int, enough: str, *, waiting: bool) -> str:
    """Why nothing can be compared, and what to do about it; empty if something can."""
    advice = "No advice yet" if waiting else "No advice"
    if not ranked:
        return f"{advice}: no candidate has {enough}."
    if candidates == 1:
        return f"No advice: {ranked[0]} is the only candidate; add others to compare it with."
    if len(ranked) == 1:
        if ranked[0] == reference:
            return f"Keep {reference} for now: no other candidate has {enough}."
        return f"{advice}: of all candidates only {ranked[0]} has {enough}."
    return "Run more seeds before you choose: with one, no difference can be shown." if seeds == 1 else ""


def _among_others(ranked: Sequence[CandidateResult], pairs: Sequence[Pair], reference: str) -> str:
    """The reference is not ranked, so that there are no verdicts, only ranks."""
    if not any(pair.shown for pair in pairs):
        return f"No advice: {reference} is not ranked, and no difference was shown between the others."
    first = [result for result in ranked if result.rank == 1]
    steady = [result for result in first if not result.erratic]
    if not steady:
        label = first[0].label
        return f"Look at the runs of {label} before you use it: its seeds differ widely, and {reference} is not ranked."
    best = [result.label for result in steady]
    if sum(pair.shown for pair in pairs if best[0] in (pair.first, pair.second)) == len(ranked) - 1:
        return f"Use {best[0]}: it is better than every other that is ranked, and {reference} is not."
    return f"Use {either(best)}: no other was shown to be better, but {reference} is not ranked."


def _use(helping: Sequence[CandidateResult], reference: str, facts: Facts) -> Advice:
    """Some are better: of those whose seeds do not differ widely the best, with what shares its rank."""
    change, what = "lower" if facts.sign > 0 else "raise", facts.objective.name
    steady = [result for result in helping if not result.erratic]
    if not steady:
        label = helping[0].label
        return Advice(
            f"Look at the runs of {label} before you use it: it {change}s {what} by {rounded(_size(helping[0]))}, but "
            "its seeds differ widely.",
            frozenset({label}),
        )
    best = [result for result in steady if result.rank == steady[0].rank]
    use = f"Use {either([result.label for result in best])} instead of {reference}"
    if len(best) == 1:
        return Advice(f"{use}: it {change}s {what} by {_with_interval(best[0])}.", frozenset({best[0].label}))
    sizes = [rounded(_size(result)) for result in best]
    if len(best) <= NAMED:
        return Advice(f"{use}: they {change} {what} by {listed(sizes)}.", frozenset(result.label for result in best))
    ordered = sorted(sizes, key=float)
    return Advice(f"{use}: they {change} {what} by {ordered[0]} to {ordered[-1]}.")


def _keep(kept: CandidateResult, others: Sequence[CandidateResult], candidates: int, seeds: int) -> Advice:
    """Nothing was shown to be better.

    Args:
        kept: the reference.
        others: that are ranked.
        candidates: how many there are beside the reference, ranked or not.
        seeds: of the final runs.
    """
    if kept.erratic:
        return Advice(
            f"Look at the runs of {kept.label} before you keep it: its seeds differ so much that little can be shown "
            "against it."
        )
    hurting = [result for result in others if result.verdict == "hurts"]
    if not hurting:
        return Advice(_keep_for_want_of_better(kept, others, seeds))
    labels = [result.label for result in hurting]
    if len(labels) < NAMED:
        by = listed([rounded(_size(result)) for result in hurting])
        worse = f"{listed(labels)} {'is' if len(labels) == 1 else 'are'} worse by {by}"
    elif len(hurting) == candidates:
        worse = f"all {candidates} others are worse"
    else:
        worse = f"{len(hurting)} of {candidates} others are worse"
    told = frozenset(labels) if len(labels) < NAMED else frozenset()
    nothing = "" if len(hurting) == candidates else "nothing was shown to be better, and "
    return Advice(f"Keep {kept.label}: {nothing}{worse}.", told)


def _keep_for_want_of_better(kept: CandidateResult, others: Sequence[CandidateResult], seeds: int) -> str:
    """No difference was shown: what would have been found says what that is worth."""
    different = [result for result in others if not alike(result.final_losses, kept.final_losses)]
    if not different:
        return f"Check that what is compared reaches the runs: all ended exactly like {kept.label} with every seed."
    if seeds <= FEW_SEEDS:
        return f"Run more seeds: with two, no difference from {kept.label} was shown, and hardly any could be."
    wide = [result.label for result in different if result.erratic]
    who = wide[0] if len(wide) == 1 else f"{len(wide)} candidates"
    steady = [r.against_reference for r in different if r.against_reference is not None and not r.erratic]
    if not steady:
        return (
            f"Keep {kept.label}: no difference was shown, but the seeds of {who} differ too widely for one to be found."
        )
    sizes = sorted(pair.simultaneous_detectable for pair in steady)
    least, most = rounded(sizes[0]), rounded(sizes[-1])
    found = least if least == most else f"{least} to {most}, by candidate,"
    but = f"; of {who} none could be, for {'its' if len(wide) == 1 else 'their'} seeds differ widely" if wide else ""
    return f"Keep {kept.label}: no difference was shown, and one of {found} would probably have been found{but}."


def _size(result: CandidateResult) -> float:
    """By how much a candidate differs from the reference."""
    return 0.0 if result.against_reference is None else abs(result.against_reference.improvement)


def _with_interval(result: CandidateResult) -> str:
    pair = result.against_reference
    if pair is None:
        return ""
    size, low, high = distinct(pair.improvement, max(0.0, pair.simultaneous_low), pair.simultaneous_high)
    return f"{size} ({f'up to {high}' if low == '0' else f'{low} to {high}'})"
