"""What an update's sharpness says, on problems whose answer is known."""

import math

import pytest
import torch
from torch import nn

from tests.primitives.test_curvature import flattened, tanh_net
from trimtab.optim import (
    clip_coordinates_,
    directional_sharpness,
    gradient_correlation,
    line_landscape,
    local_decrease,
)

HESSIAN = torch.tensor([100.0, 1.0, 1.0, 1.0], dtype=torch.float64)


@pytest.fixture
def bowl():
    """f = x'Hx/2 with H = diag(100, 1, 1, 1) at (1, 1, 1, 1), where the gradient is H's diagonal."""
    x = nn.Parameter(torch.ones(4, dtype=torch.float64))
    return x, lambda: (HESSIAN * x * x).sum() / 2


def clipped():
    direction = HESSIAN.clone()
    assert clip_coordinates_([direction], fraction=0.25) == 1.0
    return direction


@pytest.mark.parametrize(
    ("direction", "sharpness"), [(HESSIAN, 99.9703089), (HESSIAN.sign(), 25.75), (clipped(), 25.75)]
)
def test_sharpness_by_hand(bowl, direction, sharpness):
    x, loss = bowl
    for scale in (1.0, -3.0, 1e-9):
        assert directional_sharpness(loss, [x], [scale * direction]) == pytest.approx(sharpness, rel=1e-8)
    assert x.grad is None


def test_the_clipped_direction_solves_in_one_step_what_the_gradient_does_not(bowl):
    x, loss = bowl
    step, decrease = local_decrease(loss, [x], [-HESSIAN])
    assert decrease == pytest.approx(50.0298544, abs=1e-6)
    assert step == pytest.approx(10003 / 1000003, rel=1e-12)
    step, decrease = local_decrease(loss, [x], [-clipped()])
    assert (step, decrease) == pytest.approx((1.0, 51.5))
    assert loss().item() == 51.5


def test_the_best_decrease_is_the_same_whatever_the_length_and_backwards(bowl):
    x, loss = bowl
    step, decrease = local_decrease(loss, [x], [HESSIAN / 7])
    assert step < 0
    assert decrease == pytest.approx(50.0298544, abs=1e-6)


def test_the_gradient_is_the_steepest_direction_and_its_correlation_minus_its_norm(bowl):
    x, loss = bowl
    norm = HESSIAN.norm().item()
    assert gradient_correlation(loss, [x], [-HESSIAN]) == pytest.approx(-norm)
    assert -norm < gradient_correlation(loss, [x], [-clipped()]) == pytest.approx(-103 / 2)


def test_at_a_saddle_the_sign_is_told_and_there_is_no_best_step():
    x = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))

    def loss():
        return (x[0] ** 2 - 3 * x[1] ** 2) / 2

    direction = [torch.tensor([0.0, 1.0], dtype=torch.float64)]
    assert directional_sharpness(loss, [x], direction) == -3.0
    assert all(map(math.isnan, local_decrease(loss, [x], direction)))


def test_clipping_by_norm_leaves_sharpness_as_it_is(bowl):
    x, loss = bowl
    x.grad = HESSIAN.clone()
    torch.nn.utils.clip_grad_norm_([x], 1.0)
    assert directional_sharpness(loss, [x], [x.grad]) == pytest.approx(99.9703089, rel=1e-8)


def test_sharpness_is_the_second_difference_of_the_loss():
    params, loss, _ = tanh_net()
    generator = torch.Generator().manual_seed(2)
    direction = [torch.randn(param.shape, generator=generator, dtype=torch.float64) for param in params]
    with torch.no_grad():
        sharpness = directional_sharpness(loss, params, direction)
    norm = flattened(direction).norm().item()
    start, values = [param.detach().clone() for param in params], []
    for step in (-1e-4, 0.0, 1e-4):
        with torch.no_grad():
            for param, old, way in zip(params, start, direction, strict=True):
                param.copy_(old + step * way / norm)
        values.append(loss().item())
    assert sharpness == pytest.approx((values[0] - 2 * values[1] + values[2]) / 1e-8, abs=1e-6)


def test_a_landscape_is_the_loss_along_the_way(bowl):
    x, loss = bowl
    seen = line_landscape(loss, [x], [-clipped()], spacing=0.5, points=20)
    assert seen.distances.tolist() == [0.5 * i for i in range(len(seen.losses))]
    assert seen.losses.tolist() == pytest.approx([51.5 * (1 - 0.25 * i) ** 2 for i in range(len(seen.losses))])
    assert len(seen.losses) == 10  # two units to the minimum, two back up, and the one that is above the start
    assert (seen.best_distance, seen.best_decrease) == (2.0, 51.5)
    assert torch.equal(x.detach(), torch.ones(4, dtype=torch.float64))


def test_a_landscape_that_rises_at_once_is_looked_at_more_closely(bowl):
    x, loss = bowl
    seen = line_landscape(loss, [x], [-HESSIAN], spacing=10.0)
    assert seen.distances[1].item() == pytest.approx(0.4)  # two points ten apart, three two apart, then enough
    assert len(seen.losses) > 3
    assert seen.losses[-1] > seen.losses[0]
    upwards = line_landscape(loss, [x], [HESSIAN])
    assert upwards.distances[1].item() == pytest.approx(0.2**10)
    assert (upwards.best_distance, upwards.best_decrease) == (0.0, 0.0)


def test_a_landscape_ends_after_so_many_points_and_takes_the_mean_of_batches(bowl):
    x, _ = bowl
    seen = line_landscape(lambda weight: weight * x.sum(), [x], [-torch.ones(4)], [1.0, 3.0], points=4, spacing=2)
    assert seen.losses.tolist() == pytest.approx([8.0, 0.0, -8.0, -16.0, -24.0])


def test_parameters_come_back_whatever_happens(bowl):
    x, _ = bowl
    before = x.detach().clone()

    def loss():
        if x[0] < 1:
            raise ArithmeticError
        return x.sum()

    with pytest.raises(ArithmeticError):
        line_landscape(loss, [x], [-HESSIAN])
    assert torch.equal(x.detach(), before)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"points": 0}, ValueError, "points=0"),
        ({"points": 2.0}, TypeError, "points=2.0"),
        ({"spacing": 0.0}, ValueError, "spacing=0.0"),
        ({"batches": []}, ValueError, "batches is empty"),
        ({"direction": [torch.zeros(4)]}, ValueError, "direction has zero norm"),
        ({"direction": [torch.ones(3)]}, ValueError, "direction must have the shapes"),
    ],
)
def test_bad_walks_are_refused(bowl, settings, error, message):
    x, loss = bowl
    with pytest.raises(error, match=message):
        line_landscape(**{"loss_fn": loss, "params": [x], "direction": [HESSIAN], **settings})
