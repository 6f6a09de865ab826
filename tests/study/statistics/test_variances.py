import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from trimtab.study.statistics.variances import (
    FAR_OUT,
    Prior,
    moderated,
    prior_by_moments,
    winsorized_prior,
)

SCATTERED = np.array([2.1, 0.02, 1.3, 0.4, 0.07, 3.9, 0.9, 0.25, 0.6, 1.7])
UNEQUAL = np.array([2.0, 2, 3, 4, 2, 5, 2, 3, 2, 2])
ALIKE = np.array([0.31, 0.12, 0.55, 0.08, 0.27, 0.91, 0.19, 0.44])


def same(value, freedom):
    return np.full(len(value), float(freedom))


def drawn(generator, count, own, prior, centre=1.0):
    """Sample variances with ``own`` degrees of freedom, of true ones that come from a prior."""
    true = centre * prior / generator.chisquare(prior, count) if math.isfinite(prior) else np.full(count, centre)
    return true * generator.chisquare(own, count) / own


# the prior


@pytest.mark.parametrize(
    ("variances", "freedoms", "centre", "prior"),
    [
        (SCATTERED, same(SCATTERED, 2), 0.62351390330227, 2.85027915514158),
        (SCATTERED, UNEQUAL, 0.522116824875959, 2.458835689153901),
    ],
)
def test_moments_agree_with_limma(variances, freedoms, centre, prior):
    # fitFDist of limma 3.54.1
    found = prior_by_moments(variances, freedoms)
    assert found.variance == pytest.approx(centre, rel=1e-10)
    assert found.freedom == pytest.approx(prior, rel=1e-10)


def test_variances_that_differ_no_more_than_by_chance_have_a_prior_that_is_sure():
    # limma 3.54.1 finds infinitely many degrees of freedom as well, also with robust = TRUE
    found = prior_by_moments(ALIKE, same(ALIKE, 3))
    assert found.freedom == winsorized_prior(ALIKE, same(ALIKE, 3)).freedom == math.inf
    # logarithms of chi-square variables with 3 degrees of freedom have the mean psi(3/2) + log 2
    bias = float(special.digamma(1.5)) - math.log(1.5)
    assert found.variance == pytest.approx(math.exp(np.log(ALIKE).mean() - bias))


def test_moments_by_hand():
    # two variances with 2 degrees of freedom, where psi(1) = -gamma and psi'(1) = pi^2 / 6: the logarithms' variance is
    # log(100)^2 / 2, and what is left of it is the trigamma of half the prior's degrees of freedom
    found = prior_by_moments(np.array([0.1, 10.0]), np.array([2.0, 2.0]))
    left = math.log(100) ** 2 / 2 - math.pi**2 / 6
    assert float(special.polygamma(1, found.freedom / 2)) == pytest.approx(left, rel=1e-9)
    centre = np.euler_gamma + float(special.digamma(found.freedom / 2)) - math.log(found.freedom / 2)
    assert found.variance == pytest.approx(math.exp(centre), rel=1e-9)


@pytest.mark.parametrize("estimate", [prior_by_moments, winsorized_prior])
@pytest.mark.parametrize(("own", "prior"), [(2, 4.0), (2, 12.0), (9, 4.0), (4, math.inf)])
def test_the_prior_that_many_variances_come_from_is_found(estimate, own, prior):
    variances = drawn(np.random.default_rng(own), 40_000, own, prior, centre=3.0)
    found = estimate(variances, same(variances, own))
    assert found.variance == pytest.approx(3.0, rel=0.05)
    assert found.freedom == pytest.approx(prior, rel=0.1) if math.isfinite(prior) else found.freedom > 100


def test_winsorized_moments_hardly_notice_a_few():
    variances = drawn(np.random.default_rng(0), 200, 4, 10.0)
    wild = np.append(variances, [1e4, 1e5, 1e6, 1e7])
    plain, robust = (estimate(wild, same(wild, 4)).freedom for estimate in (prior_by_moments, winsorized_prior))
    assert plain < 1.5 < 6 < robust < 20


# moderated


def test_a_moderated_variance_is_the_mean_of_its_own_and_the_common_one():
    variances, freedoms = SCATTERED, UNEQUAL
    found = moderated(variances, freedoms)
    assert found.prior == prior_by_moments(variances, freedoms)  # nobody is far out
    expected = (found.borrowed * found.prior.variance + freedoms * variances) / (found.borrowed + freedoms)
    np.testing.assert_allclose(found.variances, expected, rtol=1e-12)
    assert found.borrowed == pytest.approx(np.full(10, found.prior.freedom))


def test_nobody_borrows_more_than_the_others_have():
    found = moderated(np.array([1.0, 1.1, 0.9]), np.array([2.0, 4.0, 3.0]))
    assert found.prior.freedom == math.inf
    assert found.borrowed.tolist() == [7.0, 5.0, 6.0]
    sums = np.array([2.0, 4.4, 2.7]) + found.borrowed * found.prior.variance
    assert found.variances == pytest.approx(sums / 9)


def test_one_that_varies_far_more_neither_lends_nor_borrows():
    steady = drawn(np.random.default_rng(1), 15, 4, math.inf)
    alone, beside = moderated(steady, same(steady, 4)), moderated(np.append(steady, 400.0), np.full(16, 4.0))
    assert beside.borrowed[-1] < 1e-6
    assert beside.variances[-1] == pytest.approx(400.0, rel=1e-6)
    assert beside.prior == alone.prior
    np.testing.assert_allclose(beside.variances[:-1], alone.variances, rtol=0.05)
    # without leaving it out, nobody would have lent much
    assert prior_by_moments(np.append(steady, 400.0), np.full(16, 4.0)).freedom < 4 < alone.borrowed.min()


def test_two_that_hide_each_other_are_found_as_well():
    steady = drawn(np.random.default_rng(2), 14, 4, math.inf)
    found = moderated(np.append(steady, [900.0, 1100.0]), np.full(16, 4.0))
    assert found.borrowed[-2:].max() < 0.1 < 10 < found.borrowed[:-2].min()


def test_one_without_any_spread_says_nothing_of_the_others():
    alone, beside = moderated(ALIKE, same(ALIKE, 3)), moderated(np.append(ALIKE, 0.0), np.full(9, 3.0))
    assert beside.prior == alone.prior
    assert beside.variances[-1] == pytest.approx(
        beside.borrowed[-1] * beside.prior.variance / (beside.borrowed[-1] + 3)
    )


def test_the_share_of_those_left_out_by_chance_is_small():
    generator = np.random.default_rng(3)
    left = 0
    for _ in range(400):
        variances = drawn(generator, 16, 2, 8.0)
        first = winsorized_prior(variances, same(variances, 2))
        left += bool((first.tail(variances, same(variances, 2)) < FAR_OUT / 16).any())
    assert 0.02 < left / 400 < 0.2  # 0.1 if the prior were known


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=12), st.integers(1, 30))
def test_any_variances_are_moderated_within_their_range(variances, freedom):
    array = np.array(variances)
    found = moderated(array, same(array, freedom))
    assert np.isfinite(found.variances).all()
    assert (found.borrowed >= 0).all()
    assert (found.borrowed <= freedom * (len(array) - 1) * (1 + 1e-12)).all()
    order = np.argsort(array, kind="stable")
    assert (np.diff(found.borrowed[order]) <= 1e-9).all()  # the larger, the less


@settings(deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=8), st.floats(1e-3, 1e3))
def test_the_unit_does_not_matter(variances, unit):
    array = np.array(variances)
    found, scaled = moderated(array, same(array, 3)), moderated(array * unit, same(array, 3))
    np.testing.assert_allclose(scaled.variances, found.variances * unit, rtol=1e-6)
    np.testing.assert_allclose(scaled.borrowed, found.borrowed, rtol=1e-5, atol=1e-9)


def test_the_tail_is_that_of_the_f_distribution():
    variances, freedoms = np.array([0.5, 2.0]), np.array([3.0, 5.0])
    for prior, law in (
        (Prior(2.0, 7.0), lambda x, d: stats.f.sf(x, d, 7)),
        (Prior(2.0, math.inf), lambda x, d: stats.chi2.sf(x * d, d)),
    ):
        expected = [law(v / 2, d) for v, d in zip(variances, freedoms, strict=True)]
        assert prior.tail(variances, freedoms) == pytest.approx(expected, rel=1e-9)
