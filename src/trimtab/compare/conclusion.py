"""What follows from a comparison, in a few sentences that say no more than was shown."""

from collections.abc import Sequence

from trimtab.compare.cautions import few_seeds
from trimtab.compare.result import CandidateResult, Pair


def conclude(
    results: Sequence[CandidateResult],
    pairs: Sequence[Pair],
    reference: str,
    seeds: int,
    objective: str = "validation loss",
) -> tuple[str, ...]:
    """Writes the conclusion.

    Args:
        results: best first, the candidates that could not be ranked last.
        pairs: all pairs of ranked candidates.
        reference: label of the candidate that verdicts compare with.
        seeds: of the final runs.
        objective: name of the number that candidates are compared by.
    """
    ranked = [result for result in results if result.rank is not None]
    sentences = []
    if not ranked:
        return ("Nothing can be ranked yet: no candidate has all its final runs.",)
    if len(ranked) == 1:
        sentences.append(f"{ranked[0].label} is the only candidate that could be ranked: there is nothing to compare.")
    elif seeds < 2:
        sentences += few_seeds(seeds, len(ranked))
    else:
        sentences.append(_leaders([result.label for result in ranked if result.rank == 1], len(ranked), pairs))
        sentences += _erratic(ranked)
        if any(result.verdict in ("helps", "hurts") for result in ranked):
            sentences += _against(ranked, reference, objective)
        sentences += [*_power(ranked, pairs, reference), *few_seeds(seeds, len(ranked))]
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


def _against(ranked: list[CandidateResult], reference: str, objective: str) -> list[str]:
    sentences = []
    for verdict, words in (("helps", "better"), ("hurts", "worse")):
        found = [
            f"{result.label} by {abs(result.against_reference.improvement):.3g}"
            for result in ranked
            if result.verdict == verdict and result.against_reference is not None
        ]
        if found:
            sentences.append(f"{words.capitalize()} than {reference} in {objective}: {listed(found)}.")
    same = [result.label for result in ranked if result.verdict == "no difference shown"]
    if same:
        sentences.append(f"No difference from {reference} was shown for {listed(same)}.")
    return sentences


def _erratic(ranked: Sequence[CandidateResult]) -> list[str]:
    found = [result.label for result in ranked if result.erratic]
    if not found:
        return []
    its, rank = ("its", "rank says") if len(found) == 1 else ("their", "ranks say")
    return [f"The seeds of {listed(found)} differ so much that {its} {rank} only that nothing could be shown."]


def _power(ranked: Sequence[CandidateResult], pairs: Sequence[Pair], reference: str) -> list[str]:
    """What would have been found where nothing was: by candidate, or without a reference from the best to the worst."""
    undecided = [pair for pair in pairs if not pair.shown]
    same = [pair for pair in undecided if _identical(pair, ranked)]
    sentences = [f"{pair.first} and {pair.second} ended exactly alike with every seed." for pair in same]
    against = [result.against_reference for result in ranked]
    tested = [pair for pair in against if pair is not None and not pair.shown and not _identical(pair, ranked)]
    if tested:
        by_candidate = listed([f"{pair.simultaneous_detectable:.2g} for {pair.first}" for pair in tested])
        return [
            *sentences,
            f"Where no difference from {reference} was shown, one of this size would have been found four times out of "
            f"five: {by_candidate}.",
        ]
    sizes = sorted(pair.simultaneous_detectable for pair in undecided if pair not in same)
    if sizes and not any(pair is not None for pair in against):
        least, most = f"{sizes[0]:.2g}", f"{sizes[-1]:.2g}"
        between = least if least == most else f"{least} to {most}, depending on the pair,"
        sentences.append(
            f"Where no difference was shown, one of {between} would have been found four times out of five."
        )
    return sentences


def _identical(pair: Pair, ranked: Sequence[CandidateResult]) -> bool:
    ends = {result.label: result.final_losses for result in ranked}
    return ends[pair.first] == ends[pair.second]


def listed(words: Sequence[str]) -> str:
    """Returns words as they stand in a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
