"""The table of pairs: what was tested against what, and on how much evidence."""

from collections.abc import Sequence

from trimtab.compare.result import ComparisonResult, Pair
from trimtab.report.numbers import MISSING, significant

SHOWN = 300
"""More pairs than that are not drawn: who reads them reads them with a program."""


def pair_rows(result: ComparisonResult) -> list[list[str]]:
    """Returns the cells of each pair: the better first, in the order of the ranking."""
    places = {candidate.label: place for place, candidate in enumerate(result.candidates)}
    turned = [pair.turned() if pair.improvement < 0 else pair for pair in result.pairs]
    turned.sort(key=lambda pair: (places[pair.first], places[pair.second]))
    return [_cells(result, pair) for pair in turned[:SHOWN]]


def _cells(result: ComparisonResult, pair: Pair) -> list[str]:
    shared = [] if result.protocol.unpaired else [worth(pair)]
    raced_for = result.race is None or result.reference in (pair.first, pair.second)
    return [
        pair.first,
        pair.second,
        significant(pair.improvement, 3),
        f"{_number(pair.simultaneous_low)} to {_number(pair.simultaneous_high)}",
        significant(pair.p_value, 2),
        significant(pair.simultaneous_detectable, 3) if raced_for else MISSING,
        significant(pair.freedom, 3),
        *shared,
    ]


def _number(value: float) -> str:
    text = significant(value, 3)
    return f"−{text[1:]}" if text.startswith("-") else text


def worth(pair: Pair) -> str:
    """Returns what it is worth that the two shared their seeds: as many times as many that nobody shares."""
    return f"{significant(pair.pairing, 2)} ×"


def borrowing(pairs: Sequence[Pair]) -> str:
    """Says how much the pairs' tests rest on the other candidates' runs, in degrees of freedom; empty if on none."""
    own = [pair.seeds - 1 for pair in pairs]
    if all(pair.freedom <= alone for pair, alone in zip(pairs, own, strict=True)):
        return ""
    least, most = min(own), max(own)
    return f"{freedoms(pairs)} instead of {least if least == most else f'{least} to {most}'}"


def freedoms(pairs: Sequence[Pair]) -> str:
    """Returns how many degrees of freedom the pairs' tests have, in words."""
    least, most = (significant(pick(pair.freedom for pair in pairs), 3) for pick in (min, max))
    return f"{least if least == most else f'{least} to {most}'} degrees of freedom"
