import math

import numpy as np
import pytest
from scipy import special, stats

from trimtab.study.statistics.sequential_t import nominal_levels


def p_values(samples, n):
    t = samples[:, :n].mean(axis=1) / samples[:, :n].std(axis=1, ddof=1) * math.sqrt(n)
    return 2 * special.stdtr(n - 1, -abs(t))


def test_a_single_look_has_the_whole_level():
    assert nominal_levels([7], [0.03]) == pytest.approx([0.03])


@pytest.mark.parametrize("looks", [(2, 3), (2, 3, 4, 5), (3, 6, 12, 25)])
@pytest.mark.parametrize("alpha", [0.2, 0.02])
def test_each_look_is_the_first_significant_one_as_often_as_it_is_to_be(looks, alpha):
    spent = alpha * np.linspace(1 / len(looks), 1, len(looks))
    levels = nominal_levels(looks, spent)
    samples = np.random.default_rng(0).standard_normal((200_000, looks[-1]))
    shown = np.zeros(len(samples), bool)
    for n, level, wanted in zip(looks, levels, spent, strict=True):
        shown |= p_values(samples, n) < level
        assert shown.mean() == pytest.approx(wanted, rel=0.02, abs=4 * math.sqrt(wanted / len(samples)))


def test_with_many_seeds_it_is_the_normal_theory():
    levels = nominal_levels([400, 800], [0.02, 0.05])
    first, last = (-special.ndtri(level / 2) for level in levels)
    share = math.sqrt(399.5 / 799.5)
    joint = stats.multivariate_normal([0, 0], [[1, share], [share, 1]], seed=0)
    inside = sum(
        sign * joint.cdf([a * first, b * last]) for a, b, sign in ((1, 1, 1), (-1, 1, -1), (1, -1, -1), (-1, -1, 1))
    )
    assert 1 - inside == pytest.approx(0.05, rel=5e-3)
    assert levels[0] == pytest.approx(0.02)


def test_what_was_spent_early_is_missing_later():
    thrifty, early = (nominal_levels([2, 4, 8], spent) for spent in ([0.001, 0.01, 0.05], [0.03, 0.04, 0.05]))
    assert early[0] > thrifty[0]
    assert early[2] < thrifty[2] < 0.05
