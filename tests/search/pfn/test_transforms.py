"""The transform of outputs: scikit-learn's, what is done with extreme values, and that it keeps the order."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.preprocessing import PowerTransformer

from trimtab.search.pfn.transforms import OutputTransform
from trimtab.study.errors import InputError

SKEWED = np.exp(np.random.default_rng(0).normal(size=30))


def test_it_is_yeo_and_johnsons_standardised():
    theirs, ours = PowerTransformer().fit(SKEWED[:, None]), OutputTransform(SKEWED)
    for values in (SKEWED, np.array([-1.0, 0.0, 7.0])):
        assert ours(values) == pytest.approx(theirs.transform(values[:, None])[:, 0], abs=1e-5)
    assert abs(stats.skew(ours(SKEWED))) < 0.3 < stats.skew(SKEWED)


@pytest.mark.parametrize("values", [SKEWED * 2000, SKEWED + 5000, -SKEWED * 1e9])
def test_far_from_zero_it_is_standardised_first(values):
    standard = (values - values.mean()) / values.std()
    assert OutputTransform(values)(values) == pytest.approx(OutputTransform(standard)(standard), abs=1e-6)


def test_a_constraint_keeps_its_scale_about_zero_beside_a_value_that_is_far_off():
    slacks = np.array([0.5, -0.5, 0.2, -0.3, 1.0, -0.8, -2.0, 0.4, -99998.7])
    apart = np.array([-0.3, 0.0, 0.2])
    assert np.ptp(OutputTransform(slacks)(apart)) < 1e-3
    constraint = OutputTransform(slacks, about_zero=True)
    assert (np.diff(constraint(apart)) > 0.1).all()
    theirs = PowerTransformer().fit(slacks[:, None])
    assert constraint(apart) == pytest.approx(theirs.transform(apart[:, None])[:, 0], abs=1e-5)


@pytest.mark.parametrize("about_zero", [False, True])
@pytest.mark.parametrize("values", [SKEWED, -(SKEWED**6), np.arange(5.0), SKEWED * 1e-9, np.array([0, 0, 0, 1e250])])
def test_it_is_finite_and_keeps_the_order(values, about_zero):
    transform = OutputTransform(values, about_zero=about_zero)
    transformed = transform(np.sort(values))
    assert np.isfinite(transformed).all()
    assert (np.diff(transformed) >= 0).all()
    assert transformed[0] < transformed[-1]
    assert np.isfinite(transform(np.array([-1e300, 0.0, 1e300]))).all()


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0], [0.0], [9.7e7] * 4])
def test_equal_values_stand_at_zero(values):
    transform = OutputTransform(np.array(values))
    assert transform(np.array(values)) == pytest.approx(np.zeros(len(values)))
    assert (transform(np.array([values[0] + 1.0, values[0] - 1.0])) * [1, -1] > 0).all()


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], [[1.0]]])
def test_values_that_cannot_be_are_refused(values):
    with pytest.raises(InputError, match="at least one observation"):
        OutputTransform(np.array(values))
