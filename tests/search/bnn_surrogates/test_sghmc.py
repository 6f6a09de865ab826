"""Scale-adapted SGHMC."""

import pytest
import torch
from scipy.linalg import solve_discrete_lyapunov

from tests.search.bnn_surrogates import linear
from trimtab.search import SGHMCSurrogate
from trimtab.search.bnn_surrogates.network import Network
from trimtab.search.bnn_surrogates.sghmc import ScaleAdaptedSampler
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior
from trimtab.study.errors import InputError

X, Y = linear.data()
SMALL = {"hidden": (4,), "steps": 60, "burn_in": 20, "seed": 0}


def test_steps_are_those_of_the_formulas():
    """Number by number, with the noise drawn alike."""
    gradients = torch.randn(6, 1, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3
    begin = torch.randn(1, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    lr, friction = 0.1, 0.05
    sampler = ScaleAdaptedSampler(begin, lr, friction)
    ours, theirs = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    tau, g, v, p = [1.0] * 4, [1.0] * 4, [1.0] * 4, [0.0] * 4
    w = begin[0].tolist()
    for step, gradient in enumerate(gradients):
        sampler.step(gradient, ours, adapt=step < 4)
        noise = torch.randn(1, 4, generator=theirs, dtype=torch.float64)[0].tolist()
        for i, slope in enumerate(gradient[0].tolist()):
            if step < 4:
                r = 1 / (tau[i] + 1)
                tau[i] += 1 - tau[i] * g[i] ** 2 / v[i]
                g[i] += r * (slope - g[i])
                v[i] += r * (slope**2 - v[i])
            variance = max(2 * lr**2 * friction * v[i] ** -0.5 - lr**4, 1e-16)
            p[i] += -(lr**2) * v[i] ** -0.5 * slope - friction * p[i] + variance**0.5 * noise[i]
            w[i] += p[i]
    torch.testing.assert_close(sampler.weights[0], torch.tensor(w, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert len({round(each, 9) for each in v}) == 4


def stationary(lr, friction, square):
    """The covariance that a chain with all data and scales that are found ends in, from its own steps."""
    target = WeightPosterior(Network(2, (), 1, "tanh"), X, linear.standard(Y), linear.PRIOR_VAR, linear.NOISE_VAR)
    mean, _ = linear.closed_form(X, Y)

    def moved(state, generator):
        sampler = ScaleAdaptedSampler(state[None, :3] + mean, lr, friction)
        sampler.momentum, sampler.square = state[None, 3:], square
        sampler.step(-target.gradient(sampler.weights), generator, adapt=False)
        return torch.cat([sampler.weights[0] - mean, sampler.momentum[0]])

    def seeded():
        return torch.Generator().manual_seed(0)

    still = moved(torch.zeros(6, dtype=torch.float64), seeded())  # noise alone: at the mean there is no gradient
    matrix = torch.stack([moved(unit, seeded()) - still for unit in torch.eye(6, dtype=torch.float64)], dim=1)
    drawn = torch.randn(1, 3, generator=seeded(), dtype=torch.float64)[0]
    scales = still[3:] / drawn
    noise = torch.diag(torch.cat([scales, scales])) ** 2
    noise[:3, 3:] = noise[3:, :3] = torch.diag(scales**2)
    return torch.as_tensor(solve_discrete_lyapunov(matrix.numpy(), noise.numpy()))[:3, :3]


def test_the_stationary_covariance_tends_to_the_posterior_s_as_the_square_of_the_rate():
    _, covariance = linear.closed_form(X, Y)
    square = covariance.inverse().diagonal()[None]  # what v tends to with all data
    errors = []
    for lr in (0.02, 0.01, 0.005):
        found = stationary(lr, 0.2, square)
        errors.append(float((found - covariance).norm() / covariance.norm()))
    assert errors[0] < 0.05
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("batch", [20, 10])
def test_chains_have_the_moments_of_linear_regression(batch):
    """With inputs that are standardised, as the surrogate has them."""
    inputs = linear.standard(X)
    target = WeightPosterior(Network(2, (), 1, "tanh"), inputs, linear.standard(Y), linear.PRIOR_VAR, linear.NOISE_VAR)
    mean, covariance = linear.closed_form(inputs, Y)
    generator = torch.Generator().manual_seed(0)
    sampler = ScaleAdaptedSampler(mean.expand(50, 3), 0.01, 0.1)
    draws = []
    for step in range(3000):
        rows = torch.randperm(20, generator=generator)[:batch]
        sampler.step(-target.estimated_gradient(sampler.weights, rows), generator, adapt=step < 500)
        if step >= 1000 and step % 10 == 0:
            draws.append(sampler.weights)
    chains = torch.stack(draws)
    scale = covariance.diagonal().sqrt()
    moments = (linear.second_moments(chains, mean), covariance.flatten(), torch.outer(scale, scale).flatten())
    for values, expected, unit in ((chains, mean, scale), moments):
        # the chains see the same points at each step, so errors come from batches over time
        together = values.mean(1)
        errors = linear.batch_errors(together, 20)
        assert (errors < 0.07 * unit).all()
        assert ((together.mean(0) - expected).abs() < 4 * errors).all()


def test_what_is_kept():
    model = SGHMCSurrogate(X, Y, **SMALL).fit()
    assert model.weight_draws.shape == (8, 17)  # each fifth of the last 40
    longer = SGHMCSurrogate(X, Y, **(SMALL | {"keep_every": 1})).fit()
    assert torch.equal(model.weight_draws, longer.weight_draws[4::5])
    assert torch.equal(model.weight_draws, SGHMCSurrogate(X, Y, **SMALL).fit().weight_draws)


def test_inputs_are_standardised():
    model = SGHMCSurrogate(X, Y, **SMALL)
    torch.testing.assert_close(model.scaled(X), linear.standard(X), rtol=1e-13, atol=1e-13)
    flat = X.clone()
    flat[:, 1] = 0.25
    model = SGHMCSurrogate(flat, Y, **SMALL).fit()
    assert torch.equal(model.scaled(flat)[:, 1], torch.zeros(20, dtype=torch.float64))
    assert model.posterior(flat).mean.isfinite().all()


def test_weights_that_run_away():
    with pytest.raises(RuntimeError, match="did not stay finite"):
        SGHMCSurrogate(X, Y, **SMALL, noise_var=1e-200).fit()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps=0"),
        ({"burn_in": 58}, "steps=60: more than burn_in=58 by keep_every=5"),
        ({"keep_every": 0}, "keep_every=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"lr": 2.0}, r"lr=2.0: a number in \(0, 1\]"),
        ({"friction": 1.5}, "friction=1.5"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError, match=words):
        SGHMCSurrogate(X, Y, **(SMALL | settings))
