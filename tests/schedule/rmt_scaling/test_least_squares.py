"""The laws against the rate at which SGD on least squares diverges, for which there is an exact formula."""

import pytest
import torch

from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur
from trimtab.schedule.rmt_scaling.rmt_scaling import maximal_learning_rate


def largest_stable_rate(variances, direction, batch, repeats=400):
    """The rate at which a step with random batches keeps the mean squared error along a direction as it is.

    An error e becomes (1 - lr H) e, and its mean square grows where lr > 2 E(e H e) / E|H e|^2.
    """
    generator = torch.Generator().manual_seed(0)
    linear = squared = 0.0
    for _ in range(repeats):
        inputs = torch.randn(batch, len(variances), generator=generator, dtype=torch.float64) * variances.sqrt()
        product = inputs.T @ (inputs @ direction) / batch
        linear += float(direction @ product)
        squared += float(product.square().sum())
    return 2 * linear / squared


@pytest.mark.parametrize("batch", [4, 25, 100, 800])
def test_the_threshold_is_linear_and_then_flat(batch):
    d = 100
    variances, direction = torch.ones(d, dtype=torch.float64), torch.full((d,), d**-0.5, dtype=torch.float64)
    assert largest_stable_rate(variances, direction, batch) == pytest.approx(2 * batch / (batch + d + 1), rel=0.1)


@pytest.mark.parametrize("batch", [8, 40, 400])
def test_the_law_for_an_outlier_is_the_threshold_along_it(batch):
    variances = torch.ones(600, dtype=torch.float64)
    variances[0] = 30
    direction = torch.zeros(600, dtype=torch.float64)
    direction[0] = 1
    law = MarchenkoPastur(30.0, 1.0, 600.0, None)
    predicted = maximal_learning_rate(law.extremal(batch))
    assert predicted == pytest.approx(largest_stable_rate(variances, direction, batch), rel=0.1)


def test_without_an_outlier_the_law_is_on_the_safe_side():
    """A single batch's largest eigenvalue is in another direction each time, so that its bound is up to a half low."""
    for batch in (4, 100, 1600):
        predicted = maximal_learning_rate(MarchenkoPastur(1.0, 1.0, 100.0, None).extremal(batch))
        exact = 2 * batch / (batch + 101)
        assert 0.49 * exact < predicted < exact
