"""Adam with a clipped numerator: by hand, against Adam, and the contract."""

import math

import pytest
import torch
from torch import nn

from tests.optim.trajectory import (
    follow,
    largest_difference,
    positions,
    random_gradients,
    random_parameters,
    resume_in_a_new_process,
)
from trimtab.optim import ClippedAdam
from trimtab.testing import OptimizerConformance


@pytest.mark.usefixtures("each_mode")
def test_two_steps_by_hand():
    betas, eps, lr = (0.5, 0.75), 1e-3, 0.1
    grads = [(4.0, -1.0), (1.0, 2.0)]  # half of the coordinates above the threshold: 1 at both steps
    by_hand, x, m, v = [], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]
    for step, grad in enumerate(grads, 1):
        for i in range(2):
            cut = math.copysign(min(abs(grad[i]), 1.0), grad[i])
            m[i] = 0.5 * m[i] + 0.5 * cut
            v[i] = 0.75 * v[i] + 0.25 * grad[i] ** 2
            x[i] -= lr * (m[i] / (1 - 0.5**step)) / (math.sqrt(v[i] / (1 - 0.75**step)) + eps)
        by_hand.append(list(x))
    rows, state = positions(lambda p: ClippedAdam(p, lr=lr, betas=betas, eps=eps, fraction=0.5), (1.0, 1.0), grads)
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-14, atol=0)
    assert state["exp_avg"].tolist() == m
    assert state["exp_avg_sq"].tolist() == v


@pytest.mark.usefixtures("each_mode")
@pytest.mark.parametrize("maximize", [False, True])
def test_without_a_share_to_clip_it_is_adam(maximize):
    settings = {"lr": 0.01, "maximize": maximize}
    difference = largest_difference(
        lambda p: ClippedAdam(p, fraction=0.0, **settings), lambda p: torch.optim.Adam(p, **settings)
    )
    assert difference <= 1e-13


@pytest.mark.usefixtures("each_mode")
def test_without_a_share_to_clip_it_is_adamw_with_its_decay():
    settings = {"lr": 0.01, "weight_decay": 0.1}
    difference = largest_difference(
        lambda p: ClippedAdam(p, fraction=0.0, **settings), lambda p: torch.optim.AdamW(p, **settings)
    )
    assert difference <= 1e-13


@pytest.mark.parametrize("scope", ["global", "tensor"])
def test_the_second_moment_is_adams_whatever_is_clipped(scope):
    grads = random_gradients(20)
    clipped, whole, torchs = (random_parameters() for _ in range(3))
    optimizers = [
        ClippedAdam(clipped, fraction=0.3, scope=scope),
        ClippedAdam(whole, fraction=0.0),
        torch.optim.Adam(torchs),
    ]
    for params, optimizer in zip((clipped, whole, torchs), optimizers, strict=True):
        follow(params, optimizer, grads)
    for mine, other, peer in zip(clipped, whole, torchs, strict=True):
        ours, unclipped, theirs = (
            o.state[p]["exp_avg_sq"] for o, p in zip(optimizers, (mine, other, peer), strict=True)
        )
        assert torch.equal(ours, unclipped)
        torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=0)
    assert not torch.equal(optimizers[0].state[clipped[0]]["exp_avg"], optimizers[1].state[whole[0]]["exp_avg"])


def test_climbing_clips_as_descending_does():
    grads = random_gradients(5)
    down, up = random_parameters(), random_parameters()
    follow(down, ClippedAdam(down, fraction=0.2), grads)
    follow(up, ClippedAdam(up, fraction=0.2, maximize=True), [[-grad for grad in row] for row in grads])
    assert all(map(torch.equal, down, up))


def test_an_absolute_threshold_bounds_the_first_moment():
    params = random_parameters()
    optimizer = ClippedAdam(params, fraction=None, threshold=0.25)
    follow(params, optimizer, random_gradients(30))
    assert all(optimizer.state[param]["exp_avg"].abs().max() <= 0.25 for param in params)


def test_groups_with_the_same_settings_share_a_threshold_though_one_climbs():
    first, second = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    first.grad, second.grad = torch.tensor([8.0, 4.0]), torch.tensor([2.0, 1.0])
    optimizer = ClippedAdam([{"params": [first]}, {"params": [second], "maximize": True}], fraction=0.5)
    optimizer.step()
    tenth = 1 - 0.9
    assert optimizer.state[first]["exp_avg"].tolist() == pytest.approx([2 * tenth, 2 * tenth])
    assert optimizer.state[second]["exp_avg"].tolist() == pytest.approx([-2 * tenth, -1 * tenth])


def test_gradients_stay_as_they_are_and_a_threshold_of_zero_is_warned_of():
    param = nn.Parameter(torch.zeros(4))
    param.grad = own = torch.tensor([3.0, 0.0, 0.0, 0.0])
    optimizer = ClippedAdam([param], fraction=0.5)
    with pytest.warns(UserWarning, match="ignore_zeros=True"):
        optimizer.step()
    assert param.grad is own
    assert own.tolist() == [3.0, 0.0, 0.0, 0.0]
    assert not param.any()


def test_resumes_bit_for_bit_in_a_new_process(tmp_path):
    settings = {"fraction": 0.3, "scope": "tensor", "weight_decay": 0.1}
    expected, resumed = resume_in_a_new_process(ClippedAdam, settings, tmp_path / "half.pt")
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)
    assert resumed["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"fraction": 1.0}, ValueError, r"fraction=1.0 must lie in \[0, 1\)"),
        ({"fraction": None}, ValueError, "exactly one of fraction=None and threshold=None"),
        ({"threshold": 1.0}, ValueError, "exactly one of fraction=0.1 and threshold=1.0"),
        ({"scope": "layer"}, ValueError, "scope='layer'"),
        ({"scale": 0.0}, ValueError, "scale=0.0"),
        ({"eps": 0.0}, ValueError, r"eps=0.0 must lie in \(0, inf\)"),
        ({"ignore_zeros": 1}, TypeError, "ignore_zeros=1"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        ClippedAdam(random_parameters(), **settings)


def one_threshold_each(params, **settings):
    return ClippedAdam(params, **{"compile": False, "fraction": 0.25, "scope": "tensor", **settings})


def one_threshold(params, **settings):
    return ClippedAdam(params, **{"compile": False, "fraction": 0.25, **settings})


class TestOneThresholdEach(OptimizerConformance):
    optimizer = one_threshold_each


class TestOneThreshold(OptimizerConformance):
    optimizer = one_threshold
    exceptions = dict.fromkeys(
        ("added_group", "shape[0-d]", "shape[length-1]", "mixed_dtypes", "late_gradients", "alone"),
        "all parameters have one threshold, so that each has a part in the others' steps",
    )
