"""Which candidates are told apart, and the ranks that follow."""

import itertools
from collections.abc import Mapping, Sequence

from trimtab.compare.result import Pair
from trimtab.study import statistics
from trimtab.study.statistics import ALPHA


def compared_pairs(losses: Mapping[str, Sequence[float]], span: float | None = None) -> tuple[Pair, ...]:
    """Tests every pair of candidates, seed by seed, corrected for their number.

    Args:
        losses: label to the final losses, at least two, of all candidates in the same order of seeds.
        span: the largest difference that two losses can have, if there is one.
    """
    labels = list(itertools.combinations(losses, 2))
    found = statistics.corrected_differences(
        [(losses[second], losses[first]) for first, second in labels], 1 - ALPHA, span=span
    )
    return tuple(
        Pair(
            first=first,
            second=second,
            improvement=each.alone.mean,
            low=each.alone.low,
            high=each.alone.high,
            simultaneous_low=each.low,
            simultaneous_high=each.high,
            p_value=each.p_value,
            smallest_detectable=each.alone.smallest_detectable,
            simultaneous_detectable=each.smallest_detectable,
            seeds=each.alone.n,
        )
        for (first, second), each in zip(labels, found, strict=True)
    )


def ranks(losses: Mapping[str, Sequence[float]], pairs: Sequence[Pair]) -> dict[str, int]:
    """Ranks by what the pairs show; with a single seed they show nothing, and all share the first rank."""
    if not losses:
        return {}
    labels = list(losses)
    p_values = {frozenset((pair.first, pair.second)): pair.p_value for pair in pairs}
    corrected: list[list[float]] = [
        [p_values.get(frozenset((row, column)), 1.0) for column in labels] for row in labels
    ]
    means = [sum(values) / len(values) for values in losses.values()]
    return dict(zip(labels, statistics.ranks(means, corrected, ALPHA), strict=True))


def between(pairs: Sequence[Pair], label: str, reference: str) -> Pair | None:
    """Returns the pair of a candidate and the reference, turned so that an improvement is the candidate's."""
    for pair in pairs:
        if (pair.first, pair.second) == (label, reference):
            return pair
        if (pair.first, pair.second) == (reference, label):
            return pair.turned()
    return None
