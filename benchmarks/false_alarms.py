"""How often a comparison of equals shows a difference, on scores that others have published.

    python benchmarks/false_alarms.py PATH/tabular_optimizers.csv.gz [deals]

The file has a row a run (columns optimizer, dataset, seed, val_score, test_score). The ten seeds of one optimizer on
one data set are dealt out at random to candidates that are therefore equal: five with two seeds each, three with three,
two with five. A false alarm is any pair of such a family that is told apart after Holm's correction at 5 %. The
standard error is over the sixteen optimizers. The last table has scores of a few distinct values, drawn at random.
"""

import csv
import gzip
import itertools
import math
import statistics
import sys
from collections import defaultdict

import numpy as np

from trimtab.study.statistics import corrected_differences

SCORES = ("val_score", "test_score")
DEALT = {2: 5, 3: 3, 5: 2}
"""Seeds to the number of candidates that ten of them make."""

DRAWN = {
    **{f"{k} values, equally often": np.full(k, 1 / k) for k in (2, 3, 4, 8)},
    "1.0 in 95 %, 0.99": np.array([0.05, 0.95]),
    "1.0 in 95 %, three others": np.array([0.01, 0.02, 0.02, 0.95]),
    "1.0 in 80 %, seven others": np.array([*[0.2 / 7] * 7, 0.8]),
    "1.0 in 50 %, three others": np.array([*[0.5 / 3] * 3, 0.5]),
}


def cells(path):
    """Returns (score, data set) to a list of the ten scores of each optimizer."""
    found = defaultdict(lambda: defaultdict(list))
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for score in SCORES:
                found[score, row["dataset"]][row["optimizer"]].append(float(row[score]))
    return {key: list(by_optimizer.values()) for key, by_optimizer in found.items()}


def false_alarm(candidates):
    """Tells whether any two of several candidates, a row each, are told apart."""
    pairs = list(itertools.combinations(candidates, 2))
    return any(difference.p_value < 0.05 for difference in corrected_differences(pairs))


def dealt(scores, seeds, deals, generator):
    """Returns the share of false alarms when one optimizer's scores are dealt out."""
    count = DEALT[seeds]
    families = (generator.permutation(scores)[: count * seeds].reshape(count, seeds) for _ in range(deals))
    return statistics.mean(map(false_alarm, families))


def drawn(shares, candidates, seeds, families, generator):
    """Returns the share of false alarms among scores of a few values, 0.01 apart."""
    values = 1.0 - 0.01 * np.arange(len(shares))[::-1]
    return statistics.mean(
        false_alarm(generator.choice(values, p=shares, size=(candidates, seeds))) for _ in range(families)
    )


def main(path, deals=100):
    generator = np.random.default_rng(0)
    found = cells(path)
    for score in SCORES:
        print(f"\n{score}: false alarms in %, +- standard error")
        for data in sorted(data for each, data in found if each == score):
            shown = []
            for seeds in DEALT:
                shares = [100 * dealt(each, seeds, deals, generator) for each in found[score, data]]
                error = statistics.stdev(shares) / math.sqrt(len(shares))
                shown.append(f"{seeds} seeds {statistics.mean(shares):4.1f} +- {error:.1f}")
            print(f"  {data:28}{'   '.join(shown)}")
    families = 10 * deals
    print(
        f"\nfive candidates, {families} families: standard error {100 * math.sqrt(0.05 * 0.95 / families):.1f} at 5 %"
    )
    for name, shares in DRAWN.items():
        found_shares = (f"{n} seeds {100 * drawn(shares, 5, n, families, generator):4.1f}" for n in (2, 3, 5, 10))
        print(f"  {name:28}{'   '.join(found_shares)}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
