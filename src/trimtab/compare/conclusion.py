"""What follows from a comparison, in a few sentences that say no more than was shown."""

from collections.abc import Collection, Sequence

from trimtab.compare.advice import advise
from trimtab.compare.cautions import alike, few_seeds, named, not_before
from trimtab.compare.result import CandidateResult, Pair
from trimtab.study.facts import Facts
from trimtab.study.phrases import listed, rounded

_SINGLE_PRECISION = 2.0**-21
"""Share of a score by which two differences may differ that are equal but for rounding."""

_MORE_THAN_ROUNDING = 2.0**7
"""So many times as large as rounding are differences that are equal because scores have few digits, and not by luck."""


def conclude(
    results: Sequence[CandidateResult],
    pairs: Sequence[Pair],
    reference: str,
    seeds: int,
    facts: Facts,
    *,
    unpaired: bool = False,
    raced: bool = False,
) -> tuple[str, ...]:
    """Writes the conclusion, which begins with what to do.

    Args:
        results: best first, the candidates that could not be ranked last.
        pairs: those pairs of ranked candidates that were compared.
        reference: label of the candidate that verdicts compare with.
        seeds: of the final runs; of unpaired ones, the most that a ranked candidate has.
        facts: of the problem.
        unpaired: whether runs were not matched by their seeds.
        raced: whether candidates raced, so that many have not run all seeds.
    """
    ranked = [result for result in results if result.rank is not None]
    advice = advise(results, pairs, reference, seeds, facts, unpaired=unpaired)
    sentences = [advice.sentence]
    if not ranked:
        return (advice.sentence,)  # why is said of each candidate in the table
    if len(ranked) > 1 and seeds > 1:
        if len(ranked) > 2 and ranked[0].in_all_pairs:  # of two, everything is said already
            sentences.append(_leaders([result.label for result in ranked if result.rank == 1], len(ranked), pairs))
        sentences += _erratic(ranked, pairs)
        if len(ranked) > 2 and any(result.verdict in ("helps", "hurts") for result in ranked):
            sentences += _against(ranked, reference, facts.objective.name, advice.told)
        sentences += _power(ranked, pairs, reference, "the race" if raced else "")
        if not unpaired:
            sentences += _equal(ranked)
            if not all(pair.shown for pair in pairs):
                sentences += few_seeds(seeds, len(ranked), len(pairs))
    sentences += [f"{result.label}: {result.note}." for result in results if result.rank is None]
    return tuple(sentences)


def _leaders(first: list[str], candidates: int, pairs: Sequence[Pair]) -> str:
    if len(first) == candidates and not any(pair.shown for pair in pairs):
        return f"No difference was shown between any two of {listed(first)}."
    if len(first) > 1:
        return f"{listed(first)} share the first rank: no candidate is shown to be better than any of them."
    beaten = sum(pair.shown and first[0] in (pair.first, pair.second) for pair in pairs)
    if beaten == candidates - 1:
        return f"{first[0]} is better than every other candidate."
    return f"{first[0]} alone has the first rank: each other candidate is worse than some candidate."


def _against(ranked: list[CandidateResult], reference: str, objective: str, told: Collection[str]) -> list[str]:
    """Who is better and who is worse, apart from what has been told in full, and who is neither."""
    sentences = []
    for verdict, words in (("helps", "Better"), ("hurts", "Worse")):
        found = {
            result.label: f"{result.label} by {rounded(abs(result.against_reference.improvement), 3)}"
            for result in ranked
            if result.verdict == verdict and result.against_reference is not None
        }
        if not found.keys() <= set(told):
            sentences.append(f"{words} than {reference} in {objective}: {listed(list(found.values()))}.")
    same = [result.label for result in ranked if result.verdict == "no difference shown"]
    if same:
        sentences.append(f"No difference from {reference} was shown for {listed(same)}.")
    return sentences


def _erratic(ranked: Sequence[CandidateResult], pairs: Sequence[Pair]) -> list[str]:
    """Of whom nothing could be shown for the scatter of its seeds, and against whom, though these are better."""
    ranks = {result.label: result.rank or 0 for result in ranked}
    found: dict[tuple[str, ...], list[str]] = {}
    for result in ranked:
        if result.erratic:
            found.setdefault(tuple(not_before(result.label, ranks, pairs)), []).append(result.label)
    return [
        f"The seeds of {listed(labels)} differ so much that nothing could be shown against {named(others)}, whose "
        f"{'mean is' if len(others) == 1 else 'means are'} better."
        if others
        else f"The seeds of {listed(labels)} differ widely."
        for others, labels in found.items()
    ]


def _power(ranked: Sequence[CandidateResult], pairs: Sequence[Pair], reference: str, by: str) -> list[str]:
    """What would have been found where nothing was: by candidate, or without a reference from the best to the worst."""
    undecided = [pair for pair in pairs if not pair.shown]
    same = [pair for pair in undecided if _identical(pair, ranked)]
    sentences = [f"{listed(labels)} ended exactly alike with every seed." for labels in _alike(same, ranked)]
    against = [result.against_reference for result in ranked]
    steady = [result.against_reference for result in ranked if not result.erratic]  # of the others more is said before
    tested = [pair for pair in steady if pair is not None and not pair.shown and not _identical(pair, ranked)]
    if tested:
        by_candidate = listed([f"{rounded(pair.simultaneous_detectable)} for {pair.first}" for pair in tested])
        return [
            *sentences,
            f"Where no difference from {reference} was shown, {_would_find('one of this size', by)}: {by_candidate}.",
        ]
    sizes = sorted(pair.simultaneous_detectable for pair in undecided if pair not in same)
    if sizes and not any(pair is not None for pair in against):
        least, most = rounded(sizes[0]), rounded(sizes[-1])
        between = least if least == most else f"{least} to {most}, depending on the pair,"
        sentences.append(f"Where no difference was shown, {_would_find(f'one of {between}', by)}.")
    return sentences


def _would_find(what: str, by: str) -> str:
    """Says how often something would have been found, by all seeds unless it is said by what."""
    if by:
        return f"{by} would have found {what.removesuffix(',')} four times out of five"
    return f"{what} would have been found four times out of five"


def _equal(ranked: Sequence[CandidateResult]) -> list[str]:
    """Says where a difference was not shown because it was the same with every seed, and is not none."""
    ends = {result.label: result.final_losses for result in ranked}
    tested = [result.against_reference for result in ranked]
    pairs = [pair for pair in tested if pair is not None and not pair.shown and pair.improvement]
    found: dict[int, list[str]] = {}  # of a race, they may have run unequally many
    for pair in pairs:
        if _is_constant(ends[pair.first], ends[pair.second]):
            found.setdefault(pair.seeds, []).append(pair.first)
    return [
        f"The difference of {listed(labels)} is equal with {_every(seeds)}, which shows no more than {seeds} coins "
        "that fall alike: scores with more digits, or more seeds, say more."
        for seeds, labels in found.items()
    ]


def _every(seeds: int) -> str:
    return "both seeds" if seeds == 2 else f"all {seeds} seeds"


def _is_constant(first: Sequence[float | None], second: Sequence[float | None]) -> bool:
    pairs = [
        (a, b) for a, b in zip(first, second, strict=False) if a is not None and b is not None
    ]  # of a race, first ones
    differences = [a - b for a, b in pairs]
    rounding = max(abs(value) for pair in pairs for value in pair) * _SINGLE_PRECISION
    if max(differences) - min(differences) > rounding:
        return False
    return max(map(abs, differences)) > _MORE_THAN_ROUNDING * rounding  # smaller ones may be what rounding grew to


def _alike(same: Sequence[Pair], ranked: Sequence[CandidateResult]) -> list[list[str]]:
    """Returns the labels of those who ended alike, best first; whoever has run more seeds is compared with first."""
    labels = {label for pair in same for label in (pair.first, pair.second)}
    left = sorted((each for each in ranked if each.label in labels), key=lambda each: -len(each.final_losses))
    groups = []
    while left:
        group = [each for each in left if alike(each.final_losses, left[0].final_losses)]
        left = [each for each in left if each not in group]
        groups.append([each.label for each in ranked if each in group])
    return [group for group in groups if len(group) > 1]


def _identical(pair: Pair, ranked: Sequence[CandidateResult]) -> bool:
    ends = {result.label: result.final_losses for result in ranked}
    return alike(ends[pair.first], ends[pair.second])
