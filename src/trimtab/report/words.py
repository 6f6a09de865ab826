"""The comparison in words: what was done, what the numbers mean, what the figures show."""

import re
from collections.abc import Mapping

from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report import words_unpaired
from trimtab.report.numbers import significant
from trimtab.report.objective import better, costs, shown_interval
from trimtab.report.pair_table import SHOWN, borrowing
from trimtab.report.raced import finish, of_whom, rules, seeds_of
from trimtab.report.words_tuning import again, gone_on, numbered, winners_curse
from trimtab.study.facts import Scatter
from trimtab.study.metric import Metric
from trimtab.study.phrases import count, listed
from trimtab.study.statistics import ALPHA


def facts(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns the few facts that a reader wants first, name and value."""
    problem = result.problem
    return [
        ("candidates", f"{len(result.candidates)}"),
        *_counts(result),
        *problem.sizes,
        *([("recipe", problem.recipe)] if problem.recipe else []),
        ("ranked by", _sided(problem.objective)),
        *([] if problem.quoted is None else [("not ranked by", _sided(problem.quoted))]),
        ("reference", result.reference),
    ]


def _counts(result: ComparisonResult) -> list[tuple[str, str]]:
    made = result.protocol
    if made.unpaired:
        return [("runs of a candidate", words_unpaired.runs_each(result))]
    most = "" if result.race is None else " at most"
    if not made.trials:
        return [("seeds", f"{made.seeds}{most}")]
    return [("settings tried for each", f"{made.trials}"), ("fresh seeds, after tuning", f"{made.seeds}{most}")]


def _seeds_or_runs(result: ComparisonResult) -> str:
    """What a mean of final runs is over."""
    return "its runs" if result.protocol.unpaired else seeds_of(result)


def _sided(metric: Metric) -> str:
    return f"{metric.name}, {'higher' if metric.direction == 'max' else 'lower'} is better"


def protocol(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns how the comparison was made: what a paragraph is about, and the paragraph."""
    problem, made = result.problem, result.protocol
    several = len(result.candidates) > 1
    each = f"Each of {len(result.candidates)} candidates" if several else "The candidate"
    seeds = numbered(made.seed_numbers)
    target = [("Target", f"Cost to target counts {costs(result)} until this is seen: {result.target}.{_met(result)}")]
    if problem.origin:
        runs = f"{count(len(result.candidates), 'candidate')} ran with {count(made.seeds, 'seed')} ({seeds})"
        matched = f"{runs}; runs with the same seed are compared with each other."
        if made.unpaired:
            matched = words_unpaired.matched(result)
        return [
            *problem.paragraphs,
            ("Runs", f"{problem.origin} {matched}"),
            ("Statistics", _statistics(result)),
            *(target if problem.costed else []),
        ]
    pruned = f" Hopeless tuning runs were given up early ({made.pruning})." if made.pruning else ""
    if not made.trials:
        alike = ", the same for all" if several and result.race is None else ""
        runs = f"Nothing was tuned: {each[0].lower()}{each[1:]} ran with {seeds_of(result)} ({seeds}{alike})"
        return [
            *problem.paragraphs,
            ("Runs", f"{runs}, each run{problem.length}. {problem.ending}".rstrip()),
            *([] if result.race is None else [("Race", rules(result, result.race))]),
            ("Statistics", _statistics(result)),
            *target,
        ]
    once = f"{'each first' if made.tuning_seeds > 1 else 'every run'} with seed {made.tuning_seed}{problem.length}"
    tuning = (
        f"{each} got {count(made.trials, 'quasi-random setting')} (drawn to cover its own ranges more evenly than "
        f"chance would), {once}.{again(result)}{pruned}{gone_on(result)}"
    )
    final = (
        f"That setting ran on {seeds_of(result).replace('seed', 'fresh seed')} ({seeds}, which tuning has not seen)"
        f"{', the same for all' if several and result.race is None else ''}."
    )
    mean, ends = ("mean ", "runs") if made.tuning_seeds > 1 else ("", "run")
    lowest = f"{better(result)[:-2]}est {mean}{problem.objective.name}"
    kept = f"The setting with the {lowest} at the end of its {ends} was kept."
    kept += " One of which a run did not end lost to any whose runs did." if made.tuning_seeds > 1 else ""
    return [
        *problem.paragraphs,
        ("Tuning", tuning),
        ("Choice", kept),
        ("Final runs", f"{final} {problem.ending}".rstrip()),
        *winners_curse(result),
        *([] if result.race is None else [("Race", rules(result, result.race))]),
        ("Statistics", _statistics(result)),
        *target,
    ]


def _met(result: ComparisonResult) -> str:
    """What a target is worth that is met before anything was spent."""
    met = [c.label for c in result.candidates if c.cost_to_target == 0]
    return f" {listed(met)} met it before anything was spent: a target that is harder to meet says more." if met else ""


def _statistics(result: ComparisonResult) -> str:
    if not result.pairs:
        return "No two candidates could be tested against each other."
    if result.protocol.unpaired:
        return words_unpaired.statistics(result, _tested(result))
    seeds = max(pair.seeds for pair in result.pairs)
    least = 2.0 ** (1 - seeds)
    lent = borrowing(result.pairs)
    test = (
        f"by a t test whose spread all candidates' runs tell of, as far as they agree on it ({lent}): a candidate that "
        "varies far more than the others neither lends nor borrows, and runs that follow each other seed by seed are "
        "told apart more finely"
        if lent
        else "seed by seed, by the paired t test"
    )
    return (
        f"Candidates are compared on the differences in final {result.problem.objective.name}, {test}: "
        f"{_tested(result)} By "
        f"itself, a difference that is the same with every seed counts as no more than {seeds} coins "
        f"that fall alike (p is at least {least:.2g}). Scores are rounded, as accuracies are to whole samples: the "
        "spread that rounding hides is added to that of the differences."
    )


def _tested(result: ComparisonResult) -> str:
    only = f" with {result.reference}, and none with another" if result.protocol.against_reference else ""
    return f"{count(len(result.pairs), 'pair')}{only}, p-values corrected by Holm's method, level {100 * ALPHA:g} %."


def pairs(result: ComparisonResult) -> str:
    """Returns what stands above the table of pairs."""
    left = len(result.pairs) - SHOWN
    more = f" {count(left, 'more pair')} are in results.json." if left > 0 else ""
    if result.protocol.unpaired:
        return f"{words_unpaired.PAIRS}{more}"
    return (
        "Intervals hold for all pairs at once; p is corrected by Holm's method. Degrees of freedom beyond the number "
        "of seeds less one are borrowed from the other candidates, as far as their spreads agree. What shared seeds "
        "are worth: how many times as many seeds it would have taken to know the difference as well if no two runs "
        f"had shared one.{more}"
    )


def glossary(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns what rank, intervals and verdicts mean, term and explanation."""
    overlap = "each seed runs both, and what it does to both cancels in the difference"
    if result.protocol.unpaired:
        overlap = words_unpaired.OVERLAP
    return [
        (
            "Rank",
            "One plus the number of candidates that are shown to be better. Candidates that cannot be told apart share "
            "a rank. Sharing is not passed on: A and B may be alike, B and C too, and yet A be better than C.",
        ),
        (
            "95 % interval",
            "Where the mean over all possible seeds plausibly lies, given these few; it stays within what is possible. "
            f"Two candidates' intervals may overlap although one is better: {overlap}. Intervals of means are each "
            "by itself; those of differences hold for all pairs at once, and reach beyond zero on both sides exactly "
            "where no difference is shown.",
        ),
        (
            "Verdict",
            f"Whether a candidate has a {better(result)} {result.problem.objective.name} than {result.reference}: "
            "helps, hurts, or no difference shown. The last does not mean that they are equal, only that these seeds "
            "do not tell.",
        ),
        (
            "Holm's correction",
            "With many pairs, some look different by luck. The correction asks more of each, so that the chance of any "
            f"false difference in the whole table stays below {100 * ALPHA:g} %.",
        ),
    ]


def columns(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns what stands below the ranking table: the columns that do not explain themselves, and what they are."""
    problem, able = result.problem, _seeds_or_runs(result) if result.race is None else f"a race over {seeds_of(result)}"
    if result.protocol.unpaired:
        able = "so many runs"
    quoted = (
        "" if problem.quoted is None else f" The {problem.quoted.name} decides nothing: the best may stand anywhere."
    )
    erratic = any(candidate.erratic and candidate.rank is not None for candidate in result.candidates)
    doubtful = " A question mark: its seeds differ so much that its rank says little." if erratic else ""
    order = (
        f"First comes who is shown to have a {better(result)} {problem.objective.name}; who cannot be told apart "
        f"shares a rank.{doubtful}"
    )
    if result.protocol.against_reference:
        order = f"There is none: candidates were compared with {result.reference} alone, and not with each other."
    found = [
        ("rank", f"{order}{quoted}"),
        (
            "smallest detectable",
            f"The true difference that {able} would have found four times out of five, among so many pairs. If you "
            f"care about smaller ones, run more seeds.{of_whom(result)}",
        ),
    ]
    if problem.costed:
        dash = "A dash means that most runs did not get there."
        until = f"Median of the {costs(result)} until this was first seen: {result.target}. {dash}"
        found.append(("cost to target", f"{until} {problem.cost.explanation}".rstrip()))
    if problem.rate:
        found.append(
            (
                f"{problem.rate} decades",
                f"How many powers of ten the good values of {_rate(result)} span, those within 1 % of the best in "
                "tuning. Wider is easier to tune.",
            )
        )
    return found + [(m.heading, m.explanation) for m in problem.measures if m.in_ranking]


def _rate(result: ComparisonResult) -> str:
    """The setting whose effect is drawn, as a sentence has it."""
    return result.problem.rate_words or result.problem.rate or "the settings"


def captions(result: ComparisonResult) -> dict[str, tuple[str, str]]:
    """Returns for each figure its heading and its caption."""
    seeds, few, beside = _seeds_or_runs(result), "seeds", "the reference's with its seed"
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
        "traces": (
            "What was set on the way",
            f"{_watched(result)} of each final run in which one changed, over {costs(result)}. What was tried and "
            "taken back was paid for, and is drawn.",
        ),
        "learning-rate": (
            f"How much {_rate(result)} matters",
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


def trials(result: ComparisonResult) -> str:
    """Returns what the phases in the table of trials are."""
    made = result.protocol
    if made.unpaired:
        return "Every run of every candidate."
    if not made.trials:
        return f"Every run of every candidate, on {seeds_of(result)}."
    tried = f"all with seed {made.tuning_seed}"
    if made.tuning_seeds > 1:
        tried += (
            f", the best with {numbered(range(made.tuning_seed + 1, made.tuning_seed + made.tuning_seeds))} as well"
        )
    return (
        f"Phase tune: settings that were tried, {tried}. Phase final: the best of them, on "
        f"{seeds_of(result).replace('seed', 'fresh seed')}; ranks and verdicts are of these runs."
    )


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
        "traces": f"Line plot of {_watched(result).lower()} of the final runs against {costs(result)}.",
        "learning-rate": f"Scatter plot of the {objective} of all tuning trials against {_rate(result)}. The "
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


def trouble(candidate: CandidateResult, trials: int) -> str:
    """Returns how many of a candidate's trials did not end well; empty where all did."""
    if not candidate.trouble:
        return ""
    return ", ".join(f"{number} {status}" for status, number in candidate.trouble.items()) + f" of {trials} trials"


def wrapped(text: str, width: int) -> list[str]:
    """Returns text in lines. Candidates are written as calls, so that a line may also end after a bracket.

    Where nothing else will do, it ends within a path or a name, after what joins the parts of it.
    """
    lines = [""]
    for piece in re.findall(r".+?(?:[(,]\s*|\s+|$)", text, flags=re.DOTALL):
        whole = len(piece.rstrip()) <= width
        for part in [piece] if whole else re.findall(r".+?(?:[_:/+]|$)", piece, flags=re.DOTALL):
            if len(lines[-1]) + len(part.rstrip()) > width and lines[-1]:
                lines.append("")
            lines[-1] += part
            while len(lines[-1].rstrip()) > width:
                lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]
