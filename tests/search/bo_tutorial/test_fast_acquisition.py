"""Fast acquisition functions beside the same of BoTorch's model, and their gradients beside differences."""

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, LogProbabilityOfImprovement

from tests.search.bo_tutorial.fast import HYPERPARAMETERS, botorch, observed, single
from trimtab.search.bo_tutorial.fast_acquisition import (
    LogFeasibility,
    LogImprovement,
    LogNoisyImprovement,
    PosteriorMean,
    Sum,
)
from trimtab.search.bo_tutorial.fast_fit import Hyperparameters
from trimtab.search.bo_tutorial.fast_gp import FastGP
from trimtab.search.bo_tutorial.posterior_mean_improvement import PosteriorMeanImprovement


def both(function, points):
    inputs = torch.tensor(points)[:, None].requires_grad_()
    values = function(inputs)
    (gradients,) = torch.autograd.grad(values.sum(), inputs)
    return values.detach().numpy(), gradients[:, 0].numpy()


@pytest.mark.parametrize("noise", [0.5, 0.07, 1e-4])
@pytest.mark.parametrize("kind", ["noisy", "plain", "feasible"])
def test_they_are_the_slow_ones(kind, noise):
    data = single(*observed())
    hyperparameters = Hyperparameters(HYPERPARAMETERS.lengthscales, noise)
    process, model = FastGP(data, hyperparameters), botorch(data, hyperparameters).eval()
    some = np.random.default_rng(1).random(25) < 0.6
    best = torch.tensor(process.original(process.means[some]).max())
    ours, theirs, unit = {
        "noisy": (
            LogNoisyImprovement(process, some),
            PosteriorMeanImprovement(model, torch.tensor(data.points[some])),
            np.log(data.spread),
        ),
        "plain": (LogImprovement(process, some), LogExpectedImprovement(model, best_f=best), np.log(data.spread)),
        "feasible": (LogFeasibility([process]), LogProbabilityOfImprovement(model, best_f=0.0), 0.0),
    }[kind]
    points = np.random.default_rng(2).random((30, 3)) * 1.2 - 0.1
    values, gradients = ours.values_and_gradients(points)
    expected, slopes = both(theirs, points)
    np.testing.assert_allclose(values, expected - unit, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-4, atol=1e-5 * np.abs(slopes).max())
    np.testing.assert_array_equal(values, ours.values(points))


@pytest.mark.parametrize("kind", ["noisy", "mean", "sum", "pending"])
def test_gradients(kind):
    process = FastGP(single(*observed()), HYPERPARAMETERS)
    generator = np.random.default_rng(3)
    every = np.ones(25, dtype=bool)
    extended = process.with_pending(generator.random((3, 3)))
    criterion = {
        "noisy": LogNoisyImprovement(process, every),
        "mean": PosteriorMean(process),
        "sum": Sum([LogNoisyImprovement(process, every), LogFeasibility([process, extended])]),
        "pending": LogNoisyImprovement(extended, np.append(every, [True, False, True])),
    }[kind]
    points = generator.random((12, 3))
    steps = 1e-6 * np.eye(3)
    numeric = np.stack([(criterion.values(points + s) - criterion.values(points - s)) / 2e-6 for s in steps], 1)
    np.testing.assert_allclose(criterion.values_and_gradients(points)[1], numeric, rtol=1e-4, atol=1e-5)


def test_where_the_value_underflows_there_is_a_logarithm_and_a_gradient():
    points = np.linspace(0, 1, 30)[:, None]
    data, hyperparameters = single(points, -1e3 * points[:, 0]), Hyperparameters(np.array([3.0]), 1e-4)
    ours = LogNoisyImprovement(FastGP(data, hyperparameters), np.ones(30, dtype=bool))
    theirs = PosteriorMeanImprovement(botorch(data, hyperparameters).eval(), torch.tensor(points))
    far = np.array([[0.7], [0.9]])
    values, gradients = ours.values_and_gradients(far)
    assert (values < -800).all()
    expected, slopes = both(theirs, far)
    np.testing.assert_allclose(values, expected - np.log(data.spread), rtol=1e-4)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-3)


def test_a_single_line_has_nothing_to_gain():
    process = FastGP(single(np.array([[0.5]]), np.array([1.0])), Hyperparameters(np.array([0.5]), 0.1))
    criterion = LogNoisyImprovement(process, np.array([True]))
    values, gradients = criterion.values_and_gradients(np.array([[0.5], [0.9]]))
    assert values[0] <= values[1]
    assert np.isfinite(values).all()
    assert np.isfinite(gradients).all()
