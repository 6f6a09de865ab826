"""Schedules, controllers and their peers beside each other, on tasks that ship: what docs/which-schedule.md shows.

Each task is a comparison as by ``trimtab compare``: equal budgets, in which searches and first runs are charged.
Stopped, it goes on where it was.

    python benchmarks/schedules.py [--out runs/schedules] [--json docs/schedules.json]
"""

import argparse
import json
from pathlib import Path

from rich.console import Console

from trimtab.compare.comparison import Comparison
from trimtab.lab.measures import STEP_SECONDS
from trimtab.report import write_all
from trimtab.report.console import ProgressBars, print_summary
from trimtab.study.environment import environment

CANDIDATES = (
    "adamw,adamw+cosine,adamw+linear,adamw+refined,adamw+autolrs,schedulefree,prodigy+cosine,lion+cosine,lion+autolrs,"
    "sgd,sgd+cosine,sgd+rmt_scaling,adagrad,adagrad+adadagrad"
)
TASKS = {"digits": (8, 10, None), "breast-cancer": (8, 10, 200), "python-lm": (4, 5, 200)}
"""Name to trials, seeds and steps; AutoLRS searches in runs of 161 steps or more."""


def facts(result):
    """Returns what the page shows of a comparison."""
    rows = []
    for candidate in result.candidates:
        pair, loss = candidate.against_reference, candidate.loss
        seconds = candidate.prices.get(STEP_SECONDS)
        rows.append(
            {
                "label": candidate.label,
                "rank": candidate.rank,
                "verdict": candidate.verdict,
                "loss": loss and [loss.mean, loss.low, loss.high],
                "improvement": pair and [pair.improvement, pair.simultaneous_low, pair.simultaneous_high],
                "smallest_detectable": pair and pair.simultaneous_detectable,
                "step_ms": None if seconds is None else 1000 * seconds,
                "trouble": candidate.trouble,
                "note": candidate.note,
            }
        )
    protocol = result.protocol
    return {
        "task": result.problem.name,
        "steps": protocol.steps,
        "trials": protocol.trials,
        "seeds": protocol.seeds,
        "reference": result.reference,
        "candidates": rows,
    }


def compared(task, directory):
    """Runs a comparison, or what is missing of it."""
    trials, seeds, steps = TASKS[task]
    comparison = Comparison(task, CANDIDATES, directory, trials=trials, seeds=seeds, steps=steps)
    console = Console()
    with ProgressBars(console, lambda: seeds, sign=1, workers=comparison.options.at_once) as bars:
        result = comparison.run(bars)
    print_summary(console, result, write_all(result, directory))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/schedules"))
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    found = {
        "command": "python benchmarks/schedules.py",
        "environment": environment(),
        "tasks": [facts(compared(task, options.out / task)) for task in TASKS],
    }
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
