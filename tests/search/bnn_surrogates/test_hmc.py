"""HMC as a surrogate."""

import pytest
import torch

from tests.search.bnn_surrogates import linear
from tests.search.bnn_surrogates.test_hamiltonian import check_moments
from trimtab.search import HMCSurrogate
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior, maximised
from trimtab.study.errors import InputError

X, Y = linear.data()
SMALL = {
    "hidden": (4,),
    "num_samples": 6,
    "burn_in": 20,
    "step_size": 0.05,
    "n_leapfrog": 4,
    "pretrain_steps": 100,
    "seed": 0,
}


def test_of_a_linear_network_it_is_linear_regression():
    model = HMCSurrogate(X, Y, hidden=(), num_samples=1000, burn_in=100, path=0.6, seed=0).fit()
    assert 0.7 < model.chain.acceptance < 0.97  # 0.8 was wanted
    assert model.chain.steps > 1
    check_moments(model.weight_draws, *linear.closed_form(X, Y))
    new = torch.rand(5, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    mean, covariance = linear.closed_form(X, Y)
    phi = linear.features(new)
    posterior = model.posterior(new)
    spread = (phi @ covariance * phi).sum(1, keepdim=True).sqrt() * Y.std()
    expected = Y.mean() + Y.std() * phi @ mean.unsqueeze(1)
    assert ((posterior.mean - expected).abs() < 0.2 * spread).all()
    torch.testing.assert_close(posterior.variance.sqrt(), spread, rtol=0.15, atol=0)


def test_the_chain_begins_where_training_led():
    """What the official code misses: the network that was trained is the one that is sampled."""
    model = HMCSurrogate(X, Y, **(SMALL | {"burn_in": 0, "step_size": 1e-6, "num_samples": 2})).fit()
    target = WeightPosterior(model.network, X, linear.standard(Y), linear.PRIOR_VAR, linear.NOISE_VAR)
    fresh = model.network.initial(1, model.generator())
    trained = maximised(target, fresh, steps=100, lr=1e-3)
    assert (trained - fresh).abs().max() > 0.05
    torch.testing.assert_close(model.weight_draws, trained.expand(2, -1), rtol=0, atol=1e-4)


def test_every_state_is_kept_and_the_same_comes_from_the_same_seed():
    model, again = HMCSurrogate(X, Y, **SMALL).fit(), HMCSurrogate(X, Y, **SMALL).fit()
    assert model.weight_draws.shape == (6, 17)
    assert torch.equal(model.weight_draws, again.weight_draws)
    assert torch.equal(model.weight_draws, model.fit().weight_draws)
    other = HMCSurrogate(X, Y, **(SMALL | {"seed": 1})).fit()
    assert not torch.equal(model.weight_draws, other.weight_draws)


def test_one_leapfrog_step_is_warned_of():
    with pytest.warns(UserWarning, match="one leapfrog step"):
        HMCSurrogate(X, Y, **(SMALL | {"n_leapfrog": None, "path": 1e-3, "step_size": 0.02})).fit()
    with pytest.warns(UserWarning, match="one leapfrog step"):
        HMCSurrogate(X, Y, **(SMALL | {"n_leapfrog": 1})).fit()


def test_a_chain_that_does_not_move_is_no_posterior():
    with pytest.raises(RuntimeError, match=r"HMC accepted 0\.0% of its proposals"):
        HMCSurrogate(X, Y, **(SMALL | {"burn_in": 0, "step_size": 50.0})).fit()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_samples": 0}, "num_samples=0"),
        ({"burn_in": -1}, "burn_in=-1"),
        ({"pretrain_steps": -1}, "pretrain_steps=-1"),
        ({"step_size": 0.0}, "step_size=0.0: a number > 0"),
        ({"n_leapfrog": None, "path": -1.0}, "path=-1.0: a number > 0"),
        ({"n_leapfrog": 0}, "n_leapfrog=0"),
        ({"path": 1.0}, "path=1.0, n_leapfrog=4: one of them"),
        ({"prior_var": 0.0}, "prior_var=0.0: a number > 0"),
        ({"noise_var": float("nan")}, "noise_var=nan: a finite number"),
        ({"tune": "marginal_likelihood"}, "tune='marginal_likelihood': one of 'grid', None"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError, match=words):
        HMCSurrogate(X, Y, **(SMALL | settings))
