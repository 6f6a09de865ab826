"""How often equals are told apart, by the whole procedure: tests, and Holm's correction over all pairs."""

import csv
import gzip
import itertools
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from trimtab.study.statistics import corrected, moderated_estimates
from trimtab.study.statistics.paired import estimate

ROOT = Path(__file__).resolve().parents[3]
EVIDENCE = Path(os.environ.get("TRIMTAB_EVIDENCE", ROOT.parent / "shared" / "evidence"))
PUBLISHED = EVIDENCE / "tabular_optimizers.csv.gz"

ACCURACIES = ("adult", "churn", "higgs-small", "otto")
CANDIDATES = {2: 5, 3: 3, 5: 2}
"""How many candidates ten seeds make."""


def told_apart(candidates):
    return any(pair.p_value < 0.05 for pair in corrected(moderated_estimates(list(candidates))))


def share_of_false_alarms(families):
    return np.mean([told_apart(family) for family in families])


@pytest.fixture(scope="module")
def published():
    """Data set to the scores of each optimizer, of ten seeds."""
    if not PUBLISHED.is_file():
        pytest.skip(f"there is no {PUBLISHED}")
    found = defaultdict(lambda: defaultdict(list))
    with gzip.open(PUBLISHED, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["dataset"]][row["optimizer"]].append(float(row["val_score"]))
    return {data: list(by_optimizer.values()) for data, by_optimizer in found.items()}


def dealt(cells, seeds, deals, generator):
    """Families of candidates that are equal, because one optimizer's seeds were dealt out to them."""
    count = CANDIDATES[seeds]
    for scores in cells:
        for _ in range(deals):
            yield generator.permutation(scores)[: count * seeds].reshape(count, seeds)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("which", ["accuracies", "others"])
def test_equals_among_published_runs_are_told_apart_as_rarely_as_promised(published, which, seeds):
    # the plain t test tells 22 % of the accuracies' families apart with two seeds
    generator = np.random.default_rng(seeds)
    names = [name for name in published if (name in ACCURACIES) == (which == "accuracies")]
    cells = [scores for name in names for scores in published[name]]
    assert len(cells) == 16 * (4 if which == "accuracies" else 13)
    families = dealt(cells, seeds, 6 if which == "accuracies" else 2, generator)
    assert share_of_false_alarms(families) < 0.06


FEW_VALUES = (
    (0.5, 0.5),
    (0.3, 0.4, 0.3),
    (0.25,) * 4,
    (0.125,) * 8,
    (0.05, 0.95),
    (0.01, 0.02, 0.02, 0.95),
    (0.2, 0.8),
)
"""How often each of a few scores is reached."""


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_scores_of_a_few_values_are_told_apart_as_rarely_as_promised(seeds):
    # the plain t test tells 37 % of these families apart with two seeds, 10 % with three
    generator = np.random.default_rng(seeds)
    families = [
        generator.choice(1.0 - np.arange(len(shares)) / 360, p=shares, size=(5, seeds))
        for shares in FEW_VALUES
        for _ in range(50)
    ]
    assert share_of_false_alarms(families) < 0.05


def test_a_step_takes_little_from_what_can_be_found():
    # a difference of two standard deviations, with ten seeds, between accuracies of 2,000 samples (a step of 0.0005)
    generator = np.random.default_rng(0)
    runs = np.round(generator.normal(0.9, 0.002, size=(100, 2, 10)) * 2000) / 2000
    runs[:, 0] += 0.004
    found = [moderated_estimates(list(pair))[0].p_value < 0.05 for pair in runs]
    assert np.mean(found) > 0.95


def test_the_published_differences_are_found_by_the_paired_test_as_before(published):
    # 120 pairs of 16 optimizers on each of two data sets, the seeds paired: as many as the plain t test finds
    from scipy import stats

    for name in ("churn", "california"):
        pairs = list(itertools.combinations(published[name], 2))
        plain = np.sort([stats.ttest_rel(*pair).pvalue for pair in pairs])
        stepped = np.maximum.accumulate(plain * np.arange(len(pairs), 0, -1))
        found = sum(pair.p_value < 0.05 for pair in corrected([estimate(*pair) for pair in pairs]))
        assert found >= 0.97 * np.sum(stepped < 0.05) > 10


def test_three_published_seeds_find_fifteen_times_as_much(published):
    # of the differences that nine seeds show by the paired test, corrected (the tenth seed was chosen by its score)
    there = few = many = 0
    generator = np.random.default_rng(0)
    for scores in (np.array(each)[:, 1:] for each in published.values()):
        true = np.array(
            [each.p_value < 0.05 for each in corrected([estimate(*p) for p in itertools.combinations(scores, 2)])]
        )
        three = scores[:, generator.permutation(9)[:3]]
        alone = corrected([estimate(*pair) for pair in itertools.combinations(three, 2)])
        together = corrected(moderated_estimates(list(three)))
        there += true.sum()
        few += sum(each.p_value < 0.05 for each, real in zip(alone, true, strict=True) if real)
        many += sum(each.p_value < 0.05 for each, real in zip(together, true, strict=True) if real)
    assert few < 0.05 * there
    assert many > 0.35 * there
