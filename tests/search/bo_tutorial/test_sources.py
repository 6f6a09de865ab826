"""The kernel of several sources."""

import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from tests.search.bo_tutorial.known import some
from trimtab.search.bo_tutorial.sources import AdditiveDiscrepancyKernel


def labelled(n=6, sources=3):
    X = some(n, 2)[0]
    return torch.cat([X, (torch.arange(n) % sources).double()[:, None]], -1)


def test_its_entries_are_those_of_the_definition():
    kernel = AdditiveDiscrepancyKernel(2, 3).double()
    kernel.discrepancies[0].outputscale = 0.5
    kernel.discrepancies[1].base_kernel.lengthscale = 0.1
    points = labelled()
    with torch.no_grad():
        found = kernel(points, points[:4]).to_dense()
        for i, x in enumerate(points):
            for j, y in enumerate(points[:4]):
                expected = kernel.objective(x[None, :2], y[None, :2]).to_dense()[0, 0]
                source = int(x[2])
                if source == int(y[2]) != 0:
                    expected = expected + kernel.discrepancies[source - 1](x[None, :2], y[None, :2]).to_dense()[0, 0]
                assert found[i, j].item() == pytest.approx(expected.item(), rel=1e-12), (i, j)
        assert torch.allclose(kernel(points, diag=True), kernel(points).to_dense().diagonal(), rtol=1e-12)
        batches = kernel(points.reshape(3, 2, 3), points[:4].expand(3, 4, 3)).to_dense()
        assert torch.allclose(batches.reshape(6, 4), found, rtol=1e-12)


def test_one_source_is_one_process():
    X, Y = some(8, 2)
    alone = SingleTaskGP(X, Y)
    kernel = AdditiveDiscrepancyKernel(2, 1)
    together = SingleTaskGP(torch.cat([X, 0 * Y], -1), Y, covar_module=kernel)
    for model in (alone, together):
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    new = some(20, 2, seed=1)[0]
    expected = alone.posterior(new)
    found = together.posterior(torch.cat([new, torch.zeros(20, 1, dtype=torch.float64)], -1))
    assert torch.allclose(found.mean, expected.mean, rtol=1e-6, atol=1e-8)
    assert torch.allclose(found.variance, expected.variance, rtol=1e-6, atol=1e-8)
