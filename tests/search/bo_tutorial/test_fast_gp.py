"""The fast process beside BoTorch's: the same posterior, repeats merged without loss."""

import numpy as np
import pytest
import torch

from tests.search.bo_tutorial.fast import HYPERPARAMETERS, botorch, observed, repeated, single
from trimtab.search.bo_tutorial.fast_fit import LEAST_NOISE, Hyperparameters, negative_log_posterior
from trimtab.search.bo_tutorial.fast_gp import FastGP, bounded_model


def test_the_posterior_is_botorchs():
    data = single(*observed())
    process = FastGP(data, HYPERPARAMETERS)
    points = np.random.default_rng(1).random((40, 3)) * 1.4 - 0.2
    expected = botorch(data, HYPERPARAMETERS).eval().posterior(torch.tensor(points))
    means, variances = process.predict(points)
    np.testing.assert_allclose(process.original(means), expected.mean.detach().numpy()[:, 0], rtol=1e-10)
    np.testing.assert_allclose(
        variances * data.spread**2, expected.variance.detach().numpy()[:, 0], rtol=1e-8, atol=1e-8
    )
    at_inputs, _ = process.predict(data.points)
    np.testing.assert_allclose(process.means, at_inputs, atol=1e-12)


def test_merged_repeats_say_the_same_as_all_observations():
    every, merged = repeated()
    assert (merged.centre, merged.spread) == pytest.approx((every.centre, every.spread))
    one, other = (negative_log_posterior(data.standardised()) for data in (every, merged))
    for theta in (np.array([-1.0, -0.5, -2.0]), np.array([0.3, -2.0, -0.4])):
        assert one(theta)[0] == pytest.approx(other(theta)[0], abs=1e-9)
        np.testing.assert_allclose(one(theta)[1], other(theta)[1], atol=1e-9)
    hyperparameters = Hyperparameters(np.array([0.3, 0.6]), 0.1)
    points = np.random.default_rng(1).random((20, 2))
    for ours, theirs in zip(
        FastGP(merged, hyperparameters).predict(points), FastGP(every, hyperparameters).predict(points), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0], [1.0, 2.0], [1e140, -1e140, 0.0], [0.0] * 5])
def test_few_and_equal_values(values):
    points = np.random.default_rng(0).random((len(values), 2))
    process = FastGP(single(points, np.array(values)))
    assert np.isfinite(process.original(process.means)).all()
    assert process.hyperparameters.noise >= LEAST_NOISE


def test_pending_points_keep_the_means_and_take_the_variance():
    process = FastGP(single(*observed()))
    new = np.random.default_rng(3).random((2, 3))
    extended = process.with_pending(new)
    points = np.random.default_rng(4).random((30, 3))
    before, after = process.predict(points), extended.predict(points)
    np.testing.assert_allclose(before[0], after[0], atol=1e-9)
    assert (after[1] <= before[1] + 1e-9).all()
    assert extended.predict(new)[1].max() < process.hyperparameters.noise
    np.testing.assert_allclose(extended.means[-2:], process.predict(new)[0], atol=1e-9)
    assert process.with_pending(new[:0]) is process


def test_of_many_inputs_those_around_the_best_are_held():
    generator = np.random.default_rng(5)
    points = generator.random((400, 1))
    values = -np.square(points[:, 0] - 0.8) + 0.01 * generator.standard_normal(400)
    process, held = bounded_model(single(points, values), 100)
    assert held.sum() == len(process.means) == 100
    assert np.abs(points[held] - 0.8).max() < 0.25
    whole, every = bounded_model(single(points, values), 400)
    assert every.all()
    assert len(whole.means) == 400
