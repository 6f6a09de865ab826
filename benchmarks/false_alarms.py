"""How often a comparison of equals shows a difference, and how often one of unequals does, on runs that were made.

    python benchmarks/false_alarms.py PATH/tabular_optimizers.csv.gz [--families 1000] [--unpaired]

The file has a row a run of 16 optimizers on 17 data sets (columns optimizer, dataset, seed, test_score); of its ten
seeds the first was chosen by its score and is left out. Beside it stand ten candidates with 60 seeds each on two tasks
of trimtab's own, recorded in benchmarks/recorded.

Equals are made in two ways. *Split*: half of the candidates take part twice, with different seeds, beside each other;
each such pair is equal. *Dealt*: within each seed, deviations from the candidates' means are dealt anew to the
candidates, so that all of them are equal and what the seeds share stays. Nine seeds can be split for up to four.
*Moved*, of our own tasks alone, because it takes many seeds: all candidates moved to one mean, and otherwise as they
are. That is the hardest of the three: a candidate of which one run in thirty fails has a mean that few seeds show.

*Unpaired* runs are made alike, but that each candidate's seeds are shuffled by themselves, and that of two neighbours
the second may have more runs.

Power is the share of differences that all seeds show, corrected by Holm's method, which as few seeds show as well.
"""

import argparse
import csv
import gzip
import itertools
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from trimtab.study.statistics import holm, moderated_estimates, unpaired_estimates
from trimtab.study.statistics.paired import estimate
from trimtab.study.statistics.unpaired import unpaired_estimate

OURS = ("digits", "diabetes")
SEEDS = (2, 3, 5, 8)
LEVEL = 0.05


def published(path):
    """Returns data set to a matrix of losses, a row an optimizer and a column a seed."""
    found = defaultdict(lambda: defaultdict(dict))
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["seed"] != "0":
                found[row["dataset"]][row["optimizer"]][int(row["seed"])] = -float(row["test_score"])
    return {data: matrix(by_optimizer) for data, by_optimizer in sorted(found.items())}


def recorded(name):
    """Returns the final losses of a task of ours, a row a candidate and a column a seed."""
    found = defaultdict(dict)
    path = Path(__file__).parent / "recorded" / f"{name}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["phase"] == "final":
                found[row["candidate"]][int(row["seed"])] = float(row["loss"])
    return matrix(found)


def matrix(by_candidate):
    """Returns scores by candidate and seed as an array."""
    return np.array([[scores[seed] for seed in sorted(scores)] for scores in by_candidate.values()])


def splits(scores, seeds, families, generator) -> Iterator[np.ndarray]:
    """Families in which every even candidate is equal to the next one: the same candidate with other seeds."""
    count = len(scores) // 2
    for _ in range(families):
        chosen = generator.permutation(len(scores))[:count]
        drawn = [scores[which, generator.permutation(scores.shape[1])[: 2 * seeds]] for which in chosen]
        yield np.array([half for each in drawn for half in (each[:seeds], each[seeds:])])


def deals(scores, seeds, families, generator) -> Iterator[np.ndarray]:
    """Families in which all candidates are equal."""
    deviations = scores - scores.mean(axis=1, keepdims=True)
    for _ in range(families):
        columns = generator.permutation(scores.shape[1])[:seeds]
        yield np.stack([generator.permutation(deviations[:, column]) for column in columns], axis=1)


def moved(scores, seeds, families, generator) -> Iterator[np.ndarray]:
    """Families of the candidates as they are, but for their means, which are one."""
    deviations = scores - scores.mean(axis=1, keepdims=True)
    for _ in range(families):
        yield deviations[:, generator.permutation(scores.shape[1])[:seeds]]


MADE = {"split": splits, "dealt": deals, "moved": moved}


def moderated(family):
    """Returns the p-values of all pairs as a comparison finds them, before correction."""
    return np.array([each.p_value for each in moderated_estimates(list(family))])


def paired(family):
    """Returns the p-values of the paired t tests of all pairs."""
    return np.array([estimate(*pair).p_value for pair in itertools.combinations(family, 2)])


TESTS = {"moderated": moderated, "paired": paired}


def false_alarms(task) -> tuple[float, float]:
    """Returns the share of equal pairs that are told apart, and that of families in which any is after correction."""
    test, scores, seeds, families, how = task
    generator, by_splits = np.random.default_rng(seeds), how == "split"
    candidates = 2 * (len(scores) // 2) if by_splits else len(scores)
    places = list(itertools.combinations(range(candidates), 2))
    equal = np.array([not by_splits or (first + 1 == second and first % 2 == 0) for first, second in places])
    made = MADE[how](scores, seeds, families, generator)
    p_values = np.array([TESTS[test](family)[equal] for family in made])
    told = (p_values < LEVEL).mean()
    together = (p_values.min(axis=1) * p_values.shape[1] < LEVEL).mean()
    return float(told), float(together)


def power(task) -> tuple[float, float, float]:
    """Returns how many differences there are, how many few seeds find of them on average, how many the wrong way."""
    test, scores, seeds, families = task
    generator = np.random.default_rng(seeds)
    true = holm(paired(scores)) < LEVEL
    sign = _signs(scores)
    found = wrong = 0.0
    for _ in range(families):
        family = scores[:, generator.permutation(scores.shape[1])[:seeds]]
        shown = (holm(TESTS[test](family)) < LEVEL) & true
        found += shown.sum() / families
        wrong += (shown & (_signs(family) != sign)).sum() / families
    return float(true.sum()), found, wrong


def _signs(scores):
    means = scores.mean(axis=1)
    return np.array([np.sign(first - second) for first, second in itertools.combinations(means, 2)])


def percent(values):
    """Returns the mean of several shares, and the largest, in words."""
    largest = f" (worst {100 * max(values):.2f} %)" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.2f} %{largest}"


def report(pool, title, data, families) -> None:
    """Prints what is found on several data sets."""
    print(f"\n{title}: false alarms among equal pairs, and families with any after Holm's correction")
    for seeds in SEEDS:
        by_splits = all(2 * seeds <= scores.shape[1] for scores in data.values())
        for test in TESTS:
            ways = [*(["split"] if by_splits else []), "dealt", *(["moved"] if len(data) == 1 else [])]
            shown = []
            for way in ways:
                several = families if way == "split" else max(families // 4, 1)
                found = pool.map(false_alarms, [(test, s, seeds, several, way) for s in data.values()])
                pairs, together = (percent(each) for each in zip(*found, strict=True))
                shown.append(f"{way}: pairs {pairs}" + ("" if way == "split" else f", families {together}"))
            print(f"  {seeds} seeds, {test:9} {'; '.join(shown)}", flush=True)
    for seeds in (3, 5, 10):
        if all(scores.shape[1] < seeds for scores in data.values()):
            continue
        shown = []
        for test in TESTS:
            found = pool.map(power, [(test, s, seeds, max(families // 10, 1)) for s in data.values()])
            there, seen, wrong = map(sum, zip(*found, strict=True))
            shown.append(f"{test} {100 * seen / there:.1f} % of {there:.0f}, {100 * wrong / there:.2g} % the wrong way")
        print(f"  power with {seeds} seeds: {'; '.join(shown)}")


# runs that are not paired

SIZES = ((2, 2), (3, 3), (4, 4), (5, 5), (8, 8), (2, 7), (3, 6), (3, 8))
"""How many runs every other candidate has, and the others."""


def splits_apart(scores, sizes, families, generator) -> Iterator[list[np.ndarray]]:
    """As :func:`splits`."""
    first, second = sizes
    for _ in range(families):
        chosen = generator.permutation(len(scores))[: len(scores) // 2]
        drawn = [generator.permutation(scores[which])[: first + second] for which in chosen]
        yield [half for each in drawn for half in (each[:first], each[first:])]


def deals_apart(scores, sizes, families, generator) -> Iterator[list[np.ndarray]]:
    """As :func:`deals`."""
    deviations = scores - scores.mean(axis=1, keepdims=True)
    for _ in range(families):
        shuffled = generator.permuted(generator.permuted(deviations, axis=1), axis=0)
        yield [row[: sizes[place % 2]] for place, row in enumerate(shuffled)]


def moved_apart(scores, sizes, families, generator) -> Iterator[list[np.ndarray]]:
    """As :func:`moved`."""
    deviations = scores - scores.mean(axis=1, keepdims=True)
    for _ in range(families):
        yield [row[: sizes[place % 2]] for place, row in enumerate(generator.permuted(deviations, axis=1))]


APART = {"split": splits_apart, "dealt": deals_apart, "moved": moved_apart}


def apart(family, wanted=None):
    """Returns the p-values of pairs as runs that are not paired are compared, before correction; of all by default."""
    p_values = np.array([each.p_value for each in unpaired_estimates(family)])
    return p_values if wanted is None else p_values[wanted]


def welch(family, wanted=None):
    """Returns the p-values of Welch's tests of pairs; of all by default."""
    pairs = itertools.combinations(family, 2)
    return np.array(
        [unpaired_estimate(*pair).p_value for place, pair in enumerate(pairs) if wanted is None or wanted[place]]
    )


TESTS_APART = {"moderated": apart, "welch": welch}


def false_alarms_apart(task) -> list[tuple[float, float]]:
    """Returns for each test what :func:`false_alarms` does."""
    scores, sizes, families, how = task
    generator, by_splits = np.random.default_rng(sizes), how == "split"
    candidates = 2 * (len(scores) // 2) if by_splits else len(scores)
    places = list(itertools.combinations(range(candidates), 2))
    equal = np.array([not by_splits or (first + 1 == second and first % 2 == 0) for first, second in places])
    found = {name: [] for name in TESTS_APART}
    for family in APART[how](scores, sizes, families, generator):
        for name, test in TESTS_APART.items():
            found[name].append(test(family, equal))
    every = [np.array(each) for each in found.values()]
    return [(float((each < LEVEL).mean()), float((each.min(axis=1) * each.shape[1] < LEVEL).mean())) for each in every]


def power_apart(task) -> list[float]:
    """Returns how many differences there are, and for each test how many few runs find on average."""
    scores, sizes, families = task
    generator = np.random.default_rng(sizes)
    true = holm(paired(scores)) < LEVEL
    found = np.zeros(len(TESTS_APART))
    for _ in range(families):
        family = [row[: sizes[place % 2]] for place, row in enumerate(generator.permuted(scores, axis=1))]
        found += [((holm(test(family)) < LEVEL) & true).sum() / families for test in TESTS_APART.values()]
    return [float(true.sum()), *found]


def report_apart(pool, title, data, families) -> None:
    """Prints what is found of runs that are not paired."""
    print(f"\n{title}, unpaired: false alarms among equal pairs, and families with any after Holm's correction")
    fewest = min(scores.shape[1] for scores in data.values())
    for sizes in (each for each in SIZES if max(each) <= fewest):
        for way in APART:
            if (way == "split" and sum(sizes) > fewest) or (way == "moved" and len(data) > 1):
                continue
            several = families if way == "split" or len(data) == 1 else max(families // 4, 1)
            each = pool.map(false_alarms_apart, [(s, sizes, several, way) for s in data.values()], chunksize=1)
            for name, found in zip(TESTS_APART, zip(*each, strict=True), strict=True):
                pairs, whole = (percent(values) for values in zip(*found, strict=True))
                families_too = "" if way == "split" else f", families {whole}"
                print(f"  {sizes[0]} and {sizes[1]} runs, {way}, {name:9} pairs {pairs}{families_too}", flush=True)
    for sizes in ((3, 3), (5, 5), (3, 6)):
        found = pool.map(power_apart, [(s, sizes, max(families // 10, 1)) for s in data.values()], chunksize=1)
        there, *seen = map(sum, zip(*found, strict=True))
        shown = [f"{name} {100 * each / there:.1f} %" for name, each in zip(TESTS_APART, seen, strict=True)]
        print(f"  power with {sizes[0]} and {sizes[1]} runs, of {there:.0f}: {', '.join(shown)}", flush=True)


MADE_UP = {
    **{f"{k} values, equally often": (k, np.full(k, 1 / k)) for k in (2, 3, 4, 8)},
    "one in 95 %, another": (2, np.array([0.05, 0.95])),
    "one in 95 %, three others": (4, np.array([0.01, 0.02, 0.02, 0.95])),
    "one in 80 %, seven others": (8, np.array([*[0.2 / 7] * 7, 0.8])),
    "one in 50 %, three others": (4, np.array([*[0.5 / 3] * 3, 0.5])),
}
"""How often each of so many scores, 0.01 apart, is reached."""

PEAKS = np.array([0.9, 0.9001, 0.5, 0.5001])


def made_up(task) -> float:
    """Returns the share of families of five equal candidates with a false alarm, whose scores have a few values."""
    test, values, shares, seeds, families = task
    generator = np.random.default_rng(seeds)
    drawn = (generator.choice(values, p=shares, size=(5, seeds)) for _ in range(families))
    return float(np.mean([(holm(TESTS[test](family)) < LEVEL).any() for family in drawn]))


def report_made_up(pool, families) -> None:
    """Prints what is found on scores of a few values."""
    print("\nfive equal candidates with scores of a few values: families with a false alarm")
    cases = {name: (1 - 0.01 * np.arange(count), shares) for name, (count, shares) in MADE_UP.items()}
    for name, (values, shares) in {**cases, "two narrow peaks": (PEAKS, None)}.items():
        for test in TESTS:
            found = pool.map(made_up, [(test, values, shares, seeds, families) for seeds in (2, 3, 5, 10)])
            print(f"  {name:26} {test:9} 2, 3, 5, 10 seeds: {', '.join(f'{100 * each:.1f} %' for each in found)}")


def main() -> None:
    """Prints tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--families", type=int, default=1000, help="of each data set and number of seeds")
    parser.add_argument("--unpaired", action="store_true", help="of runs that are not paired alone")
    chosen = parser.parse_args()
    with multiprocessing.Pool() as pool:
        if chosen.unpaired:
            report_apart(pool, "16 optimizers on 17 data sets", published(chosen.path), chosen.families)
            for name in OURS:
                report_apart(pool, name, {name: recorded(name)}, chosen.families)
            return
        report_made_up(pool, chosen.families)
        report(pool, "16 optimizers on 17 data sets", published(chosen.path), chosen.families)
        for name in OURS:
            report(pool, name, {name: recorded(name)}, chosen.families)


if __name__ == "__main__":
    main()
