"""Observations, and BoTorch's model with the hyper-parameters of the fast one, for tests."""

import numpy as np
import torch
from botorch.models import SingleTaskGP

from trimtab.search.bo_tutorial.fast_fit import Data, Hyperparameters
from trimtab.search.bo_tutorial.fast_gp import FastGP


def observed(n=25, d=3, noise=0.3, seed=0):
    generator = np.random.default_rng(seed)
    points = generator.random((n, d))
    values = np.sin(5 * points).sum(1) + noise * generator.standard_normal(n)
    return points, 3 + 7 * values


def single(points, values):
    return Data(points, values, np.ones(len(points)))


def repeated(seed=0):
    """Repeats: all observations, and the same merged."""
    points, _ = observed(12, 2, seed=seed)
    generator = np.random.default_rng(seed)
    group = np.sort(np.append(np.arange(12), generator.integers(12, size=15)))
    values = np.sin(5 * points).sum(1)[group] + 0.3 * generator.standard_normal(len(group))
    counts = np.bincount(group).astype(float)
    means = np.bincount(group, values) / counts
    return single(points[group], values), Data(points, means, counts, float(np.square(values - means[group]).sum()))


def botorch(data, hyperparameters):
    model = SingleTaskGP(torch.tensor(data.points), torch.tensor(data.means)[:, None])
    model.covar_module.lengthscale = torch.tensor(hyperparameters.lengthscales)
    model.likelihood.noise = torch.tensor(hyperparameters.noise, dtype=torch.float64)
    model.mean_module.constant.data.fill_(FastGP(data, hyperparameters).constant)
    return model


HYPERPARAMETERS = Hyperparameters(np.array([0.4, 1.5, 0.2]), 0.07)
