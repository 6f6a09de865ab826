"""What others have published, from their own runs, by the statistics that claims and comparisons have."""

import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from scipy import stats

from tests.evidence import needs, rows
from trimtab.study.statistics import corrected, mean_interval, paired_difference
from trimtab.study.statistics.paired import estimate

pytestmark = needs(
    "tabular_optimizers.csv.gz", "tabular_verdicts.csv", "speedrun_track3.csv", "speedrun_track3_claims.csv"
)


# 16 optimizers on 17 data sets


@pytest.fixture(scope="module")
def tabular():
    """Data set to optimizer to the ten test scores."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows("tabular_optimizers.csv.gz"):
        found[row["dataset"]][row["optimizer"]].append(float(row["test_score"]))
    return {data: {name: np.array(each) for name, each in by.items()} for data, by in found.items()}


def named(improvement, p_value, words):
    return words[1 if p_value >= 0.05 else 0 if improvement > 0 else 2]


def test_wins_and_losses_without_correction_are_those_that_were_published(tabular):
    published = {row["optimizer"]: row for row in rows("tabular_verdicts.csv")}
    words = ("win_uncorrected", "tie_uncorrected", "loss_uncorrected")
    different = 0
    for name, row in published.items():
        found = Counter()
        for by in tabular.values():
            difference = paired_difference(by[name], by["adamw"])
            found[named(difference.mean, difference.p_value, words)] += 1
        different += sum(abs(found[word] - int(row[word])) for word in words)
    # the plain t test was used; ours adds the variance that rounding took from accuracies
    assert different <= 4
    assert sum(int(row["win_uncorrected"]) for row in published.values()) > 50


@pytest.mark.parametrize(("first", "ending"), [(0, "_holm"), (1, "_holm_seeds_1_9")])
def test_verdicts_after_holms_correction_are_those_that_were_published(tabular, first, ending):
    published = {row["optimizer"]: row for row in rows("tabular_verdicts.csv")}
    words = ("helps", "no_difference", "hurts")
    found = {name: Counter() for name in published}
    for by in tabular.values():
        places = list(itertools.combinations(by, 2))
        pairs = corrected([estimate(by[a][first:], by[b][first:]) for a, b in places])
        for (a, b), pair in zip(places, pairs, strict=True):
            if "adamw" in (a, b):
                other, sign = (b, -1) if a == "adamw" else (a, 1)
                found[other][named(sign * pair.alone.mean, pair.p_value, words)] += 1
    different = sum(
        abs(found[name][word] - int(row[word + ending])) for name, row in published.items() for word in words
    )
    assert different <= 4


# a speedrun's third track


def test_means_of_speedruns_are_those_that_were_published():
    runs = defaultdict(list)
    for row in rows("speedrun_track3.csv"):
        if row["loss_at_claimed_steps"]:
            runs[row["result"], row["group"], row["claimed_steps"]].append(float(row["loss_at_claimed_steps"]))
    checked = 0
    for row in rows("speedrun_track3_evidence.csv"):
        losses = runs[row["result"], row["group"], row["claimed_steps"]]
        assert len(losses) == int(row["n_in_logs"])
        mean, low, high = mean_interval(losses)
        assert mean == pytest.approx(float(row["mean_from_logs"]), abs=1e-6)
        if len(losses) > 1:
            half = stats.t.ppf(0.975, len(losses) - 1) * float(row["sd_from_logs"]) / math.sqrt(len(losses))
            assert (low, high) == pytest.approx((mean - half, mean + half), abs=2e-5)
        if row["result"] not in ("6", "8"):  # whose logs give another last digit
            assert abs(mean - float(row["published_mean"])) < 5.001e-5
            checked += 1
    assert checked > 30


def test_four_of_the_p_values_of_speedruns_follow_from_the_published_means():
    claims = [row for row in rows("speedrun_track3_claims.csv") if row["kind"] == "p_value"]
    assert len(claims) == 5
    found = []
    for row in claims:
        gained = 0.0045 * (int(row["new_steps"]) - int(row["old_steps"])) / 100
        gap = float(row["old_mean_published"]) - float(row["new_mean_published"]) - gained
        scale = math.sqrt(1 / int(row["new_n"]) + 1 / int(row["old_n"]))
        p_value = float(stats.norm.sf(gap / scale / 0.0013))
        assert p_value == pytest.approx(float(row["recomputed_from_published_means"]), abs=1e-4)
        digits = len(row["published"].partition(".")[2])
        found.append(round(p_value, digits) == float(row["published"]))
    assert found.count(True) == 4  # the fifth needs means with more digits than were published
