import math

import numpy as np
import pytest
from scipy import stats

from tests.study.statistics.standard import standard_sample
from trimtab.study.statistics import paired_difference


def smallest_detectable(n, confidence=0.95):
    shared = np.sqrt(np.arange(n) + 2.0)
    return paired_difference(standard_sample(n) + shared, shared, confidence).smallest_detectable


@pytest.mark.parametrize("n", [3, 4, 5, 6, 10, 30, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_noncentral_t_gives_the_smallest_detectable_effect_80_percent_power(n, confidence):
    critical = stats.t.ppf((1 + confidence) / 2, n - 1)
    noncentrality = smallest_detectable(n, confidence) * math.sqrt(n)
    power = stats.nct.sf(critical, n - 1, noncentrality) + stats.nct.cdf(-critical, n - 1, noncentrality)
    assert power == pytest.approx(0.8, abs=1e-7)


def test_its_limits():
    # many pairs: the normal approximation, z_0.975 + z_0.8
    assert smallest_detectable(100_000) * math.sqrt(100_000) == pytest.approx(
        stats.norm.ppf(0.975) + stats.norm.ppf(0.8), rel=1e-4
    )
    # two pairs, strict test: found where S = |N(0, 1)| in the denominator is small, P(S < delta / critical) = 0.8
    critical = stats.t.ppf(0.9995, 1)
    assert smallest_detectable(2, 0.999) * math.sqrt(2) == pytest.approx(critical * stats.norm.ppf(0.9), rel=1e-4)
    # so lax a test finds "something" 80 % of the time where there is nothing
    assert smallest_detectable(5, 0.15) == 0.0
    # R's pwr.t.test(d = 0.5, power = 0.8, type = "paired") asks for n = 33.37
    assert smallest_detectable(34) < 0.5 < smallest_detectable(33)


def test_more_pairs_or_less_confidence_detect_smaller_effects():
    by_pairs = [smallest_detectable(n) for n in (2, 3, 4, 5, 10, 50)]
    by_confidence = [smallest_detectable(5, c) for c in (0.99, 0.95, 0.9, 0.5, 0.3)]
    assert by_pairs == sorted(by_pairs, reverse=True)
    assert by_confidence == sorted(by_confidence, reverse=True)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_by_simulation_the_power_is_80_percent(n):
    # 100,000 experiments: a standard error of 0.13 points, of which 3 are allowed
    runs = np.random.default_rng(n).normal(smallest_detectable(n), 1, (100_000, n))
    assert np.mean(stats.ttest_1samp(runs, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.004)
