"""Every sampler of the catalogue on fourteen black boxes: docs/which-sampler.md.

Each problem is a comparison as by ``trimtab compare``: forty evaluations, the first points and the noise the same for
all, fresh seeds. All of it is an hour or two of two cores; stopped, it goes on where it was, and what is finished is
written to the file at once.

    python benchmarks/sampler_field.py [NAME ...] [--out runs/sampler-field] [--json docs/sampler_field.json]

Samplers' own times are those of workers that share the machine, one thread each: nothing else should run.
"""

import argparse
import json
import statistics
from pathlib import Path

from field import short, written
from rich.console import Console

from trimtab.catalog.entries import entries
from trimtab.compare.comparison import Comparison
from trimtab.compare.durations import NAMED, at_durations
from trimtab.report import write_all
from trimtab.report.console import ProgressBars, print_summary
from trimtab.study.environment import environment

EVALUATIONS = 40
SEEDS = 5
PROBLEMS = {
    "functions without noise": ("branin", "hartmann6"),
    "functions with noise": ("branin(noise=10)", "hartmann6(noise=0.3)"),
    "designs with constraints": (
        "three_truss",
        "compression_spring",
        "pressure_vessel",
        "welded_beam",
        "speed_reducer",
    ),
    "models in cross-validation": ("svc-digits", "forest-breast-cancer", "boosting-diabetes", "mlp-digits"),
    "tables": ("hpobench(segment)",),
}
"""Kinds of problems. The noise is about a fifth of Branin's standard deviation over its box, and most of Hartmann's."""


def everybody():
    """Returns every sampler of the catalogue."""
    return [each.id for each in entries().values() if each.slot == "sampler"]


def compared(problem, directory):
    """Runs a comparison, or what is missing of it."""
    comparison = Comparison(
        problem, everybody(), directory, seeds=SEEDS, steps=EVALUATIONS, reference="tpe", against_reference=True
    )
    console = Console()
    with ProgressBars(console, lambda: comparison.seeds, sign=1, workers=comparison.options.at_once) as bars:
        result = comparison.run(bars)
    print_summary(console, result, write_all(result, directory))
    return result


def facts(name, result):
    """Returns what a comparison found."""
    labels = [each.label for each in result.candidates if each.rank is not None]
    found = dict(zip(NAMED, at_durations(result.trials, result.problem, list(NAMED.values()), labels), strict=True))
    return {
        "problem": result.problem.name,
        "kind": next(kind for kind, names in PROBLEMS.items() if name in names),
        "metric": result.problem.objective.name,
        "direction": result.problem.objective.direction,
        "quoted": result.problem.quoted and result.problem.quoted.name,
        "evaluations": EVALUATIONS,
        "candidates": [row(each) for each in result.candidates],
        "first": {name: each.leaders() for name, each in found.items()},
        "ends": {
            name: {label: statistics.fmean(losses) for label, losses in each.losses.items()}
            for name, each in found.items()
        },
    }


def row(candidate):
    """Returns what is kept of a candidate."""
    return {
        "label": candidate.label,
        "losses": candidate.final_losses,
        "quoted": candidate.metric and candidate.metric.mean,
        "measures": {name: each and each.mean for name, each in candidate.measures.items()},
        "prices": candidate.prices,
        "evaluations_to_target": candidate.cost_to_target,
        "reached_target": candidate.reached_target,
        "trouble": candidate.trouble,
        "note": candidate.note,
    }


def main():
    """Runs the problems in turn, and writes down each when it is done."""
    names = [name for group in PROBLEMS.values() for name in group]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--out", type=Path, default=Path("runs/sampler-field"))
    parser.add_argument("--json", type=Path, default=Path("docs/sampler_field.json"))
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in names]:
        parser.error(f"{unknown[0]!r} is none of {', '.join(names)}")
    for name in options.names or names:
        found = short(facts(name, compared(name, options.out / name)))
        there = json.loads(options.json.read_text(encoding="utf-8"))["tasks"] if options.json.is_file() else {}
        tasks = {**there, name: {"environment": environment(), **found}}
        options.json.write_text(written({each: tasks[each] for each in names if each in tasks}), encoding="utf-8")


if __name__ == "__main__":
    main()
