"""What the figures of a comparison show, in words: their headings, their captions, and what stands for them."""

from collections.abc import Mapping

from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report.numbers import significant
from trimtab.report.objective import better, costs, shown_interval
from trimtab.report.raced import finish
from trimtab.report.words import rate, seeds_or_runs
from trimtab.study.facts import Scatter
from trimtab.study.phrases import listed


def captions(result: ComparisonResult) -> dict[str, tuple[str, str]]:
    """Returns for each figure its heading and its caption."""
    seeds, few, beside = seeds_or_runs(result), "seeds", "the reference's with its seed"
    if result.protocol.unpaired:
        few, beside = "runs", "the mean of the reference's"
    finders = f"these {few}" if result.race is None else "the whole race"
    objective, side = result.problem.objective.name, better(result)
    edge = "top" if side == "lower" else "bottom"
    unit = f" {result.problem.cost.explanation}" if result.problem.cost.explanation else ""
    return {
        "ranking": (
            "Where they end",
            f"The {objective} at the end of the final runs: mean over {seeds} with its 95 % interval; each pale dot is "
            f"one run. {side.capitalize()} is better.",
        ),
        "differences": (
            f"Improvement on {result.reference}",
            f"The same runs, each beside {beside}, with 95 % intervals that hold for all pairs at once, as the "
            f"verdicts do. A bar shows the differences that {finders} would often miss.",
        ),
        "race": (
            "Who ran how far",
            "Final runs of each candidate. A mark stands where it left or where it ended, and says what was shown by "
            "then.",
        ),
        "curves": (
            "Learning curves",
            f"Final runs: the line is the mean over {seeds}, the band reaches from the lowest to the highest.{unit} "
            "Click a name to hide it, twice to see it alone.",
        ),
        "durations": (
            "Who wins when an evaluation takes so long",
            f"Mean {objective} of the same runs, each stopped when the quickest candidate has used up its evaluations: "
            "where an evaluation takes long, what a candidate takes itself does not count, and where it is short, "
            f"little else does. {side.capitalize()} is better.",
        ),
        "traces": (
            "What was set on the way",
            f"{_watched(result)} of each final run in which one changed, over {costs(result)}. What was tried and "
            "taken back was paid for, and is drawn.",
        ),
        "learning-rate": (
            f"How much {rate(result)} matters",
            "Each mark is one tuning trial; other settings vary along. Trials that diverged or failed stand at the "
            f"{edge} edge.{_hollow(result)} A wide {'valley' if side == 'lower' else 'summit'} is easy to tune.",
        ),
        "cost": (
            "What quality costs",
            f"Final {objective} with its 95 % interval against the price. {side.capitalize()} and further left is "
            "better.",
        ),
    }


def _hollow(result: ComparisonResult) -> str:
    """What is to be said of trials that were pruned, if there are any."""
    if all(trial.status != "pruned" for trial in result.trials):
        return ""
    return " Pruned ones are hollow and stand where they stood then, which is not where they would have ended."


def descriptions(result: ComparisonResult) -> dict[str, str]:
    """Returns for each figure what it shows, for those who cannot see it."""
    losses = "; ".join(_described(result, c) for c in result.candidates)
    objective = result.problem.objective.name
    ends = [f"{c.label} {finish(result, c)}" for c in result.candidates]
    prices = listed([*(m.price for m in result.problem.measures if m.price), "cost to the target"], "or")
    differences = "; ".join(
        f"{c.label} {significant(c.against_reference.improvement, 3)}, from "
        f"{significant(c.against_reference.simultaneous_low, 3)} to "
        f"{significant(c.against_reference.simultaneous_high, 3)}, {c.verdict}"
        for c in result.candidates
        if c.against_reference is not None
    )
    return {
        "ranking": f"Dot plot of the final {objective} with 95 % intervals, best first: {losses}.",
        "differences": f"Dot plot of improvements on {result.reference}: {differences or 'none could be tested'}.",
        "race": f"A line for each candidate, as long as it ran: {'; '.join(ends)}.",
        "curves": f"Line plot of the {objective} of the final runs against {costs(result)}, a line a candidate.",
        "durations": f"Line plot of the {objective} in equal time against how long an evaluation takes, by candidate.",
        "traces": f"Line plot of {_watched(result).lower()} of the final runs against {costs(result)}.",
        "learning-rate": f"Scatter plot of the {objective} of all tuning trials against {rate(result)}. The "
        "table of trials below holds the same numbers.",
        "cost": f"Scatter plot of final {objective} against {prices}. The ranking table holds the same numbers.",
    }


def scatter_captions(scatters: Mapping[str, Scatter]) -> dict[str, tuple[str, str]]:
    """Returns heading and caption of figures of a problem's own."""
    return {name: (each.heading, each.caption) for name, each in scatters.items()}


def scatter_descriptions(scatters: Mapping[str, Scatter]) -> dict[str, str]:
    """Returns for each of them what it shows, for those who cannot see it."""
    return {
        name: f"Scatter plot of {each.y.heading} against {each.x.heading}, a dot a final run. The table of trials "
        "below holds the same numbers."
        for name, each in scatters.items()
    }


def _watched(result: ComparisonResult) -> str:
    words = listed([each.name for each in result.problem.watched] or ["what is watched"])
    return f"{words[0].upper()}{words[1:]}"


def _described(result: ComparisonResult, candidate: CandidateResult) -> str:
    loss = shown_interval(result, candidate)
    if loss is None:
        return f"{candidate.label}, no final run finished"
    if loss.low is None or loss.high is None:
        return f"{candidate.label} {significant(loss.mean)}"
    return f"{candidate.label} {significant(loss.mean)}, from {significant(loss.low)} to {significant(loss.high)}"
