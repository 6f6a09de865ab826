"""The comparison in words: what was done, what the numbers mean, what the figures show."""

import re

from trimtab.compare.result import ALPHA, CandidateResult, ComparisonResult
from trimtab.report.numbers import count, significant


def task_facts(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns the few facts that a reader wants first, name and value."""
    task, protocol = result.task, result.protocol
    return [
        ("candidates", f"{len(result.candidates)}"),
        ("settings tried for each", f"{protocol.trials}"),
        ("fresh seeds", f"{protocol.seeds}"),
        ("steps a run", f"{protocol.steps:,} × {task.batch_size:,} samples"),
        ("parameters", f"{task.parameters:,}"),
        ("data", " / ".join(f"{size:,}" for size in task.samples.values())),
        ("metric", f"{task.metric}, {'higher' if task.direction == 'max' else 'lower'} is better"),
        ("reference", result.reference),
    ]


def protocol(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns how the comparison was made: what a paragraph is about, and the paragraph."""
    task, made = result.task, result.protocol
    several = len(result.candidates) > 1
    each = f"Each of {len(result.candidates)} candidates" if several else "The candidate"
    last = made.first_final_seed + made.seeds - 1
    seeds = f"seed {last}" if made.seeds == 1 else f"seeds {made.first_final_seed} to {last}"
    pruned = f" Hopeless tuning runs were given up early ({made.pruning})." if made.pruning else ""
    purposes = {"train": "to train on", "validation": "to choose by", "test": "to test"}
    splits = ", ".join(f"{count(size, 'sample')} {purposes.get(name, name)}" for name, size in task.samples.items())
    name = task.name if task.name == task.reference else f"{task.name} ({task.reference})"
    return [
        ("Task", f"{name}: {splits}; {count(task.parameters, 'trainable parameter')}."),
        (
            "Tuning",
            f"{each} got {count(made.trials, 'quasi-random setting')} spread over its own ranges, every run with "
            f"seed {made.tuning_seed} and a budget of {count(made.budget, 'sample-gradient')}, which is "
            f"{count(made.steps, 'plain step')} of {count(task.batch_size, 'sample')}. A method that computes two "
            f"gradients a step gets half the steps.{pruned}",
        ),
        ("Choice", "The setting with the lowest validation loss at the end of its run was kept."),
        (
            "Final runs",
            f"That setting ran on {count(made.seeds, 'fresh seed')} ({seeds}){', the same for all' if several else ''}"
            ". The test data were touched once, at the end of these runs, and chose nothing.",
        ),
        ("Statistics", _statistics(result)),
        ("Target", f"Cost to target counts sample-gradients until this is seen: {result.target}."),
    ]


def _statistics(result: ComparisonResult) -> str:
    if not result.pairs:
        return "No two candidates could be tested against each other."
    return (
        "Candidates are compared on the differences of their final validation losses, seed by seed, with the paired t "
        f"test: {count(len(result.pairs), 'pair')}, p-values corrected by Holm's method, level {100 * ALPHA:g} %."
    )


def glossary(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns what the columns and marks mean, term and explanation."""
    return [
        (
            "Rank",
            "One plus the number of candidates that are shown to be better. Candidates that cannot be told apart share "
            "a rank. Sharing is not passed on: A and B may be alike, B and C too, and yet A be better than C.",
        ),
        (
            "95 % interval",
            "Where the mean over all possible seeds plausibly lies, given these few. Two candidates' intervals may "
            "overlap although one is better: each seed runs both, and what it does to both cancels in the difference.",
        ),
        (
            "Verdict",
            f"Whether a candidate has a lower validation loss than {result.reference}: helps, hurts, or no difference "
            "shown. The last does not mean that they are equal, only that these seeds do not tell.",
        ),
        (
            "Holm's correction",
            "With many pairs, some look different by luck. The correction asks more of each, so that the chance of any "
            f"false difference in the whole table stays below {100 * ALPHA:g} %. That is why an interval may lie "
            "beside zero and the verdict still be no difference shown: intervals are not corrected.",
        ),
        (
            "Smallest detectable",
            "The true difference that this many seeds would have found four times out of five (before the correction). "
            "If it is larger than what you care about, no difference shown means: run more seeds.",
        ),
        (
            "Cost to target",
            "Median of the sample-gradients used until the target was first seen. A dash means that most runs did not "
            "get there; the small number says how many did.",
        ),
        (
            "lr decades",
            "Width of the range of learning rates whose tuning loss is within 1 % of the best, in powers of ten. Wider "
            "is easier to tune.",
        ),
        (
            "ms a step",
            "Median wall-clock time of a step with its loss and gradient, as the workers ran: they shared the machine.",
        ),
        ("State", "Memory that the optimizer keeps between steps, beside the parameters and their gradients."),
    ]


def captions(result: ComparisonResult) -> dict[str, tuple[str, str]]:
    """Returns for each figure its heading and its caption."""
    seeds = count(result.protocol.seeds, "seed")
    return {
        "ranking": (
            "Where they end",
            f"Validation loss at the end of the final runs: mean over {seeds} with its 95 % interval; each pale dot is "
            "one run. Lower is better.",
        ),
        "differences": (
            f"Improvement on {result.reference}",
            "The same runs, paired by seed, with 95 % intervals. A bar shows the differences that are too small for "
            "these seeds to find.",
        ),
        "curves": (
            "Learning curves",
            f"Final runs: the line is the mean over {seeds}, the band reaches from the lowest to the highest. Click a "
            "name to hide it, twice to see it alone.",
        ),
        "learning-rate": (
            "How much the learning rate matters",
            "Each mark is one tuning trial; other settings vary along. Trials that diverged or failed stand at the top "
            "edge. A wide valley is easy to tune.",
        ),
        "cost": (
            "What quality costs",
            "Final validation loss with its 95 % interval against the price. Lower and further left is better.",
        ),
    }


def descriptions(result: ComparisonResult) -> dict[str, str]:
    """Returns for each figure what it shows, for those who cannot see it."""
    losses = "; ".join(_described(c) for c in result.candidates)
    differences = "; ".join(
        f"{c.label} {significant(c.against_reference.improvement, 3)}, from {significant(c.against_reference.low, 3)} "
        f"to {significant(c.against_reference.high, 3)}, {c.verdict}"
        for c in result.candidates
        if c.against_reference is not None
    )
    return {
        "ranking": f"Dot plot of final validation losses with 95 % intervals, best first: {losses}.",
        "differences": f"Dot plot of improvements on {result.reference}: {differences or 'none could be tested'}.",
        "curves": "Line plot of the validation loss of the final runs against sample-gradients, a line a candidate.",
        "learning-rate": "Scatter plot of the validation loss of all tuning trials against their learning rates. The "
        "table of trials below holds the same numbers.",
        "cost": "Scatter plot of final validation loss against time a step, memory or cost to the target. The ranking "
        "table holds the same numbers.",
    }


def _described(candidate: CandidateResult) -> str:
    loss = candidate.loss
    if loss is None:
        return f"{candidate.label}, no final run finished"
    if loss.low is None or loss.high is None:
        return f"{candidate.label} {significant(loss.mean)}"
    return f"{candidate.label} {significant(loss.mean)}, from {significant(loss.low)} to {significant(loss.high)}"


def trouble(candidate: CandidateResult, trials: int) -> str:
    """Returns how many of a candidate's trials did not end well; empty where all did."""
    if not candidate.trouble:
        return ""
    return ", ".join(f"{number} {status}" for status, number in candidate.trouble.items()) + f" of {trials} trials"


def wrapped(text: str, width: int) -> list[str]:
    """Returns text in lines. Candidates are written as calls, so that a line may also end after a bracket."""
    lines = [""]
    for piece in re.findall(r".+?(?:[(,]\s*|\s+|$)", text, flags=re.DOTALL):
        if len(lines[-1]) + len(piece.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]
