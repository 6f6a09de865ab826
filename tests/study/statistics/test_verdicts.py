import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.study.statistics.standard import standard_sample
from trimtab.study.statistics import PairedDifference, paired_difference, verdict

INF, NAN = math.inf, math.nan

samples = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=12)


def difference(low, mean, high, smallest=1.0):
    return PairedDifference(mean, low, high, 0.5, smallest, 5, 0.95)


@pytest.mark.parametrize(
    ("low", "mean", "high", "smallest", "claimed", "expected"),
    [
        (0.5, 1.5, 2.5, 1.3, 1.0, "confirmed"),
        (0.5, 1.0, 1.5, 0.7, 1.0, "confirmed"),  # exactly as claimed
        (0.1, 0.5, 0.9, 0.5, 1.0, "refuted"),  # an improvement, but not that large
        (-2.0, -1.0, -0.1, 1.3, 1.0, "refuted"),
        (-0.4, 0.1, 0.6, 0.7, 1.0, "refuted"),
        (-1.0, 1.5, 4.0, 3.3, 1.0, "underpowered"),  # as large as claimed, if it is anything
        (-1.0, 0.5, 2.0, 2.0, 1.0, "underpowered"),
        (0.1, 0.8, 1.5, 1.1, 1.0, "underpowered"),  # an improvement, of unclear size
        (-0.1, 0.5, 1.1, 0.9, 1.0, "inconclusive"),
        (-0.1, 0.45, 1.0, 0.8, 1.0, "inconclusive"),  # the claim is the interval's end: not excluded
        (-0.1, 0.5, 1.1, 1.0, 1.0, "inconclusive"),  # the claim is just detectable
        (0.5, 1.5, 2.5, 1.3, 0.0, "confirmed"),
        (-2.5, -1.5, -0.5, 1.3, 0.0, "refuted"),
        (-1.0, 0.5, 2.0, 2.0, 0.0, "inconclusive"),
        (-1.0, -0.5, 0.0, 0.7, 0.0, "inconclusive"),
        (0.0, 0.0, 0.0, 0.0, 0.0, "inconclusive"),  # all differences exactly zero
        (0.0, 0.0, 0.0, 0.0, 1e-9, "refuted"),
        (1.0, 1.0, 1.0, 0.0, 1.0, "confirmed"),
    ],
)
def test_the_table_of_verdicts(low, mean, high, smallest, claimed, expected):
    assert verdict(difference(low, mean, high, smallest), claimed) == expected


def test_verdicts_from_runs():
    baseline = np.array([0.50, 0.52, 0.48, 0.51, 0.49])
    noise = 0.01 * standard_sample(5)
    assert verdict(paired_difference(baseline, baseline - 0.1 - noise), 0.05) == "confirmed"
    assert verdict(paired_difference(baseline, baseline - 0.02 - noise), 0.05) == "refuted"
    assert verdict(paired_difference(baseline, baseline - 0.02 - 10 * noise), 0.05) == "underpowered"
    assert verdict(paired_difference(baseline, baseline - 0.04 - noise), 0.05) == "inconclusive"


@settings(deadline=None)
@given(samples, st.floats(0.001, 1e6))
@example([1.0, 1.0], 1.0)
def test_a_claim_that_the_mean_reaches_is_confirmed_or_lacks_power(values, claimed):
    d = paired_difference(values, [0.0] * len(values))
    if d.mean >= claimed:
        assert verdict(d, claimed) == ("confirmed" if d.low > 0 else "underpowered")
    else:
        assert verdict(d, claimed) != "confirmed"
    assert (verdict(d, claimed) == "refuted") == (d.high < claimed)


@pytest.mark.parametrize("claimed", [-0.1, NAN, INF])
def test_a_claim_is_a_size(claimed):
    with pytest.raises(ValueError, match="claimed="):
        verdict(difference(0, 1, 2), claimed)
