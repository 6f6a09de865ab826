"""The comparison in words: what was done, what the numbers mean, what the figures show."""

import re

from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report.numbers import count, significant
from trimtab.report.objective import better, costs, shown_interval
from trimtab.study.phrases import listed
from trimtab.study.statistics import ALPHA


def task_facts(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns the few facts that a reader wants first, name and value."""
    task, protocol = result.task, result.protocol
    if task.kind == "command":
        own = [("time-out", "none" if task.timeout is None else f"{task.timeout:g} s a run")]
    else:
        own = [
            ("steps a run", f"{protocol.steps:,} × {task.batch_size:,} samples"),
            ("parameters", f"{task.parameters:,}"),
            (
                f"samples to {' / '.join(map(_purpose, task.samples))}",
                " / ".join(f"{size:,}" for size in task.samples.values()),
            ),
        ]
    return [
        ("candidates", f"{len(result.candidates)}"),
        ("settings tried for each", f"{protocol.trials}"),
        ("fresh seeds, after tuning", f"{protocol.seeds}"),
        *own,
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
    tuning = (
        f"{each} got {count(made.trials, 'quasi-random setting')} (drawn to cover its own ranges more evenly than "
        f"chance would), every run with seed {made.tuning_seed}"
    )
    final = (
        f"That setting ran on {count(made.seeds, 'fresh seed')} ({seeds}, which tuning has not seen)"
        f"{', the same for all' if several else ''}."
    )
    is_task = task.kind == "task"
    return [
        *(_task_paragraphs(result, tuning, pruned) if is_task else _command_paragraphs(result, tuning, pruned)),
        (
            "Choice",
            f"The setting with the {better(result)[:-2]}est {task.objective} at the end of its run was kept.",
        ),
        ("Final runs", f"{final} {_TESTED}" if is_task else final),
        ("Statistics", _statistics(result)),
        ("Target", f"Cost to target counts {costs(result)} until this is seen: {result.target}.{_met(result)}"),
    ]


def _met(result: ComparisonResult) -> str:
    """What a target is worth that is met before there was any training."""
    met = [c.label for c in result.candidates if c.cost_to_target == 0]
    return f" {listed(met)} met it before any training: a target that is harder to meet says more." if met else ""


_TESTED = "The test data were touched once, at the end of these runs, and chose nothing."


def _task_paragraphs(result: ComparisonResult, tuning: str, pruned: str) -> list[tuple[str, str]]:
    task, made = result.task, result.protocol
    splits = ", ".join(f"{count(size, 'sample')} to {_purpose(name)}" for name, size in task.samples.items())
    name = task.name if task.name == task.reference else f"{task.name} ({task.reference})"
    budget = (
        f" and a budget of {count(made.budget or 0, 'sample-gradient')}, which is "
        f"{count(made.steps or 0, 'plain step')} of {count(task.batch_size or 0, 'sample')}. "
        f"{SAMPLE_GRADIENT}. A method that computes two gradients a step gets half the steps.{pruned}"
    )
    parameters = count(task.parameters or 0, "trainable parameter")
    return [("Task", f"{name}: {splits}; {parameters}."), ("Tuning", tuning + budget)]


def _purpose(split: str) -> str:
    """What the samples of a split are there to do."""
    return {"train": "train on", "validation": "choose by"}.get(split, split)


def _command_paragraphs(result: ComparisonResult, tuning: str, pruned: str) -> list[tuple[str, str]]:
    task = result.task
    limit = "" if task.timeout is None else f" A run that took more than {task.timeout:g} seconds has failed."
    how_long = ". How long a run is, and what it may cost, is the command's own affair."
    return [
        ("Command", task.reference),
        ("Metric", f"{task.metric}, {better(result)} is better: {task.metric_source}."),
        ("Tuning", f"{tuning}{how_long}{limit}{pruned}"),
    ]


def _statistics(result: ComparisonResult) -> str:
    if not result.pairs:
        return "No two candidates could be tested against each other."
    return (
        f"Candidates are compared on the differences of their final {_plural(result)}, seed by seed, with the paired "
        f"t test: {count(len(result.pairs), 'pair')}, p-values corrected by Holm's method, level {100 * ALPHA:g} %. "
        "Differences that are all equal count as no more than equal signs, and the rounding of scores is allowed for."
    )


def _plural(result: ComparisonResult) -> str:
    return "validation losses" if result.task.kind == "task" else f"values of {result.task.metric}"


def glossary(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns what rank, intervals and verdicts mean, term and explanation."""
    return [
        (
            "Rank",
            "One plus the number of candidates that are shown to be better. Candidates that cannot be told apart share "
            "a rank. Sharing is not passed on: A and B may be alike, B and C too, and yet A be better than C.",
        ),
        (
            "95 % interval",
            "Where the mean over all possible seeds plausibly lies, given these few; it stays within what is possible. "
            "Two candidates' intervals may overlap although one is better: each seed runs both, and what it does to "
            "both cancels in the difference. Intervals of means are each by itself; those of differences hold for all "
            "pairs at once, and reach beyond zero on both sides exactly where no difference is shown.",
        ),
        (
            "Verdict",
            f"Whether a candidate has a {better(result)} {result.task.objective} than {result.reference}: helps, "
            "hurts, or no difference shown. The last does not mean that they are equal, only that these seeds do not "
            "tell.",
        ),
        (
            "Holm's correction",
            "With many pairs, some look different by luck. The correction asks more of each, so that the chance of any "
            f"false difference in the whole table stays below {100 * ALPHA:g} %.",
        ),
    ]


SAMPLE_GRADIENT = "A sample-gradient is the gradient of one sample's loss"


def columns(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns what stands below the ranking table: the columns that do not explain themselves, and what they are."""
    task, seeds = result.task, count(result.protocol.seeds, "seed")
    alone = f" The {task.metric} decides nothing: the best may stand anywhere." if task.kind == "task" else ""
    unit = f" {SAMPLE_GRADIENT}: a step on {task.batch_size} costs {task.batch_size}." if task.batch_size else ""
    found = [
        (
            "rank",
            f"First comes who is shown to have a {better(result)} {task.objective}; who cannot be told apart shares a "
            f"rank.{alone}",
        ),
        (
            "smallest detectable",
            f"The true difference that {seeds} would have found four times out of five, among so many pairs. If you "
            "care about smaller ones, run more seeds.",
        ),
        (
            "cost to target",
            f"Median of the {costs(result)} until this was first seen: {result.target}. A dash means that most runs "
            f"did not get there.{unit}",
        ),
    ]
    if task.rate:
        rates = "learning rates" if task.kind == "task" else f"values of {task.rate}"
        found.append(
            (
                f"{task.rate} decades",
                f"How many powers of ten the good {rates} span, those within 1 % of the best in tuning. Wider is "
                "easier to tune.",
            )
        )
    if task.kind == "command":
        return [*found, ("seconds a run", "Median of the runs that came to their end; they shared the machine.")]
    return [
        *found,
        ("ms a step", "Median time of a step with its loss and gradient, as the workers ran: they shared the machine."),
        ("state", "Memory that the optimizer keeps between steps, beside the parameters and their gradients."),
    ]


def captions(result: ComparisonResult) -> dict[str, tuple[str, str]]:
    """Returns for each figure its heading and its caption."""
    seeds = count(result.protocol.seeds, "seed")
    task, side = result.task, better(result)
    objective = f"{task.objective[0].upper()}{task.objective[1:]}" if task.kind == "task" else task.objective
    edge = "top" if side == "lower" else "bottom"
    matters = "How much the learning rate matters" if task.kind == "task" else f"How much {task.rate} matters"
    unit = f" {SAMPLE_GRADIENT}." if task.kind == "task" else ""
    return {
        "ranking": (
            "Where they end",
            f"{objective} at the end of the final runs: mean over {seeds} with its 95 % interval; each pale dot is "
            f"one run. {side.capitalize()} is better.",
        ),
        "differences": (
            f"Improvement on {result.reference}",
            "The same runs, paired by seed, with 95 % intervals that hold for all pairs at once, as the verdicts do. A "
            "bar shows the differences that are too small for these seeds to find.",
        ),
        "curves": (
            "Learning curves",
            f"Final runs: the line is the mean over {seeds}, the band reaches from the lowest to the highest.{unit} "
            "Click a name to hide it, twice to see it alone.",
        ),
        "pace": (
            "What was set on the way",
            f"Learning rate and batch size of each final run in which one changed, over {costs(result)}. What a "
            "controller tried and took back was paid for, and is drawn.",
        ),
        "learning-rate": (
            matters if task.rate else "How much settings matter",
            "Each mark is one tuning trial; other settings vary along. Trials that diverged or failed stand at the "
            f"{edge} edge. A wide {'valley' if side == 'lower' else 'summit'} is easy to tune.",
        ),
        "cost": (
            "What quality costs",
            f"Final {task.objective} with its 95 % interval against the price. {side.capitalize()} and further left is "
            "better.",
        ),
    }


def trials(result: ComparisonResult) -> str:
    """Returns what the phases in the table of trials are."""
    made = result.protocol
    return (
        f"Phase tune: settings that were tried, all with seed {made.tuning_seed}. Phase final: the best of them, on "
        f"{count(made.seeds, 'fresh seed')}; ranks and verdicts are of these runs."
    )


def descriptions(result: ComparisonResult) -> dict[str, str]:
    """Returns for each figure what it shows, for those who cannot see it."""
    losses = "; ".join(_described(result, c) for c in result.candidates)
    task, finals = result.task, _plural(result)
    matters = f"the {task.objective} of all tuning trials against their {_rates(result)}"
    prices = "time a step, memory or cost to the target" if task.kind == "task" else "time a run or cost to the target"
    differences = "; ".join(
        f"{c.label} {significant(c.against_reference.improvement, 3)}, from "
        f"{significant(c.against_reference.simultaneous_low, 3)} to "
        f"{significant(c.against_reference.simultaneous_high, 3)}, {c.verdict}"
        for c in result.candidates
        if c.against_reference is not None
    )
    return {
        "ranking": f"Dot plot of final {finals} with 95 % intervals, best first: {losses}.",
        "differences": f"Dot plot of improvements on {result.reference}: {differences or 'none could be tested'}.",
        "curves": f"Line plot of the {task.objective} of the final runs against {costs(result)}, a line a candidate.",
        "pace": f"Line plot of learning rate or batch size of the final runs against {costs(result)}.",
        "learning-rate": f"Scatter plot of {matters}. The table of trials below holds the same numbers.",
        "cost": f"Scatter plot of final {task.objective} against {prices}. The ranking table holds the same numbers.",
    }


def _rates(result: ComparisonResult) -> str:
    return "learning rates" if result.task.kind == "task" else f"values of {result.task.rate or 'the settings'}"


def _described(result: ComparisonResult, candidate: CandidateResult) -> str:
    loss = shown_interval(result, candidate)
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
