import math
import warnings

import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief, CoordinateClip, Lion, clip_coordinates_
from trimtab.testing import OptimizerConformance

CARD = [4.0, -3.0, 2.0, -1.0, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("fraction", "threshold", "expected"),
    [
        (0.1, 3.0, [3.0, -3.0, 2.0, -1.0, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0]),
        (0.25, 2.0, [2.0, -2.0, 2.0, -1.0, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0]),
        (0.5, 0.1, [0.1, -0.1, 0.1, -0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 0.0]),
        (0.0, math.inf, CARD),
    ],
)
def test_a_fraction_of_ten_coordinates(fraction, threshold, expected):
    x = torch.tensor(CARD, dtype=torch.float64)
    assert clip_coordinates_([x], fraction=fraction) == threshold
    assert x.tolist() == expected


def test_a_threshold_of_zero_is_warned_of_and_zeros_can_be_left_out():
    x = torch.tensor(CARD)
    with pytest.warns(UserWarning, match=r"fraction=0.75 is zero and nothing is left.*ignore_zeros=True"):
        assert clip_coordinates_([x], fraction=0.75) == 0.0
    assert not x.any()
    x = torch.tensor(CARD, dtype=torch.float64)
    assert clip_coordinates_([x], fraction=0.75, ignore_zeros=True) == 0.5
    assert x.tolist() == [0.5, -0.5, 0.5, -0.5, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert clip_coordinates_([torch.zeros(5)], fraction=0.1) == 0.0  # there was nothing to lose
        assert clip_coordinates_([torch.zeros(5)], fraction=0.1, ignore_zeros=True) == math.inf
        assert clip_coordinates_([], fraction=0.1) == math.inf


def test_one_threshold_for_all_or_one_for_each():
    def tensors():
        return [torch.tensor([8.0, 4.0]), torch.tensor([[2.0], [-1.0]])]

    together = tensors()
    assert clip_coordinates_(together, fraction=0.3) == 4.0
    assert [t.flatten().tolist() for t in together] == [[4.0, 4.0], [2.0, -1.0]]
    apart = tensors()
    assert clip_coordinates_(apart, fraction=0.5, scope="tensor") == [4.0, 1.0]
    assert [t.flatten().tolist() for t in apart] == [[4.0, 4.0], [1.0, -1.0]]


def test_a_tensor_that_is_there_twice_counts_once():
    x, y = torch.tensor([8.0, 4.0]), torch.tensor([2.0, 1.0])
    assert clip_coordinates_([x, y, x], fraction=0.5) == 2.0  # of four coordinates, not of six
    assert (x.tolist(), y.tolist()) == ([2.0, 2.0], [2.0, 1.0])


def test_an_absolute_threshold_and_a_scale():
    x = torch.tensor(CARD)
    assert clip_coordinates_([x], threshold=1.5) == 1.5
    assert x.abs().max() == 1.5
    x = torch.tensor(CARD)
    assert clip_coordinates_([x], fraction=0.1, scale=0.5) == 1.5


def test_clipping_keeps_signs_bounds_every_coordinate_and_is_idempotent():
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    clipped = x.clone()
    limit = clip_coordinates_([clipped], fraction=0.2)
    assert clipped.abs().max() == limit
    assert torch.equal(clipped.sign(), x.sign())
    assert (x.abs() > limit).sum() == 200
    again = clipped.clone()
    clip_coordinates_([again], threshold=limit)
    assert torch.equal(again, clipped)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ValueError, "exactly one of fraction=None and threshold=None"),
        ({"fraction": 0.1, "threshold": 1.0}, ValueError, "exactly one of fraction=0.1 and threshold=1.0"),
        ({"fraction": 1.0}, ValueError, r"fraction=1.0 must lie in \[0, 1\)"),
        ({"fraction": math.nan}, ValueError, "fraction=nan"),
        ({"threshold": 0.0}, ValueError, r"threshold=0.0 must lie in \(0, inf\)"),
        ({"fraction": 0.1, "scope": "layer"}, ValueError, "scope='layer' must be 'global' or 'tensor'"),
        ({"fraction": 0.1, "scale": 0}, ValueError, "scale=0"),
        ({"fraction": "0.1"}, TypeError, "fraction='0.1'"),
        ({"fraction": 0.1, "ignore_zeros": 1}, TypeError, "ignore_zeros=1"),
    ],
)
def test_what_cannot_be_is_named(settings, error, message):
    x = torch.tensor(CARD)
    with pytest.raises(error, match=message):
        clip_coordinates_([x], **settings)
    assert x.tolist() == torch.tensor(CARD).tolist()
    with pytest.raises(error, match=message):
        CoordinateClip(torch.optim.SGD([nn.Parameter(x)]), **{"fraction": None, **settings})


def test_the_clipped_direction_solves_in_one_step_what_the_gradient_does_not():
    # f = x'Hx/2 with H = diag(100, 1, 1, 1) at (1, 1, 1, 1): clipping a quarter gives the direction (1, 1, 1, 1)
    for fraction, end in ((0.25, 0.0), (0.0, 1.4701456)):
        x = nn.Parameter(torch.ones(4, dtype=torch.float64))
        hessian = torch.tensor([100.0, 1.0, 1.0, 1.0], dtype=torch.float64)

        def loss(x=x, hessian=hessian):
            return (hessian * x * x).sum() / 2

        loss().backward()
        direction = x.grad.clone()
        clip_coordinates_([direction], fraction=fraction)
        best = (x.grad @ direction / (hessian * direction @ direction)).item()  # the exact line search
        optimizer = CoordinateClip(torch.optim.SGD([x], lr=best), fraction)
        optimizer.step()
        assert loss().item() == pytest.approx(end, abs=1e-6)


def run(optimizer, x, steps=5):
    for step in range(steps):
        x.grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(step), dtype=x.dtype)
        optimizer.step()
    return x.detach().clone()


def start():
    return nn.Parameter(torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4))


@pytest.mark.parametrize("where", ["gradient", "update"])
def test_without_a_share_to_clip_it_is_the_inner_optimizer_bit_for_bit(where):
    x, y = start(), start()
    plain = run(torch.optim.AdamW([x], lr=0.1), x)
    assert torch.equal(run(CoordinateClip(torch.optim.AdamW([y], lr=0.1), 0.0, where=where), y), plain)


def test_gradients_are_clipped_before_the_optimizer_and_come_back():
    x = nn.Parameter(torch.zeros(4))
    x.grad = torch.tensor([4.0, -3.0, 2.0, 1.0])
    own = x.grad
    CoordinateClip(torch.optim.SGD([x], lr=1.0), 0.5).step()
    assert x.tolist() == [-2.0, 2.0, -2.0, -1.0]
    assert x.grad is own
    assert own.tolist() == [4.0, -3.0, 2.0, 1.0]


def test_updates_are_clipped_weight_decay_included_and_the_rest_stays_to_the_last_bit():
    x, y = start(), start()
    x.grad = y.grad = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.optim.SGD([x], lr=0.1, weight_decay=0.5).step()
    CoordinateClip(torch.optim.SGD([y], lr=0.1, weight_decay=0.5), 0.25, where="update").step()
    update, clipped = x.detach() - start().detach(), y.detach() - start().detach()
    limit = update.abs().flatten().sort(descending=True).values[3]
    beyond = update.abs() > limit
    assert beyond.sum() == 3
    assert torch.equal(y[~beyond], x[~beyond])
    assert torch.allclose(clipped[beyond], limit * update[beyond].sign(), atol=1e-15)


def test_clipping_updates_of_one_size_does_nothing():
    x, y = start(), start()
    plain = run(Lion([x], lr=0.1, compile=False), x, steps=1)
    clipped = run(CoordinateClip(Lion([y], lr=0.1, compile=False), 0.5, where="update"), y, steps=1)
    assert torch.allclose(clipped, plain, atol=1e-15)


def test_normalized_gradients_have_a_root_mean_square_of_one():
    x = nn.Parameter(torch.zeros(4))
    x.grad = torch.tensor([4.0, -3.0, 2.0, 1.0])
    CoordinateClip(torch.optim.SGD([x], lr=1.0), 0.5, normalize=True).step()
    clipped = torch.tensor([2.0, -2.0, 2.0, 1.0])
    assert torch.allclose(x.detach(), -clipped / clipped.square().mean().sqrt())
    with pytest.raises(ValueError, match="normalize=True scales gradients"):
        CoordinateClip(torch.optim.SGD([x]), 0.5, where="update", normalize=True)


def test_groups_with_the_same_settings_share_a_threshold():
    params = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    for param, grad in zip(params, ([8.0, 4.0], [2.0, 1.0], [16.0, 1.0]), strict=True):
        param.grad = torch.tensor(grad)
    groups = [{"params": [param], "lr": 1.0} for param in params]
    groups[2]["clip_fraction"] = 0.5
    CoordinateClip(torch.optim.SGD(groups), 0.25).step()
    assert [param.tolist() for param in params] == [[-4.0, -4.0], [-2.0, -1.0], [-1.0, -1.0]]


def clipped_lion(params, **settings):
    return CoordinateClip(Lion(params, **{"compile": False, **settings}), 0.25, scope="tensor")


def clipped_updates(params, **settings):
    return CoordinateClip(AdaBelief(params, **{"compile": False, **settings}), 0.25, scope="tensor", where="update")


def clipped_by_one_threshold(params, **settings):
    return CoordinateClip(AdaBelief(params, **{"compile": False, **settings}), 0.25)


class TestLion(OptimizerConformance):
    optimizer = clipped_lion


class TestUpdates(OptimizerConformance):
    optimizer = clipped_updates


class TestOneThreshold(OptimizerConformance):
    optimizer = clipped_by_one_threshold
    exceptions = dict.fromkeys(
        ("added_group", "shape[0-d]", "shape[length-1]", "mixed_dtypes", "late_gradients", "alone"),
        "all parameters have one threshold, so that each has a part in the others' steps",
    )
