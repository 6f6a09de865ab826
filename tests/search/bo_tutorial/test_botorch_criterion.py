"""BoTorch's acquisition functions for a search on arrays, and the global generators that a model may draw from."""

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogExpectedImprovement

from tests.search.bo_tutorial.fast import HYPERPARAMETERS, botorch, observed, single
from tests.search.bo_tutorial.test_sampler import Members
from trimtab.primitives.global_randomness import seeded_globally
from trimtab.search.bo_tutorial.botorch_criterion import BoTorchCriterion, acquisition_of
from trimtab.search.bo_tutorial.fast_acquisition import LogNoisyImprovement
from trimtab.search.bo_tutorial.fast_gp import FastGP
from trimtab.search.bo_tutorial.posterior_mean_improvement import PosteriorMeanImprovement

NONE = torch.empty(0, 3, dtype=torch.float64)


def test_values_and_gradients_are_those_of_the_fast_one():
    data = single(*observed())
    model, reported = botorch(data, HYPERPARAMETERS).eval(), torch.tensor(data.points)
    criterion = BoTorchCriterion(acquisition_of("noisy_ei", model, reported, NONE, 0))
    fast = LogNoisyImprovement(FastGP(data, HYPERPARAMETERS), np.ones(25, dtype=bool))
    points = np.random.default_rng(5).random((8, 3))
    values, gradients = criterion.values_and_gradients(points)
    expected, slopes = fast.values_and_gradients(points)
    np.testing.assert_allclose(values, expected + np.log(data.spread), rtol=1e-8)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(values, criterion.values(points))


@pytest.mark.parametrize("name", ["noisy_ei", "ei"])
def test_the_acquisition_is_the_one_that_was_named_if_the_posterior_allows(name):
    data = single(*observed())
    points = torch.tensor(data.points)
    gaussian = acquisition_of(name, botorch(data, HYPERPARAMETERS).eval(), points, points[:2], 0)
    assert type(gaussian) is (PosteriorMeanImprovement if name == "noisy_ei" else qLogExpectedImprovement)
    assert len(gaussian.X_pending) == 2
    with seeded_globally(0):
        other = acquisition_of(name, Members(points, None), points, NONE, 0)
    assert type(other) is qLogExpectedImprovement


def test_what_is_not_a_number_is_the_lowest_there_is():
    class Broken(torch.nn.Module):
        def forward(self, X):
            return (X[:, 0, 0] - 0.5).sqrt()

    values, gradients = BoTorchCriterion(Broken()).values_and_gradients(np.array([[0.75], [0.25]]))
    assert values.tolist() == [0.5, -1e100]
    assert gradients.tolist() == [[1.0], [0.0]]
