"""What the terminal shows: the plan, the ranking, and where the report is. Everything fits 80 columns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.compare.budget import Numbers
from trimtab.compare.cautions import few_seeds
from trimtab.compare.comparison import Comparison
from trimtab.compare.over_problems.result import AnyResult
from trimtab.compare.over_problems.schedules import by_schedule
from trimtab.compare.part import Part
from trimtab.compare.plan import Plan
from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report import ReportPaths, numbers, raced
from trimtab.report.failures import failures, first_errors
from trimtab.report.progress import ProgressBars
from trimtab.report.tables import cut, ranking_table, ranks_table, scores_table
from trimtab.study.again import AGAIN, runs_again
from trimtab.study.facts import Facts
from trimtab.study.phrases import count

__all__ = [
    "ProgressBars",
    "print_dry_run",
    "print_few_seeds",
    "print_introductions",
    "print_numbers",
    "print_summary",
]

_SHOWN_CODE = 3
_SHOWN_REASONS = 3
_ERROR_WIDTH = 160


def print_summary(console: Console, result: AnyResult, paths: ReportPaths) -> None:
    """Prints the ranking, what follows from it, the lines that use the best candidates, and where the report is.

    Before them, what the store holds that the ranking leaves out.

    Of several problems, their rankings, scores over all of them, and where the reports are.
    """
    console.print()
    if result.beside is not None:
        remedy = result.beside.remedy
        more = f" {remedy[0].upper()}{remedy[1:]} to have all of it." if remedy else ""
        words = f"Kept, and not shown here: {result.beside.words}.{more}"
        console.print(Text(words, style="yellow"))
        console.print()
    if isinstance(result, ComparisonResult):
        _print_problem(console, result)
        _print_paths(console, {"report": paths.page, "all data": paths.json, "trials": paths.csv})
        _print_failures(console, result.trials)
        return
    for name, found in result.problems.items():
        console.print(Text(name, style="bold"))
        console.print(ranking_table(found))
        _print_recipe(console, found.problem)
        if found.race is not None:
            console.print(Text(raced.summary(found, found.race)))
        _print_first_errors(console, found)
        console.print()
    if by_schedule(result.problems):
        console.print(ranks_table(result))
        console.print()
    if result.scored:
        console.print(scores_table(result))
        console.print()
    for sentence in result.conclusion:
        console.print(Text(sentence))
    _print_paths(console, {"report": paths.page, "all data": paths.json})
    _print_paths(console, {name: each.page for name, each in paths.problems.items()})
    _print_failures(console, [trial for found in result.problems.values() for trial in found.trials])


def _print_problem(console: Console, result: ComparisonResult) -> None:
    console.print(ranking_table(result))
    _print_recipe(console, result.problem)
    for c in result.candidates:
        if c.note and c.rank is not None:  # why others have no rank is part of the conclusion
            console.print(Text(f"{c.label}: {c.note}", style="yellow"))
    console.print()
    if result.race is not None:
        for sentence in (raced.summary(result, result.race), *raced.departures(result, result.race)):
            console.print(Text(sentence))
        console.print()
    for sentence in result.conclusion:
        console.print(Text(sentence))
    _print_first_errors(console, result)
    _print_code(console, result)


def _print_recipe(console: Console, facts: Facts) -> None:
    recipe = dict(facts.paragraphs).get("Recipe")
    if recipe:
        console.print(Text(recipe, style="dim"))


def _print_paths(console: Console, paths: Mapping[str, Path | None]) -> None:
    console.print()
    width = max(9, *(len(name) + 1 for name in paths))
    for name, path in paths.items():
        if path is not None:
            line = Text(f"{name:<{width}}").append(str(path), style=f"link {path.resolve().as_uri()}")
            console.print(line, soft_wrap=True)


def _print_failures(console: Console, trials: Sequence[TrialResult]) -> None:
    """Prints why, where no trial came to its end; the most frequent reason, often the only one, comes last."""
    found = failures(trials)
    if not found:
        return
    for failure in reversed(found[:_SHOWN_REASONS]):
        who = "Every trial" if len(found) == 1 else f"{failure.count:,} of {len(trials):,} trials"
        example = f"This is how {failure.first.candidate} ended with seed {failure.first.seed}:"
        console.print(Text(f"\n{who} {failure.status}. {example}", style="bold"))
        console.print(Text(failure.words), soft_wrap=True)
        if failure.remedy:
            console.print(Text(failure.remedy))


def _print_first_errors(console: Console, result: ComparisonResult) -> None:
    """Prints why trials of a candidate failed: how the first of them ended, in a line."""
    if failures(result.trials):  # all of them, and why is printed at the end
        return
    for label, error in first_errors(result.trials).items():
        console.print(Text(f"{label}: its first error was {cut(error, _ERROR_WIDTH)}", style="yellow"))


def _print_code(console: Console, result: ComparisonResult) -> None:
    best = sorted((c for c in result.candidates if c.rank == 1 and c.code), key=lambda c: c.erratic)
    for c in best[:_SHOWN_CODE]:
        doubtful = ": its seeds differ so much that this says little" if c.erratic else ""
        console.print(Text(f"\n# {c.label}, {c.standing}{doubtful}", style="bold"))
        # in one piece, so that it can be pasted
        console.print(Text(c.code), soft_wrap=True)
    if len(best) > _SHOWN_CODE:
        more = len(best) - _SHOWN_CODE
        one = more == 1
        if best[0].in_all_pairs:
            share = "shares the first rank" if one else "share the first rank"
        else:
            share = "is no worse" if one else "are no worse"
        console.print(Text(f"\n{more} more {share}; the report has {'its' if one else 'their'} lines.", "dim"))


def _print_candidates(console: Console, plan: Plan) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("candidate", overflow="fold", min_width=10)
    table.add_column("runs", justify="right")
    table.add_column("tuned", overflow="fold")
    for candidate in plan.candidates:
        ranges = "\n".join(f"{name}: {tunable}" for name, tunable in plan.tunables(candidate).items())
        runs = plan.tuning(candidate).usual + plan.seeds
        table.add_row(Text(candidate.label), str(runs), Text(ranges or "nothing"))
    console.print(table)


def print_dry_run(console: Console, comparison: Comparison) -> None:
    """Prints what a comparison would run, and for how long as far as that can be told."""
    size = comparison.estimate()
    plans = [
        part.plan if part.chosen or size is None else replace(part.plan, trials=size.trials, seeds=size.seeds)
        for part in comparison.parts.values()
    ]
    _print_candidates(console, plans[0])
    lines = comparison.previews()
    if lines:
        console.print("\nThe first of each:", highlight=False)
    for line in lines:
        console.print(Text(line), soft_wrap=True)
    console.print()
    for plan, part in zip(plans, comparison.parts.values(), strict=True):
        length = "" if plan.budget is None else f" of {count(plan.budget, part.facts.cost.one)}"
        seeds = (
            f"final runs on {count(plan.seeds, 'fresh seed')}" if plan.trials else count(plan.seeds, "seed") + " each"
        )
        most = "" if plan.race is None else "at most "
        runs = plan.total_trials if plan.race is None else plan.most_trials
        console.print(
            f"{plan.problem}: {most}{count(runs, 'run')}{length}, {_settings(plan)}{seeds}; "
            f"{_at_most(part, plan, comparison.options.workers)}",
            markup=False,
            highlight=False,
        )
        _print_recipe(console, part.facts)
    console.print(f"{_expected(comparison, size)} Nothing was run.", markup=False, highlight=False)


def _settings(plan: Plan) -> str:
    """How settings are tried, where that is done."""
    if not plan.trials:
        return ""
    if not runs_again(plan.trials, plan.tuning_seeds):
        return f"{count(plan.trials, 'setting')} once, "
    best = f"the best {AGAIN}" if plan.trials > AGAIN else "all"
    further = count(plan.tuning_seeds - 1, "further seed")
    return f"{count(plan.trials, 'setting')} once, {best} with {further}, "


def _at_most(part: Part, plan: Plan, workers: int) -> str:
    """How many run at once, and how long all may take if each takes as long as it may."""
    timeout = part.problem.timeout
    if timeout is None:
        return f"{workers} at a time"
    return f"{workers} at a time, at most {numbers.duration(timeout * plan.total_trials / workers)}"


def _expected(comparison: Comparison, size: Numbers | None) -> str:
    """What is known of how long all of it takes."""
    if size is not None:
        about = "At most about" if comparison.options.race else "About"
        return f"{about} {numbers.duration(size.seconds)} with {count(comparison.options.workers, 'worker')}."
    if comparison.budget is not None and not comparison.chosen:
        return (
            f"These are the fewest. How many fit into {numbers.duration(comparison.budget.seconds)} is chosen when "
            "each candidate has run once."
        )
    return "How long that takes is known once each candidate has run."


def print_few_seeds(console: Console, comparison: Comparison) -> None:
    """Prints what so few seeds can show, before they are run; nothing where there are enough, or not known yet."""
    if not comparison.chosen:
        return
    plans = [part.plan for part in comparison.parts.values()]
    candidates, alone = len(plans[0].candidates), comparison.options.against_reference
    pairs = candidates - 1 if alone else math.comb(candidates, 2)
    found = (sentence for plan in plans for sentence in few_seeds(plan.seeds, candidates, pairs))
    for sentence in dict.fromkeys(found):
        console.print(Text(sentence, style="yellow"))


def print_introductions(console: Console, comparison: Comparison, *, details: bool = False) -> None:
    """Prints what problems have to say of themselves before they are run.

    Args:
        console: where to.
        comparison: of the problems.
        details: whether all of it, and not just a line of each.
    """
    problems = (part.problem for part in comparison.parts.values())
    for lines in dict.fromkeys(
        (each.introduction, *(each.introduction_details if details else ())) for each in problems
    ):
        for words in filter(None, lines):
            console.print(Text(words), soft_wrap=True)


def print_numbers(console: Console, size: Numbers, *, racing: bool = False) -> None:
    """Prints which numbers of trials and seeds were chosen to fit a budget; of a race, the most that will be run."""
    most, trials = "at most " if racing else "", f"{count(size.trials, 'trial')} and " if size.trials else ""
    console.print(
        f"planned: {most}{trials}{count(size.seeds, 'seed')} of each candidate, "
        f"{most}about {numbers.duration(size.seconds)} from now",
        markup=False,
        highlight=False,
    )
