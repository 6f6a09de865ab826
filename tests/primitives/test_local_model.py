"""Slopes and curvatures along directions, against the Hessian itself."""

import math

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from tests.primitives.test_curvature import flattened, shaped, tanh_net
from trimtab.primitives.local_model import LocalModel, local_models


def square_of(x):
    return lambda: (x**2).sum() / 2


def test_several_directions_at_once_are_those_of_the_whole_hessian():
    params, loss, whole = tanh_net()
    generator = torch.Generator().manual_seed(1)
    vectors = [torch.randn(len(whole), generator=generator, dtype=torch.float64) for _ in range(3)]
    grad = flattened(torch.autograd.grad(loss(), params))
    found = local_models(loss, params, [shaped(vector, params) for vector in vectors])
    for model, vector in zip(found, vectors, strict=True):
        norm = vector.norm().item()
        assert model.sharpness == pytest.approx((vector @ whole @ vector).item() / norm**2, rel=1e-10)
        assert model.correlation == pytest.approx((grad @ vector).item() / norm, rel=1e-10)
        assert model.norm == pytest.approx(norm, rel=1e-12)
    assert all(param.grad is None for param in params)


def test_batches_are_averaged():
    x = nn.Parameter(torch.ones(2, dtype=torch.float64))
    direction = [torch.tensor([3.0, 4.0], dtype=torch.float64)]
    (model,) = local_models(lambda weight: weight * (x**2).sum() / 2, [x], [direction], [1.0, 2.0, 6.0])
    assert model.sharpness == pytest.approx(3.0)
    assert model.correlation == pytest.approx(3.0 * 7.0 / 5.0)
    with pytest.raises(ValueError, match="batches is empty"):
        local_models(lambda weight: weight * x.sum(), [x], [direction], [])


@pytest.mark.parametrize("scale", [1e-30, 1e30, -1.0])
def test_very_long_and_very_short_directions_keep_their_sharpness(scale):
    x = nn.Parameter(torch.ones(2))
    (model,) = local_models(square_of(x), [x], [[scale * torch.tensor([3.0, 4.0])]])
    assert model.sharpness == pytest.approx(1.0, rel=1e-6)
    assert model.norm == pytest.approx(5 * abs(scale), rel=1e-6)


def test_a_parameter_that_is_there_twice_counts_once():
    x, y = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    way, other = torch.ones(1), 2 * torch.ones(1)

    def loss():
        return (x * x * y).sum()

    once, twice = local_models(loss, [x, y], [[way, other]]), local_models(loss, [x, y, x], [[way, other, way.clone()]])
    assert once == twice
    with pytest.raises(ValueError, match=r"params\[2\] stands there twice, and direction\[2\] differs"):
        local_models(loss, [x, y, x], [[way, other, other]])


def test_a_linear_loss_has_no_curvature_and_no_best_step():
    x = nn.Parameter(torch.ones(2))
    (model,) = local_models(x.sum, [x], [[-torch.ones(2)]])
    assert model.sharpness == 0.0
    assert model.correlation == pytest.approx(-math.sqrt(2))
    assert math.isnan(model.best_step)
    assert math.isnan(model.best_decrease)


def test_the_best_step_is_that_to_the_vertex():
    model = LocalModel(correlation=-6.0, sharpness=3.0, norm=2.0)  # f(eta) = -12 eta + 6 eta^2
    assert (model.best_step, model.best_decrease) == (1.0, 6.0)


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        ([torch.zeros(2)], "direction has zero norm"),
        ([torch.tensor([math.nan, 1.0])], "direction is not finite"),
        ([torch.tensor([math.inf, 1.0])], "direction is not finite"),
        ([torch.ones(3)], r"direction\[0\] has shape \(3,\), not \(2,\)"),
        ([], "direction has 0 tensors for 1 parameters"),
    ],
)
def test_directions_that_cannot_be_are_refused(direction, message):
    x = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match=message):
        local_models(square_of(x), [x], [direction])
    with pytest.raises(ValueError, match=r"params\[0\] does not require a gradient"):
        local_models(square_of(x), [torch.ones(2)], [[torch.ones(2)]])


def test_fused_attention_gets_advice_and_the_advice_helps():
    generator = torch.Generator().manual_seed(0)
    x = nn.Parameter(torch.randn(1, 2, 8, 4, generator=generator))

    def loss():
        return scaled_dot_product_attention(x, x, x).square().sum()

    with sdpa_kernel(SDPBackend.FLASH_ATTENTION), pytest.raises(RuntimeError, match=r"SDPBackend\.MATH"):
        local_models(loss, [x], [[torch.ones_like(x)]])
    with sdpa_kernel(SDPBackend.MATH):
        (model,) = local_models(loss, [x], [[torch.ones_like(x)]])
    assert math.isfinite(model.sharpness)


class OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return grad


def test_what_is_marked_once_differentiable_is_refused_and_not_taken_for_a_constant():
    x = nn.Parameter(torch.ones(2))
    with pytest.raises(RuntimeError, match="no second derivative: it is marked once_differentiable"):
        local_models(lambda: (OnceDifferentiable.apply(2 * x) ** 3).sum() / 2, [x], [[torch.ones(2)]])


def test_the_precision_of_16_bit_parameters_is_that_of_their_products():
    x = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    (model,) = local_models(square_of(x), [x], [[torch.ones(4, dtype=torch.bfloat16)]])
    assert model.sharpness == pytest.approx(1.0, rel=1e-2)


def test_hooks_on_parameters_change_neither_slope_nor_curvature():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    x.register_hook(lambda grad: grad * 0.5)

    def cubes():
        return (x**3).sum()

    (model,) = local_models(cubes, [x], [[torch.tensor([1.0, 0.0], dtype=torch.float64)]])
    assert (model.correlation, model.sharpness) == (3.0, 6.0)
