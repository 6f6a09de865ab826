"""What a race costs and what it misses, beside a comparison in which everybody runs all seeds, on runs that were made.

    python benchmarks/racing.py PATH/tabular_optimizers.csv.gz [--replays 10000] [--own 5000]

The runs are those of ``benchmarks/false_alarms.py``: 16 optimizers on 17 data sets with nine seeds each, which others
published, and ten candidates with 60 seeds each on two tasks of trimtab's own. A replay deals out the seeds in another
order, the same for all candidates; of our own tasks, it also draws whose 6 to 16 first settings were tried, so that
what a race drops in tuning counts, and the final runs are those of the settings that it chose.

Verdicts are those against AdamW. *Lost* is a difference that all seeds show and the race does not, *gained* the
opposite, *reversed* one that each shows the other way. Of equals, made as there or normal, families in which a race
shows any difference are false alarms. Of normal candidates, one of which differs by what a race calls detectable, the
share of races that show it is printed as well.
"""

import argparse
import csv
import gzip
import itertools
import math
import multiprocessing
import os
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from false_alarms import OURS, deals, moved, published, recorded, splits

from trimtab.compare.pairs import raced_pairs
from trimtab.compare.race import Terms, race
from trimtab.compare.waves import cannot_win, wave_before
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.statistics import holm, moderated_estimates

SEEDS = (5, 10, 20)
TRIALS = (6, 8, 12, 16)
LEVEL = 0.05


def whole(losses, reference, *, alone):
    """Returns candidate to +1 where all seeds show it to be better than the reference, -1 to be worse, or 0."""
    labels = list(itertools.combinations(losses, 2))
    found = moderated_estimates([-np.asarray(each) for each in losses.values()])
    tested = [(pair, each) for pair, each in zip(labels, found, strict=True) if not alone or reference in pair]
    p_values = holm([each.p_value for _, each in tested])
    return verdicts({pair: (p, each.mean) for (pair, each), p in zip(tested, p_values, strict=True)}, reference)


def verdicts(tested, reference):
    """Returns candidate to verdict, of pairs with their corrected p-values and differences."""
    found = {}
    for (first, second), (p_value, mean) in tested.items():
        if reference in (first, second):
            sign = np.sign(mean) if p_value < LEVEL else 0
            found[first if second == reference else second] = sign if second == reference else -sign
    return found


def raced(losses, reference, *, alone):
    """Races candidates whose losses are known; returns what it shows of all pairs, and how many runs were made."""
    runs = {label: tuple(map(float, each)) for label, each in losses.items()}
    ended = race(Terms(reference, alone), len(next(iter(runs.values()))), runs, waiting=False)
    p_values = holm([each.p_value for each in ended.pairs.values()])
    tested = {pair: (p, each.estimate.mean) for (pair, each), p in zip(ended.pairs.items(), p_values, strict=True)}
    return tested, sum(ended.seeds.values())


def counted(race_says, all_say):
    """Returns how verdicts of a race differ from those of all seeds."""
    tally = Counter(verdicts=len(all_say))
    for label, full in all_say.items():
        short = race_says.get(label, 0)
        tally["equal"] += short == full
        tally["reversed"] += short * full < 0
        tally["lost"] += full != 0 and short == 0
        tally["gained"] += full == 0 and short != 0
    return tally


def published_replays(task) -> Counter:
    """Replays one data set."""
    labels, scores, alone, replays, seed = task
    generator, tally = np.random.default_rng(seed), Counter()
    for _ in range(replays):
        order = generator.permutation(scores.shape[1])
        losses = {label: row[order] for label, row in zip(labels, scores, strict=True)}
        tested, runs = raced(losses, "adamw", alone=alone)
        tally += counted(verdicts(tested, "adamw"), whole(losses, "adamw", alone=alone))
        tally += Counter(replays=1, runs=runs, of=scores.size)
    return tally


class Recorded:
    """Tuning trials and final runs of a task of ours.

    Args:
        name: of the task.
    """

    def __init__(self, name):
        path = Path(__file__).parent / "recorded" / f"{name}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.tuning, self.finals = {}, {}
        for row in rows:
            if row["phase"] == "tune":
                self.tuning.setdefault(row["candidate"], []).append((row["settings"], _outcome(row)))
            else:
                finals = self.finals.setdefault((row["candidate"], row["settings"]), {})
                finals[int(row["seed"])] = float(row["loss"]) if row["loss"] else math.inf
        self.whole = max(int(float(row["cost"])) for row in rows)

    def tuned(self, label, trials, *, racing):
        """Returns the setting that is chosen among the first ones, and what that cost."""
        kept, cost = {}, 0.0
        for index, (settings, run) in enumerate(self.tuning[label][:trials]):
            earlier = [run for i, (_, run) in kept.items() if i < wave_before(index) and run.status == "complete"]
            lost_at = (p.cost for p in run.curve if cannot_win(earlier, p.cost, p.loss, of=self.whole))
            left = next((cost for cost in lost_at if cost < run.cost), None)
            if racing and left is not None:
                cost += left
            else:
                kept[index] = settings, run
                cost += run.cost
        return min((run.loss, settings) for settings, run in kept.values() if run.loss is not None)[1], cost


def _outcome(row):
    points = (each.split(":") for each in row["curve"].split(";") if each)
    curve = tuple(CurvePoint(float(cost), None, float(loss), 0.0) for cost, loss in points)
    loss = float(row["loss"]) if row["loss"] else None
    return Outcome(row["status"], loss=loss, cost=float(row["cost"]), curve=curve)


def own_replays(task) -> Counter:
    """Replays one task of ours, tuning included."""
    name, seeds, trials, alone, replays = task
    known, generator, tally = Recorded(name), np.random.default_rng(seeds), Counter()
    chosen = {racing: {label: known.tuned(label, trials, racing=racing) for label in known.tuning} for racing in (0, 1)}
    tuning = {racing: sum(cost for _, cost in found.values()) / known.whole for racing, found in chosen.items()}
    alike = sum(chosen[0][label][0] == chosen[1][label][0] for label in known.tuning)
    everyone = range(1000, 1030)  # all settings were run with these
    for _ in range(replays):
        dealt = generator.permutation(everyone)
        drawn = dealt[:seeds]
        losses = {
            racing: {label: [known.finals[label, setting][s] for s in drawn] for label, (setting, _) in found.items()}
            for racing, found in chosen.items()
        }
        finite = [{k: v for k, v in losses[racing].items() if np.isfinite(v).all()} for racing in (0, 1)]
        tested, runs = raced(finite[1], "adamw", alone=alone)
        all_say = whole(finite[0], "adamw", alone=alone)
        tally += counted(verdicts(tested, "adamw"), all_say)
        if 2 * seeds <= len(everyone):
            others = {k: [known.finals[k, chosen[0][k][0]][s] for s in dealt[seeds : 2 * seeds]] for k in finite[0]}
            if np.isfinite(list(others.values())).all():
                again = counted(whole(others, "adamw", alone=alone), all_say)
                tally += Counter(again=again["equal"], of_again=again["verdicts"])
        tally += Counter(
            replays=1,
            runs=runs + tuning[1],
            of=len(losses[0]) * seeds + tuning[0],
            finals=runs,
            of_finals=len(losses[0]) * seeds,
            alike=alike / len(known.tuning),
        )
    return tally


def false_alarms(task) -> tuple[int, int, float]:
    """Returns how many families of equals a race tells apart, of how many, and the share of runs that it makes."""
    scores, seeds, families, how = task
    generator = np.random.default_rng(seeds)
    made = {"split": splits, "dealt": deals, "moved": moved}[how](scores, seeds, families, generator)
    told = runs = of = 0
    for family in made:
        losses = {f"c{place}": -row for place, row in enumerate(family)}
        tested, used = raced(losses, "c0", alone=False)
        told += any(p < LEVEL for pair, (p, _) in tested.items() if how != "split" or _twins(pair))
        runs += used
        of += family.size
    return told, families, runs / of


def normal_equals(task) -> float:
    """Returns the share of families of equal normal candidates that a race tells apart."""
    candidates, seeds, families = task
    generator, told = np.random.default_rng(seeds), 0
    for _ in range(families):
        losses = {f"c{place}": row for place, row in enumerate(_noise(generator, candidates, seeds))}
        told += any(p < LEVEL for p, _ in raced(losses, "c0", alone=False)[0].values())
    return told / families


def detectable(task) -> float:
    """Returns how often a race finds a difference of the size that races of equals call detectable."""
    candidates, seeds, races = task
    generator, sizes, found = np.random.default_rng(candidates * seeds), [], 0
    for _ in range(25):
        runs = {f"c{place}": tuple(map(float, row)) for place, row in enumerate(_noise(generator, candidates, seeds))}
        pairs = raced_pairs(race(Terms("c0"), seeds, runs, waiting=False), runs)
        sizes += [pair.simultaneous_detectable for pair in pairs if "c0" in (pair.first, pair.second)]
    for _ in range(races):
        losses = {f"c{place}": row for place, row in enumerate(_noise(generator, candidates, seeds))}
        losses["c1"] = losses["c1"] - np.median(sizes)
        found += raced(losses, "c0", alone=False)[0]["c0", "c1"][0] < LEVEL
    return found / races


def _noise(generator, candidates, seeds):
    return generator.standard_normal((candidates, seeds))


def _twins(pair):
    first, second = sorted(int(label[1:]) for label in pair)
    return first % 2 == 0 and second == first + 1


def percent(share):
    """Returns a share in words."""
    return f"{100 * share:.1f} %"


def told(title, tally):
    """Prints what replays showed."""
    found = {name: percent(tally[name] / tally["verdicts"]) for name in ("equal", "lost", "gained")}
    print(
        f"{title}: {tally['replays']:,} replays, {percent(tally['runs'] / tally['of'])} of the cost, verdicts equal "
        f"{found['equal']}, lost {found['lost']}, gained {found['gained']}, reversed {tally['reversed']}"
        + (f"; finals {percent(tally['finals'] / tally['of_finals'])}, " if tally["finals"] else "")
        + (f"same setting chosen {percent(tally['alike'] / tally['replays'])}" if tally["finals"] else "")
        + (f"; all seeds with other ones {percent(tally['again'] / tally['of_again'])}" if tally["of_again"] else ""),
        flush=True,
    )


def main() -> None:
    """Prints tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--replays", type=int, default=10_000, help="of the published runs")
    parser.add_argument("--own", type=int, default=5_000, help="of runs of ours")
    parser.add_argument("--alone", type=int, default=1_700, help="of the published ones against the reference alone")
    parser.add_argument("--own-alone", type=int, default=1_200, help="of ours against the reference alone")
    chosen = parser.parse_args()
    data = published(chosen.path)
    labels = published_labels(chosen.path)
    with multiprocessing.Pool() as pool:
        for alone in (False, True):
            kind = "the reference alone" if alone else "all pairs"
            each = max(1, (chosen.alone if alone else chosen.replays) // len(data))
            tasks = [(labels, scores, alone, each, place) for place, scores in enumerate(data.values())]
            told(f"published, {kind}", sum(pool.map(published_replays, tasks), Counter()))
            own = chosen.own_alone if alone else chosen.own
            several = max(1, own // (len(OURS) * len(SEEDS) * len(TRIALS)))
            for seeds in SEEDS:
                tasks = [(name, seeds, trials, alone, several) for name in OURS for trials in TRIALS]
                tallies = pool.map(own_replays, tasks)
                told(f"ours, {seeds} seeds, {kind}", sum(tallies, Counter()))
                for trials in TRIALS:
                    some = [t for t, task in zip(tallies, tasks, strict=True) if task[2] == trials]
                    told(f"    {trials} settings", sum(some, Counter()))
        print("\nfamilies of equals with a false alarm")
        for how, sets, seeds in (
            ("dealt", data, (5, 9)),
            ("split", data, (4,)),
            *((how, {name: recorded(name)}, (5, 10)) for name in OURS for how in ("dealt", "split")),
        ):
            families = 60 if len(sets) > 1 else 400
            for n in seeds:
                found = pool.map(false_alarms, [(scores, n, families, how) for scores in sets.values()])
                shares = [told_apart / of for told_apart, of, _ in found]
                runs = np.mean([share for _, _, share in found])
                worst = f" (worst {percent(max(shares))})" if len(shares) > 1 else ""
                where = "published" if len(shares) > 1 else next(iter(sets))
                print(f"  {where}, {how}, {n} seeds: {percent(np.mean(shares))}{worst}; {percent(runs)} of the runs")
        print("\nnormal candidates")
        cases = [(candidates, n, 2000 // candidates) for candidates in (2, 3, 5) for n in (3, 5, 10)]
        for case, share in zip(cases, pool.map(normal_equals, cases, chunksize=1), strict=True):
            print(f"  {case[0]} equal ones, {case[1]} seeds: {percent(share)} of {case[2]:,} families told apart")
        cases = [(candidates, n, 300) for candidates in (2, 3, 5, 10) for n in (3, 5, 10, 20)]
        for case, share in zip(cases, pool.map(detectable, cases, chunksize=1), strict=True):
            print(f"  {case[0]} candidates, {case[1]} seeds: {percent(share)} of what is called detectable are found")


def published_labels(path):
    """Returns the names of the optimizers in the order of their rows."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row["optimizer"] for row in csv.DictReader(file) if row["seed"] != "0"]
    return list(dict.fromkeys(rows))


if __name__ == "__main__":
    main()
