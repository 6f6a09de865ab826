"""Networks of infinite width."""

import math

import pytest
import torch

from tests.search.bnn_surrogates import linear
from trimtab.search import InfiniteWidthBNN
from trimtab.study.errors import InputError

PAIR = torch.tensor([[0.2, 0.4], [0.9, 0.1]], dtype=torch.float64)
X, Y = linear.data()


def kernel(**settings):
    return InfiniteWidthBNN(X, Y, **settings).covar_module


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (1, [[12.8, 14.2688], [14.2688, 28.3]]),
        (2, [[65.3, 76.2669], [76.2669, 142.8]]),
        (3, [[327.8, 396.7508], [396.7508, 715.3]]),
    ],
)
def test_numbers_by_hand(depth, expected):
    matrix = kernel(depth=depth)(PAIR).to_dense()
    torch.testing.assert_close(matrix, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=0)
    diagonal = kernel(depth=depth)(PAIR, diag=True)
    torch.testing.assert_close(diagonal, torch.tensor([expected[0][0], expected[1][1]], dtype=torch.float64))


def test_erf_by_hand():
    # K0: 1.3 + 10 (0.1, 0.11, 0.41) = 2.3, 2.4, 5.4; then the arcsines of 4.6/5.6, 4.8/sqrt(5.6 11.8), 10.8/11.8
    matrix = kernel(depth=1, activation="erf")(PAIR).to_dense()
    first, between, second = (
        1.3 + 20 / math.pi * math.asin(each) for each in (4.6 / 5.6, 4.8 / math.sqrt(5.6 * 11.8), 10.8 / 11.8)
    )
    expected = torch.tensor([[first, between], [between, second]], dtype=torch.float64)
    torch.testing.assert_close(matrix, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize(("activation", "function"), [("relu", torch.relu), ("erf", torch.erf)])
@pytest.mark.parametrize("depth", [1, 2])
def test_wide_networks_have_its_covariance(activation, function, depth):
    """Random networks of 700 units a layer; outputs of one are as independent as they are given its last layer."""
    weight_var, bias_var, width, networks = 2.0, 0.5, 700, 20
    generator = torch.Generator().manual_seed(depth)

    def through(values, outputs):
        weights = torch.randn(values.shape[-1], outputs, generator=generator, dtype=torch.float64)
        biases = torch.randn(outputs, generator=generator, dtype=torch.float64)
        return values @ weights * (weight_var / values.shape[-1]) ** 0.5 + biases * bias_var**0.5

    total = torch.zeros(2, 2, dtype=torch.float64)
    for _ in range(networks):
        values = PAIR
        for _ in range(depth):
            values = function(through(values, width))
        outputs = through(values, width)
        total += outputs @ outputs.T / width
    expected = kernel(activation=activation, depth=depth, weight_var=weight_var, bias_var=bias_var)(PAIR).to_dense()
    # 14 000 outputs: each entry is known within 1.2 % of the variances
    torch.testing.assert_close(total / networks, expected, rtol=0.03, atol=0)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_it_is_positive_definite_and_its_diagonal_follows_the_recursion(activation):
    points = torch.rand(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = kernel(activation=activation, depth=2)
    matrix = ours(points).to_dense()
    assert torch.linalg.eigvalsh(matrix).min() > -1e-13 * matrix.diagonal().max()
    below = kernel(activation=activation, depth=1)(points, diag=True)
    if activation == "relu":
        expected = 1.3 + 10 * below / 2
    else:
        expected = 1.3 + 20 / math.pi * torch.asin(2 * below / (1 + 2 * below))
    torch.testing.assert_close(ours(points, diag=True), expected, rtol=1e-12, atol=0)


def test_variances_are_learned_only_if_asked():
    for learn in (False, True):
        model = InfiniteWidthBNN(X, Y, learn_variances=learn)
        noise = model.likelihood.noise.item()
        model.fit()
        kept = (model.covar_module.weight_var.item(), model.covar_module.bias_var.item()) == pytest.approx((10, 1.3))
        assert kept is not learn
        assert model.likelihood.noise.item() != noise


@pytest.mark.parametrize("depth", [1, 3])
def test_the_posterior_is_the_formula_s(depth):
    model = InfiniteWidthBNN(X, Y, depth=depth, seed=0).fit()
    noise, constant = model.likelihood.noise.item(), model.mean_module.constant.item()
    new = torch.rand(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    k = model.covar_module
    solved = torch.linalg.solve(k(X).to_dense() + noise * torch.eye(20), k(X, new).to_dense())
    mean = constant + solved.mT @ (linear.standard(Y) - constant)
    posterior = model.posterior(new)
    torch.testing.assert_close(posterior.mean, Y.mean() + Y.std() * mean.detach(), rtol=1e-6, atol=1e-6)
    variance = k(new).to_dense().diagonal() - (k(new, X).to_dense() @ solved).diagonal()
    torch.testing.assert_close(posterior.variance.squeeze(1), Y.var() * variance, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_several_outputs_are_several_models(activation):
    X, Y = linear.data(outputs=2)
    Yvar = torch.full_like(Y, 0.05)
    both = InfiniteWidthBNN(X, Y, Yvar, activation=activation)
    new = X[:4] * 0.9
    for output in range(2):
        alone = InfiniteWidthBNN(X, Y[:, [output]], Yvar[:, [output]], activation=activation)
        expected = alone.posterior(new)
        found = both.subset_output([output]).posterior(new)
        for mean, variance in (
            (found.mean, found.variance),
            (both.posterior(new).mean[:, [output]], both.posterior(new).variance[:, [output]]),
        ):
            torch.testing.assert_close(mean, expected.mean, rtol=1e-8, atol=1e-8)
            torch.testing.assert_close(variance, expected.variance, rtol=1e-5, atol=1e-8)


def test_it_is_an_exact_process_that_takes_new_observations():
    model = InfiniteWidthBNN(X[:-1], Y[:-1], torch.full_like(Y[:-1], 0.02), outcome_transform=None)
    model.posterior(X[:2])
    extended = model.condition_on_observations(X[-1:], Y[-1:], noise=torch.full_like(Y[-1:], 0.02))
    whole = InfiniteWidthBNN(X, Y, torch.full_like(Y, 0.02), outcome_transform=None)
    new = X[:4] * 0.9
    torch.testing.assert_close(extended.posterior(new).mean, whole.posterior(new).mean, rtol=1e-5, atol=1e-5)


def test_many_close_points_can_be_fitted():
    """As BoTorch keeps the cosine from one, the matrix is indefinite beyond the least noise."""
    points = torch.rand(80, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outputs = torch.sin(6 * points)
    model = InfiniteWidthBNN(points, outputs, seed=0).fit()
    assert (model.posterior(points).mean - outputs).abs().max() < 0.05


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"activation": "tanh"}, "activation='tanh': one of relu, erf"),
        ({"depth": 0}, "depth=0"),
        ({"weight_var": 0.0}, "weight_var=0.0"),
        ({"bias_var": -1.0}, "bias_var=-1.0"),
        ({"learn_variances": 1}, "learn_variances=1"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError, match=words):
        InfiniteWidthBNN(X, Y, **settings)
