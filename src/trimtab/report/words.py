"""The comparison in words: what was done, and what the numbers mean."""

from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report import words_unpaired
from trimtab.report.objective import better, costs
from trimtab.report.pair_table import SHOWN, borrowing
from trimtab.report.raced import of_whom, rules, seeds_of
from trimtab.report.words_tuning import again, gone_on, numbered, winners_curse
from trimtab.study.again import FEWEST, runs_again
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
    tuning = [trial for trial in result.trials if trial.phase == "tune"]
    alone = len({trial.candidate for trial in tuning} - {trial.candidate for trial in tuning if trial.settings})
    none = f", one for {alone} with nothing to tune" if alone else ""
    return [("settings tried for each", f"{made.trials}{none}"), ("fresh seeds, after tuning", f"{made.seeds}{most}")]


def seeds_or_runs(result: ComparisonResult) -> str:
    """Returns what a mean of final runs is over."""
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
    problem, able = result.problem, seeds_or_runs(result) if result.race is None else f"a race over {seeds_of(result)}"
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
        dash = "A dash means that half of the runs or more did not get there."
        until = f"Median of the {costs(result)} until this was first seen: {result.target}. {dash}"
        found.append(("cost to target", f"{until} {problem.cost.explanation}".rstrip()))
    if problem.rate:
        found.append(
            (
                f"{problem.rate} decades",
                f"How many powers of ten the good values of {rate(result)} span, those within 1 % of the best in "
                f"tuning. Wider is easier to tune. Fewer than {FEWEST} settings do not tell.",
            )
        )
    return found + [(m.heading, m.explanation) for m in result.measures if m.in_ranking]


def rate(result: ComparisonResult) -> str:
    """Returns the setting whose effect is drawn, as a sentence has it."""
    return result.problem.rate_words or result.problem.rate or "the settings"


def trials(result: ComparisonResult) -> str:
    """Returns what the phases in the table of trials are."""
    made = result.protocol
    if made.unpaired:
        return "Every run of every candidate."
    if not made.trials:
        return f"Every run of every candidate, on {seeds_of(result)}."
    tried = f"all with seed {made.tuning_seed}"
    if runs_again(made.trials, made.tuning_seeds):
        tried += (
            f", the best with {numbered(range(made.tuning_seed + 1, made.tuning_seed + made.tuning_seeds))} as well"
        )
    return (
        f"Phase tune: settings that were tried, {tried}. Phase final: the best of them, on "
        f"{seeds_of(result).replace('seed', 'fresh seed')}; ranks and verdicts are of these runs."
    )


def trouble(candidate: CandidateResult, trials: int) -> str:
    """Returns how many of a candidate's trials did not end well; empty where all did."""
    if not candidate.trouble:
        return ""
    return ", ".join(f"{number} {status}" for status, number in candidate.trouble.items()) + f" of {trials} trials"
