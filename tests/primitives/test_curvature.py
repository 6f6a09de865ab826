"""Products with the Hessian and what is made of them, against the Hessian itself."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from trimtab.primitives.curvature import (
    block,
    block_mean,
    diagonal_sample,
    hessian_vector_product,
    loss_gradients,
    random_signs,
)

MATRIX = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)


def quadratic(matrix=MATRIX, start=None):
    """Returns a parameter and its loss, whose Hessian is the matrix."""
    x = nn.Parameter(torch.ones(len(matrix), dtype=matrix.dtype) if start is None else start)
    return x, 0.5 * x @ matrix @ x


def gradients(loss, params):
    return torch.autograd.grad(loss, params, create_graph=True)


def estimated(loss, params, generator=None):
    """Returns one estimate of the diagonal of a loss's Hessian."""
    return diagonal_sample(loss_gradients(loss, params), params, random_signs(params, generator))


def tanh_net(sizes=(2, 2, 1)):
    """Returns a network with nine parameters, a function of its loss, and its whole Hessian."""
    torch.manual_seed(0)
    first, second, third = sizes
    net = nn.Sequential(nn.Linear(first, second), nn.Tanh(), nn.Linear(second, third)).double()
    inputs, targets = torch.randn(6, first).double(), torch.randn(6, third).double()
    names, params = zip(*net.named_parameters(), strict=True)
    shapes = [param.shape for param in params]

    def of_flat(flat):
        pieces = torch.split(flat, [shape.numel() for shape in shapes])
        values = {name: piece.view(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}
        return (functional_call(net, values, inputs) - targets).square().mean()

    whole = hessian(of_flat)(flattened(params).detach())
    return list(params), lambda: (net(inputs) - targets).square().mean(), whole


def flattened(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def shaped(flat, params):
    pieces = torch.split(flat, [param.numel() for param in params])
    return [piece.view(param.shape) for piece, param in zip(pieces, params, strict=True)]


def test_a_product_is_that_with_the_whole_hessian():
    params, loss, whole = tanh_net()
    vector = torch.randn(len(whole), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    product = hessian_vector_product(gradients(loss(), params), params, shaped(vector, params))
    torch.testing.assert_close(flattened(product), whole @ vector, rtol=1e-10, atol=1e-12)


def test_hooks_that_change_gradients_do_not_change_products_once_more():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    x.register_hook(lambda grad: grad * 0.5)
    grads = torch.autograd.grad((x**3).sum(), [x], create_graph=True)
    (product,) = hessian_vector_product(grads, [x], [torch.ones(2, dtype=torch.float64)])
    assert product.tolist() == [3.0, 6.0]  # of the gradient that the hook made: half of the Hessian, and not a quarter
    assert estimated((x**3).sum(), [x])[0].tolist() == [6.0, 12.0]  # of the loss


@pytest.mark.parametrize(("signs", "expected"), [((1.0, 1.0), (3.0, 4.0)), ((1.0, -1.0), (1.0, 2.0))])
def test_a_sample_by_hand(signs, expected):
    x, loss = quadratic()
    (sample,) = diagonal_sample(gradients(loss, [x]), [x], [torch.tensor(signs, dtype=torch.float64)])
    assert tuple(sample.tolist()) == expected


def test_over_all_signs_the_mean_is_the_diagonal():
    params, loss, whole = tanh_net()
    grads = gradients(loss(), params)
    samples = [
        flattened(diagonal_sample(grads, params, shaped(torch.tensor(signs).double(), params), retain_graph=True))
        for signs in itertools.product((-1, 1), repeat=len(whole))
    ]
    assert len(samples) == 2**9
    torch.testing.assert_close(torch.stack(samples).mean(0), whole.diagonal(), rtol=1e-10, atol=1e-12)


def test_over_many_random_signs_the_mean_is_the_diagonal_to_four_sigma():
    draws = 20_000
    x, loss = quadratic()
    generator = torch.Generator().manual_seed(0)
    grads = loss_gradients(loss, [x])
    samples = [diagonal_sample(grads, [x], random_signs([x], generator), retain_graph=True)[0] for _ in range(draws)]
    mean = torch.stack(samples).mean(0)
    sigma = math.sqrt(1.0 / draws)  # the variance of a sample is the sum of the squares beside the diagonal
    assert 0 < (mean - MATRIX.diagonal()).abs().max() <= 4 * sigma


def test_of_a_diagonal_hessian_every_estimate_is_exact():
    x, loss = quadratic(torch.diag(torch.tensor([4.0, 0.5], dtype=torch.float64)))
    (estimate,) = estimated(loss, [x], torch.Generator().manual_seed(3))
    assert estimate.tolist() == [4.0, 0.5]


def test_the_estimate_comes_from_the_generator_alone():
    def estimate(seed):
        x, loss = quadratic()
        return estimated(loss, [x], torch.Generator().manual_seed(seed))[0]

    before = torch.get_rng_state()
    assert torch.equal(estimate(0), estimate(0))
    assert len({tuple(estimate(seed).tolist()) for seed in range(8)}) == 2
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (8,), (3, 5), (2, 3, 4, 5)])
def test_signs_have_the_shapes_and_types_of_their_patterns(shape):
    patterns = [torch.zeros(3), torch.zeros(shape, dtype=torch.bfloat16), torch.zeros(5, dtype=torch.float64)]
    drawn = random_signs(patterns, torch.Generator().manual_seed(0))
    for signs, pattern in zip(drawn, patterns, strict=True):
        assert (signs.shape, signs.dtype) == (pattern.shape, pattern.dtype)
        assert signs.abs().sum() == pattern.numel()


def test_signs_are_even_and_independent():
    (signs,) = random_signs([torch.zeros(80_000)], torch.Generator().manual_seed(0))
    for lag in range(1, 17):
        assert abs((signs[lag:] * signs[:-lag]).mean()) < 4 / math.sqrt(80_000)
    assert abs(signs.mean()) < 4 / math.sqrt(80_000)


def test_the_graph_is_kept_on_request_only():
    x, loss = quadratic()
    y = nn.Parameter(torch.ones(2, dtype=torch.float64))
    grads = gradients(loss + (y**4).sum(), [x, y])
    ones = [torch.ones_like(x), torch.ones_like(y)]
    first = hessian_vector_product(grads, [x, y], ones, retain_graph=True)
    second = hessian_vector_product(grads, [x, y], ones)
    assert all(map(torch.equal, first, second))
    with pytest.raises(RuntimeError, match="second time"):
        hessian_vector_product(grads, [x, y], ones)


def test_parameters_without_a_path_have_no_curvature():
    x, loss = quadratic()
    unused, linear = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones((), dtype=torch.float64))
    params = [unused, x, linear]
    estimates = estimated(loss + 5 * linear, params, torch.Generator().manual_seed(0))
    assert estimates[0].tolist() == [0.0] * 3
    assert estimates[2].item() == 0.0
    assert estimates[1].abs().min() > 0


def test_estimates_of_16_bit_parameters_are_float32():
    x, loss = quadratic(MATRIX.bfloat16())
    assert estimated(loss, [x])[0].dtype == torch.float32


def test_gradients_without_a_graph_are_refused():
    x, loss = quadratic()
    with pytest.raises(RuntimeError, match="create_graph=True"):
        hessian_vector_product(torch.autograd.grad(loss, [x]), [x], [x])


def attention_loss(kind):
    query = nn.Parameter(torch.randn(1, 1, 4, 8, generator=torch.Generator().manual_seed(0)))
    with sdpa_kernel(kind):
        return query, scaled_dot_product_attention(query, query, query).square().sum()


def test_fused_attention_is_refused_with_advice_that_helps():
    query, loss = attention_loss(SDPBackend.FLASH_ATTENTION)
    with pytest.raises(RuntimeError, match=r"no second derivative .*flash.*sdpa_kernel\(SDPBackend.MATH\)"):
        estimated(loss, [query])
    query, loss = attention_loss(SDPBackend.MATH)
    assert estimated(loss, [query])[0].isfinite().all()


def test_kernels_of_convolutions_are_blocks():
    values = torch.arange(36.0).reshape(2, 2, 3, 3)
    means = block_mean(values, "conv")
    assert means.shape == values.shape
    assert means[:, :, 0, 0].tolist() == [[4.0, 13.0], [22.0, 31.0]]
    assert torch.equal(means, means[:, :, :1, :1].expand_as(values))
    assert torch.equal(block_mean(values, "row"), means)


def test_rows_and_runs_of_matrices_are_blocks():
    values = torch.arange(8.0).reshape(2, 4)
    assert block_mean(values, "row").tolist() == [[1.5] * 4, [5.5] * 4]
    assert block_mean(values, 2).tolist() == [[0.5, 0.5, 2.5, 2.5], [4.5, 4.5, 6.5, 6.5]]
    assert block_mean(values.t().contiguous().t(), 2).tolist() == [[0.5, 0.5, 2.5, 2.5], [4.5, 4.5, 6.5, 6.5]]
    assert block_mean(values, 8).tolist() == [[3.5] * 4] * 2
    for kind in ("conv", "none", 1):
        assert torch.equal(block_mean(values, kind), values)


@pytest.mark.parametrize("kind", ["conv", "row", "none", 4])
@pytest.mark.parametrize("shape", [(), (6,), (0, 4)])
def test_vectors_numbers_and_nothing_are_not_averaged(shape, kind):
    values = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
    assert torch.equal(block_mean(values, kind), values)


def test_blocks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"block=5 does not divide the 12 elements of shape \(3, 4\)"):
        block_mean(torch.ones(3, 4), 5)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("spatial", ValueError, "block='spatial' must be 'conv' or 'row' or 'none'"),
        (0, ValueError, "block=0 must be a whole number >= 1"),
        (2.5, TypeError, "block=2.5 must be a whole number"),
        (None, TypeError, "block=None must be a whole number"),
    ],
)
def test_bad_blocks_are_named(value, error, message):
    with pytest.raises(error, match=message):
        block("block", value)
