"""The whole field on seven tasks, at a constant rate and with a warm-up and cosine: part of docs/which-optimizer.md.

Each task is a comparison as by ``trimtab compare``, once under each schedule, with equal budgets and the defaults in
tuning: 16 settings for each candidate, the best four with two further seeds where a run is cheap, ten fresh seeds in
the end. The language model, whose runs are dearest, has eight settings and five seeds; mnist5k has the one tuning seed
that was its default; the larger table's runs are shorter than usual. All of it is hours of two cores; stopped, it goes
on where it was, and what is finished is written to the file at once. Some candidates alone, such as one whose code has
changed, are run beside AdamW, whose seeds and data are the others' too, and take the place of their rows.

Two tables come from packages that are needed for nothing else: ``pip install --no-deps vega_datasets river``.

    python benchmarks/field.py [NAME ...] [--candidates muon,soap] [--out runs/field] [--json docs/field.json]
"""

import argparse
import csv
import importlib.util
import json
import re
import zipfile
from pathlib import Path

from rich.console import Console

from trimtab.catalog.entries import entries
from trimtab.compare.comparison import Comparison
from trimtab.report import write_all
from trimtab.report.console import ProgressBars, print_summary
from trimtab.study.environment import environment

NO_CANDIDATES = ("controller",)
"""Kinds of entries that set a schedule, or a batch, and are compared under none of another's."""

SCHEDULE = "none,cosine(warmup=5%)"
TARGETS = {"cars": "Miles_per_Gallon", "segments": "category"}
TASKS = {
    "diabetes": {},
    "breast-cancer": {},
    "cars": {},
    "segments": {"tuning_seeds": 3, "steps": 200},
    "digits": {},
    "mnist5k": {"tuning_seeds": 1},
    "python-lm": {"trials": 8, "seeds": 5},
}
"""Name to what differs from the defaults."""


def everybody():
    """Returns every optimizer of the catalogue, and AdamW in everything that goes around one."""
    found = [each for each in entries().values() if each.slot == "optimizer" and each.kind not in NO_CANDIDATES]
    return [f"{each.id}({each.inner or 'adamw'})" if each.kind == "wrapper" else each.id for each in found]


def package(name, *parts):
    """Returns a file of an installed package without importing it."""
    found = importlib.util.find_spec(name)
    if found is None:
        raise SystemExit(f"{name} is missing: pip install --no-deps {name}")
    return Path(found.submodule_search_locations[0]).joinpath(*parts)


def write_cars(path):
    """Fuel consumption of 398 cars of 1970 to 1982 (Donoho & Ramos, 1982), from vega_datasets; six lack their power."""
    cars = json.loads(package("vega_datasets", "_data", "cars.json").read_text(encoding="utf-8"))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [name for name in cars[0] if name != "Name"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**car, "Year": car["Year"][:4]} for car in cars if car[TARGETS["cars"]] is not None)


def write_segments(path):
    """Which of seven surfaces a patch of an outdoor picture shows: 2,310 patches (UCI, 1990), from river."""
    with zipfile.ZipFile(package("river", "datasets", "segment.csv.zip")) as archive:
        path.write_bytes(archive.read(archive.namelist()[0]))


TABLES = {"cars": write_cars, "segments": write_segments}


def compared(task, candidates, directory):
    """Runs a comparison, or what is missing of it; returns a result for each schedule."""
    problem, target = task, None
    if task in TABLES:
        problem, target = str(directory / f"{task}.csv"), TARGETS[task]
        if not Path(problem).is_file():
            directory.mkdir(parents=True, exist_ok=True)
            TABLES[task](Path(problem))
    comparison = Comparison(
        problem, candidates, directory, target=target, schedule=SCHEDULE, reference="adamw", **TASKS[task]
    )
    console = Console()
    with ProgressBars(console, lambda: comparison.seeds, sign=1, workers=comparison.options.at_once) as bars:
        result = comparison.run(bars)
    print_summary(console, result, write_all(result, directory))
    return result.problems.values()


def facts(result):
    """Returns what a comparison found, without what can be computed from it."""
    return {
        "problem": result.problem.name,
        "recipe": result.problem.recipe,
        "metric": result.problem.quoted and result.problem.quoted.name,
        "protocol": {
            "steps": result.protocol.steps,
            "trials": result.protocol.trials,
            "tuning_seeds": result.protocol.tuning_seeds,
            "seeds": result.protocol.seeds,
        },
        "candidates": [
            {
                "label": each.label,
                "settings": each.settings,
                "tuned_loss": each.tuned_loss,
                "losses": each.final_losses,
                "metric": each.metric and each.metric.mean,
                "winners_curse": each.winners_curse,
                "trouble": each.trouble,
                "extended": [extension.setting for extension in each.extensions],
                "note": each.note,
            }
            for each in result.candidates
        ],
    }


def merged(there, found):
    """Returns the schedules of a task with rows in the place of those that are there, if these were run alike."""
    protocols = [[[each[name] for name in ("problem", "recipe", "protocol")] for each in run] for run in (there, found)]
    if protocols[0] != protocols[1]:
        return found
    return [
        now | {"candidates": list({each["label"]: each for each in before["candidates"] + now["candidates"]}.values())}
        for before, now in zip(there, found, strict=True)
    ]


def short(value):
    """Returns numbers to six digits, whatever they are in."""
    if isinstance(value, dict):
        return {name: short(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [short(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def written(tasks):
    """Returns the file's text, in which a list of numbers takes a line."""
    text = json.dumps({"tasks": tasks}, indent=1)
    return re.sub(r"\[([^\[\]{}]*)\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def main():
    """Runs the tasks in turn, and writes down each when it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TASKS)}; all by default")
    parser.add_argument("--candidates", metavar="NAME,...", help="of the field, some alone; all by default")
    parser.add_argument("--out", type=Path, default=Path("runs/field"))
    parser.add_argument("--json", type=Path, default=Path("docs/field.json"))
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in TASKS]:
        parser.error(f"{unknown[0]!r} is none of {', '.join(TASKS)}")
    known = everybody()
    chosen = known if options.candidates is None else ["adamw", *options.candidates.split(",")]
    if strange := [label for label in chosen if label not in known]:
        parser.error(f"{strange[0]!r} is none of {', '.join(known)}")
    for name in options.names or TASKS:
        results = [short(facts(result)) for result in compared(name, list(dict.fromkeys(chosen)), options.out / name)]
        there = json.loads(options.json.read_text(encoding="utf-8"))["tasks"] if options.json.is_file() else {}
        if name in there and options.candidates is not None:
            results = merged(there[name]["schedules"], results)
        tasks = {**there, name: {"environment": environment(), "schedules": results}}
        options.json.write_text(written({each: tasks[each] for each in TASKS if each in tasks}), encoding="utf-8")


if __name__ == "__main__":
    main()
