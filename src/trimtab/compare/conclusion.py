"""What follows from a comparison, in a few sentences that say no more than was shown."""

from collections.abc import Sequence

from trimtab.compare.result import ALPHA, CandidateResult, Pair


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
        sentences.append("With one seed no difference can be shown; run more seeds to rank the candidates.")
    else:
        sentences.append(_leaders([result.label for result in ranked if result.rank == 1], len(ranked), pairs))
        if any(result.verdict in ("helps", "hurts") for result in ranked):
            sentences += _against(ranked, reference, objective)
        sentences += _power(pairs)
    sentences += [f"{result.label}: {result.note}." for result in results if result.rank is None]
    return tuple(sentences)


def _leaders(first: list[str], candidates: int, pairs: Sequence[Pair]) -> str:
    if len(first) == candidates and all(pair.p_value >= ALPHA for pair in pairs):
        return f"No difference was shown between any two of {listed(first)}."
    if len(first) > 1:
        return f"{listed(first)} share the first rank: no candidate is shown to be better than any of them."
    beaten = sum(pair.p_value < ALPHA and first[0] in (pair.first, pair.second) for pair in pairs)
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


def _power(pairs: Sequence[Pair]) -> list[str]:
    undecided = [pair for pair in pairs if pair.p_value >= ALPHA]
    if not undecided:
        return []
    largest = max(pair.smallest_detectable for pair in undecided)
    return [
        f"Where no difference was shown, one of {largest:.2g} or more would have been found four times out of five "
        "(before correction for the number of pairs)."
    ]


def listed(words: Sequence[str]) -> str:
    """Returns words as they stand in a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
