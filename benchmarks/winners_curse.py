"""How much better a chosen setting looked in tuning than it is on fresh seeds, and what further tuning seeds do to it.

    python benchmarks/winners_curse.py [--replays 200] [--results DIR/results.json ...]
    python benchmarks/winners_curse.py --record TASK --seeds 20 [--steps 60] --out RECORDED/TASK.csv.gz

The winner's curse is the mean loss of the chosen setting on fresh seeds less its loss in tuning, in standard deviations
of the fresh seeds: positive where tuning looked better.

Recorded are the first 16 settings of six candidates on three tasks, each with 8 or 20 seeds. A replay deals out the
seeds: some are those of tuning, the others are fresh. Ways to choose are compared at what they cost in tuning runs, by
the winner's curse and by what they are after, the loss of the chosen setting on fresh seeds. That is given as regret:
how far it lies above that of the setting that is best on the fresh seeds, in standard deviations of the fresh seeds.

With ``--results``, the same is read from comparisons that were made, whose ranges may have gone on.
"""

import argparse
import csv
import gzip
import json
import math
import multiprocessing
import os
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

RECORDED = Path(__file__).parent / "recorded" / "tuning"
CANDIDATES = "sgd,adamw,nadam,radam,lion,adabelief"
SETTINGS = 16
GOAL = 0.5


def recorded(path):
    """Returns candidate to an array of losses, a row a setting and a column a seed; infinite where a run diverged."""
    found = defaultdict(dict)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            loss = float(row["loss"]) if row["loss"] else math.inf
            found[row["candidate"]][int(row["setting"]), int(row["seed"])] = loss
    return {label: _array(losses) for label, losses in found.items()}


def _array(losses):
    settings, seeds = (sorted({key[place] for key in losses}) for place in (0, 1))
    return np.array([[losses[setting, seed] for seed in seeds] for setting in settings])


def everything(losses, seeds):
    """Every setting with all seeds: the lowest mean."""
    means = losses[:, :seeds].mean(axis=1)
    return int(means.argmin()), float(means.min()), losses.shape[0] * seeds


def best_again(losses, seeds, again, *, anew=False):
    """Every setting once, the best with further seeds: the lowest mean of all seeds, or, anew, of the further ones."""
    order = losses[:, 0].argsort(kind="stable")[:again]
    means = losses[order][:, int(anew) : seeds].mean(axis=1)
    return int(order[means.argmin()]), float(means.min()), losses.shape[0] + again * (seeds - 1)


WAYS = {
    "16 settings, 1 seed": lambda own: everything(own, 1),
    "24 settings' worth: 8 settings, 3 seeds each": lambda own: everything(own[:8], 3),
    "16 settings, best 4 with 3 seeds": lambda own: best_again(own, 3, 4),
    "16 settings, best 4 with 3 seeds, further two alone decide": lambda own: best_again(own, 3, 4, anew=True),
    "16 settings, best 5 (a third) with 3 seeds": lambda own: best_again(own, 3, 5),
    "16 settings, best 3 with 3 seeds": lambda own: best_again(own, 3, 3),
    "16 settings, 3 seeds each": lambda own: everything(own, 3),
}


def replay(losses, choose, replays, generator):
    """Deals out seeds and chooses; returns curses, regrets, and the number of runs."""
    curses, regrets, runs = [], [], 0
    for _ in range(replays):
        dealt = losses[:, generator.permutation(losses.shape[1])]
        place, tuned, runs = choose(dealt)
        fresh = dealt[:, 3:]  # no way to choose sees more than three
        final = fresh[place]
        if not np.isfinite(final).all() or not math.isfinite(tuned):
            continue
        spread = final.std(ddof=1)
        means = fresh.mean(axis=1)
        curses.append((final.mean() - tuned) / spread)
        regrets.append((final.mean() - means.min()) / spread)
    return curses, regrets, runs


def print_replays(replays):
    """Prints what each way to choose costs and does."""
    tasks = {path.name.removesuffix(".csv.gz"): recorded(path) for path in sorted(RECORDED.glob("*.csv.gz"))}
    print(f"{'':58} {'runs':>4}  winner's curse (and regret), in standard deviations of the fresh seeds")
    print(f"{'':58} {'':4}  {'mean':>12}  " + "  ".join(f"{name:>14}" for name in tasks))
    found = {}
    for words, choose in WAYS.items():
        cells, runs = [], 0
        for name, candidates in tasks.items():
            generator = np.random.default_rng(len(name))
            curses, regrets = [], []
            for losses in candidates.values():
                one, other, runs = replay(losses, choose, replays, generator)
                curses.append(np.mean(one))
                regrets.append(np.mean(other))
            cells.append((float(np.mean(curses)), float(np.mean(regrets))))
            found[words, name] = cells[-1]
        mean = tuple(np.mean(cells, axis=0))
        print(f"{words:58} {runs:4}  {_cell(mean):>12}  " + "  ".join(f"{_cell(cell):>14}" for cell in cells))
    return found


def _cell(pair):
    return f"{pair[0]:.2f} ({pair[1]:.2f})"


def print_results(paths):
    """Prints the winner's curse of comparisons that were made, and whether the goal is met."""
    means = []
    for path in paths:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
        seeds = result["protocol"].get("tuning_seeds", 1)
        curses = {c["label"]: c["winners_curse"] for c in result["candidates"] if c["winners_curse"] is not None}
        means.append(float(np.mean(list(curses.values()))))
        each = ", ".join(f"{label} {curse:.2f}" for label, curse in curses.items())
        print(f"{result['problem']['name']}, {seeds} tuning seed{'s' if seeds > 1 else ''}: {means[-1]:.2f} ({each})")
    mean = float(np.mean(means))
    print(f"mean {mean:.2f}; the goal of at most {GOAL} is {'met' if mean <= GOAL else 'MISSED'}")


def record(task, seeds, steps, out):
    """Runs every setting with every seed, and writes down how it ended."""
    labels = CANDIDATES.split(",")
    jobs = [(task, label, i, seed, steps) for seed in range(seeds) for label in labels for i in range(SETTINGS)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        multiprocessing.get_context("spawn").Pool() as pool,
        gzip.open(out, "wt", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["task", "candidate", "setting", "seed", "settings", "status", "loss"])
        for row in pool.imap(run, jobs, chunksize=8):
            writer.writerow(row)


def run(job):
    """Runs a setting with a seed."""
    import torch

    from trimtab.catalog.candidates import parse_candidates
    from trimtab.lab.loading import load_problem
    from trimtab.lab.problem import Workplace
    from trimtab.study.point import Point
    from trimtab.study.tunable import quasi_random_settings

    torch.set_num_threads(1)
    task, label, place, seed, steps = job
    problem, (candidate,) = load_problem(task), parse_candidates(label)
    settings = quasi_random_settings(candidate.tunables, SETTINGS, 0)[place]
    outcome = problem.trial(
        candidate.build(settings),
        Point(problem.name, "tune", label, place, settings, seed),
        budget=problem.budget(steps),
        report=lambda *_: None,
        place=Workplace(Path()),
    )
    loss = "" if outcome.loss is None else f"{outcome.loss:.6g}"
    return task, label, place, seed, json.dumps(settings), outcome.status, loss


def main():
    """Prints, or records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--results", nargs="+", default=[])
    parser.add_argument("--record", metavar="TASK")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.record:
        record(options.record, options.seeds, options.steps, options.out)
    elif options.results:
        print_results(options.results)
    else:
        print_replays(options.replays)


if __name__ == "__main__":
    main()
