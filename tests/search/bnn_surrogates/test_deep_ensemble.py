"""Deep ensembles."""

import pytest
import torch

from tests.search.bnn_surrogates import linear
from trimtab.search import DeepEnsembleSurrogate
from trimtab.study.errors import InputError

X, Y = linear.data()
SMALL = {"hidden": (4,), "members": 3, "steps": 20, "seed": 0}


def test_members_that_are_the_same_have_no_variance():
    model = DeepEnsembleSurrogate(X, Y, **SMALL).fit()
    assert model.posterior(X).variance.min() > 1e-6
    model.weight_draws.copy_(model.weight_draws[:1].expand(3, -1).clone())
    posterior = model.posterior(X)
    torch.testing.assert_close(posterior.variance, torch.zeros_like(Y), rtol=0, atol=1e-28)
    noisy = model.posterior(X, observation_noise=True)
    torch.testing.assert_close(noisy.variance, torch.full_like(Y, 0.1 * float(Y.var())), rtol=1e-12, atol=0)


def test_each_linear_member_is_the_regression_of_its_own_points():
    model = DeepEnsembleSurrogate(X, Y, hidden=(), members=4, steps=1500, lr=0.05, seed=3).fit()
    generator = model.generator()
    model.network.initial(4, generator)
    rows = model.rows(20, generator)
    assert rows.shape == (4, 16)
    for row, weights in zip(rows, model.weight_draws, strict=True):
        assert row.unique().numel() == 16  # without replacement
        phi, targets = linear.features(X[row]), linear.standard(Y)[row]
        precision = phi.mT @ phi / linear.NOISE_VAR + torch.eye(3, dtype=torch.float64) / linear.PRIOR_VAR
        expected = torch.linalg.solve(precision, phi.mT @ targets / linear.NOISE_VAR).squeeze(1)
        torch.testing.assert_close(weights, expected, rtol=1e-5, atol=1e-5)
    assert len({tuple(row.tolist()) for row in rows}) == 4


def test_how_many_points_each_member_sees():
    for points, size in ((20, 16), (21, 17), (2, 2), (3, 3)):
        model = DeepEnsembleSurrogate(X[:20], Y[:20], **SMALL)
        assert model.rows(points, model.generator()).shape == (3, size)
    whole = DeepEnsembleSurrogate(X, Y, **SMALL, subset=1.0)
    assert torch.equal(whole.rows(20, whole.generator()).sort(1).values, torch.arange(20).expand(3, 20))


def test_the_same_comes_from_the_same_seed():
    one, other = (DeepEnsembleSurrogate(X, Y, **(SMALL | {"seed": seed})).fit() for seed in (0, 1))
    assert torch.equal(one.weight_draws, DeepEnsembleSurrogate(X, Y, **SMALL).fit().weight_draws)
    assert not torch.equal(one.weight_draws, other.weight_draws)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"members": 1}, "members=1"),
        ({"subset": 0.0}, r"subset=0.0: a share in \(0, 1\]"),
        ({"subset": True}, "subset=True"),
        ({"steps": 0}, "steps=0"),
        ({"lr": -1.0}, "lr=-1.0"),
        ({"hidden": (3, 0)}, "hidden=0"),
        ({"activation": "sine"}, "activation='sine'"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError, match=words):
        DeepEnsembleSurrogate(X, Y, **(SMALL | settings))
