"""What is said of candidates whose runs were compared without regard to their seeds."""

from trimtab.compare.result import ComparisonResult
from trimtab.report.pair_table import freedoms
from trimtab.study.phrases import count

OVERLAP = "the interval of a difference is shorter than the two together"
"""Why two intervals may overlap although one candidate is better."""

PAIRS = (
    "Intervals hold for all pairs at once; p is corrected by Holm's method. Degrees of freedom are those of Welch's "
    "test, or, where that is more, those of the candidate that has fewer with what it has borrowed from all others, as "
    "far as their spreads agree."
)
"""What stands above the table of pairs."""


def runs_each(result: ComparisonResult) -> str:
    """Returns how many runs candidates have: ``3``, or ``3 to 8``."""
    least, most = (pick(c.runs for c in result.candidates) for pick in (min, max))
    return f"{least}" if least == most else f"{least} to {most}"


def matched(result: ComparisonResult) -> str:
    """Returns how many runs there are, and that none belongs to another."""
    return (
        f"{count(len(result.candidates), 'candidate')} ran {runs_each(result)} times each. Seeds have no meaning in "
        "common: no run is matched with another one."
    )


def statistics(result: ComparisonResult, tested: str) -> str:
    """Returns how candidates were compared.

    Args:
        result: the comparison, in which some were.
        tested: which pairs, and how their p-values were corrected.
    """
    test = "by Welch's t test"
    if len({label for pair in result.pairs for label in (pair.first, pair.second)}) > 2:
        test += (
            f" whose spreads all candidates' runs tell of, as far as they agree on them ({freedoms(result.pairs)}; a "
            "candidate that varies far more than the others neither lends nor borrows)"
        )
    return (
        f"Candidates are compared on the means of their final {result.problem.objective.name}, not seed by seed, "
        f"{test}: {tested} By itself, a difference between two candidates neither of which ever varies counts as no "
        "more than one of all ways to deal their scores to the two. Scores are rounded, as accuracies are to whole "
        "samples: the spread that rounding hides is added to each candidate's."
    )
