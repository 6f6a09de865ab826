import copy
import pickle

import pytest
import torch
from torch import nn

from tests.new_process import in_a_new_process
from tests.optim.hessian import (
    CURVATURES,
    START,
    assert_close,
    assert_same,
    batches,
    bowl,
    conv_net,
    parameter,
    path,
    step,
    tanh_net,
    train,
)
from trimtab.optim import AdaHessian
from trimtab.primitives.hutchinson import Member, signs_for

pytestmark = [
    pytest.mark.usefixtures("each_mode"),
    pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning"),
]


@pytest.mark.parametrize(
    ("settings", "by_hand"),
    [
        (
            {},
            [
                (0.8500037499062523, -1.7000599880023994),
                (0.7118490129926035, -1.4237947156882538),
                (0.5852736319209553, -1.1706802811089108),
            ],
        ),
        (
            {"weight_decay": 0.1},
            [(0.8350037499062524, -1.6700599880023996), (0.6855081376658025, -1.371111763331357)],
        ),
        ({"hessian_power": 0.5}, [(0.7000149992500375, -1.787897961401995)]),
        ({"hessian_power": 0.0, "eps": 0.0}, [(0.4, -1.85)]),
        ({"lr": 1.0, "eps": 0.0}, [(0.0, 0.0)]),  # of a parabola, one step is Newton's
    ],
)
def test_steps_by_hand(settings, by_hand):
    expected = torch.tensor(by_hand, dtype=torch.float64)
    torch.testing.assert_close(path(len(by_hand), **settings), expected, rtol=4e-16, atol=2e-16)


def test_where_there_is_no_curvature_the_step_is_the_momentum_over_epsilon():
    x = parameter([1.0, 1.0])
    optimizer = AdaHessian([x], lr=0.1, eps=1e-4)
    step(optimizer, lambda: 2 * x[0] + x[1] ** 2)
    assert x.tolist() == pytest.approx([1 - 0.1 * 2 / 1e-4, 1 - 0.1 * 2 / (2 + 1e-4)], rel=1e-12)


class OwnSigns:
    """Hands the signs that AdaHessian draws, as zeros and ones, to a package that asks torch for random integers."""

    def __init__(self, params):
        self.params, self.draws = list(params), 0

    def __call__(self, *_, **__):
        step, position = divmod(self.draws, len(self.params))
        self.draws += 1
        members = [Member(param, 1, (0, 0, index, step)) for index, param in enumerate(self.params)]
        return (signs_for(members, 0)[position] + 1) / 2


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize("make", [tanh_net, conv_net])
def test_agrees_with_torch_optimizer(make, power, weight_decay, monkeypatch):
    """With the same signs; that package averages over kernels, but not for the biases of convolutions."""
    import torch_optimizer

    settings = {"lr": 0.1, "hessian_power": power, "weight_decay": weight_decay}
    net, other = make(), make()
    optimizer = AdaHessian(net.parameters(), **settings)
    theirs = torch_optimizer.Adahessian(other.parameters(), **settings)
    signs = OwnSigns(other.parameters())
    monkeypatch.setattr(torch, "randint_like", signs)
    data = batches(6, (1, 4, 4) if make is conv_net else (4,))
    train(net, optimizer, data)
    for batch in data:
        theirs.zero_grad()
        other(batch).square().mean().backward(create_graph=True)
        theirs.step()
    assert signs.draws == 6 * len(list(net.parameters()))
    assert_close(net, other, 1e-13)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_agrees_with_pytorch_optimizer(weight_decay, monkeypatch):
    """With the same signs and without blocks, which that package does not have."""
    import pytorch_optimizer
    from pytorch_optimizer.base import optimizer as base

    settings = {"lr": 0.1, "eps": 1e-4, "weight_decay": weight_decay}
    net, other = conv_net(), conv_net()
    theirs = pytorch_optimizer.AdaHessian(other.parameters(), **settings)
    signs = OwnSigns(other.parameters())
    monkeypatch.setattr(base.torch, "randint_like", signs)
    data = batches(6, (1, 4, 4))
    train(net, AdaHessian(net.parameters(), block="none", **settings), data)
    for batch in data:
        theirs.zero_grad()
        other(batch).square().mean().backward(create_graph=True)
        theirs.step()
    assert signs.draws == 6 * len(list(net.parameters()))
    assert_close(net, other, 1e-13)


def test_on_a_parabola_every_k_is_every_step():
    assert torch.equal(path(5, every=2), path(5))
    x = parameter(START)
    assert "hessian_diag" not in AdaHessian([x]).state[x]


def test_maximize_climbs_with_the_same_curvature():
    x = parameter(START)
    optimizer = AdaHessian([x], maximize=True)
    for _ in range(3):
        step(optimizer, lambda: -bowl(x))
    torch.testing.assert_close(x.detach(), path(3)[-1], rtol=1e-15, atol=0)


def test_float32_is_near():
    net, exact = tanh_net(torch.float32), tanh_net(torch.float32).double()
    train(net, AdaHessian(net.parameters(), lr=0.05), batches(3, dtype=torch.float32))
    train(exact, AdaHessian(exact.parameters(), lr=0.05), [b.float().double() for b in batches(3)])
    for param, other in zip(net.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(param.double(), other, rtol=0, atol=1e-5)


def test_bfloat16_is_rounded_once_a_step():
    x = parameter(START, torch.bfloat16)
    optimizer = AdaHessian([x])
    for _ in range(3):
        step(optimizer, lambda: bowl(x, CURVATURES.bfloat16()))
    assert x.dtype == torch.bfloat16
    assert optimizer.state[x]["exp_hessian_diag_sq"].dtype == torch.float32
    torch.testing.assert_close(x.double(), path(3)[-1], rtol=0.01, atol=0)


@pytest.mark.parametrize("large", [False, True])
def test_norms_can_be_watched_and_large_parameters_go_alike(large):
    size = 2**16 if large else 4
    x = nn.Parameter(torch.linspace(1, 2, size, dtype=torch.float64))
    seen = []
    optimizer = AdaHessian([x], lr=1.0, eps=0.0)
    optimizer.watch(seen.append)
    step(optimizer, lambda: 1.5 * (x * x).sum())
    assert x.abs().max() <= 1e-15
    assert seen[0][0].update_to_weight == pytest.approx(1.0)


def test_clipped_gradients_have_the_curvature_of_the_loss():
    x = parameter(START)
    optimizer = AdaHessian([x], eps=0.0)
    bowl(x).backward(create_graph=True)
    nn.utils.clip_grad_norm_([x], 1.0)
    optimizer.step()
    grad = torch.tensor([4.0, -1.0], dtype=torch.float64)
    expected = torch.tensor(START, dtype=torch.float64) - 0.15 * grad / grad.norm() / CURVATURES
    torch.testing.assert_close(x.detach(), expected, rtol=1e-6, atol=0)


def go_on_from(file):
    saved = torch.load(file, weights_only=True)
    net = tanh_net(torch.float32)
    net.load_state_dict(saved["net"])
    optimizer = AdaHessian(net.parameters())
    optimizer.load_state_dict(saved["optimizer"])
    train(net, optimizer, batches(10, dtype=torch.float32)[5:])
    torch.save(net.state_dict(), file)


@pytest.mark.parametrize("every", [1, 3])
def test_resumes_bit_for_bit_in_a_new_process(every, tmp_path):
    straight, stopped = tanh_net(torch.float32), tanh_net(torch.float32)
    data = batches(10, dtype=torch.float32)
    settings = {"every": every, "samples": 2, "seed": 11}
    train(straight, AdaHessian(straight.parameters(), **settings), data)
    optimizer = AdaHessian(stopped.parameters(), **settings)
    train(stopped, optimizer, data[:5])
    assert optimizer.state_dict().keys() == {"state", "param_groups"}
    file = tmp_path / "half.pt"
    torch.save({"net": stopped.state_dict(), "optimizer": optimizer.state_dict()}, file)
    in_a_new_process(go_on_from, file)
    resumed = torch.load(file, weights_only=True)
    assert all(torch.equal(resumed[name], value) for name, value in straight.state_dict().items())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_go_on_alike(copied):
    net = tanh_net()
    optimizer = AdaHessian(net.parameters(), every=2)
    train(net, optimizer, batches(3))
    other, twin = copied((net, optimizer))
    train(net, optimizer, batches(5)[3:])
    train(other, twin, batches(5)[3:])
    assert_same(net, other)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"eps": -1.0}, ValueError, r"eps=-1.0 must lie in \[0, inf\)"),
        ({"hessian_power": 1.1}, ValueError, r"hessian_power=1.1 must lie in \[0, 1\]"),
        ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]=1.0 must lie in \[0, 1\)"),
        ({"samples": 0}, ValueError, "samples=0 must be a whole number >= 1"),
        ({"every": 0}, ValueError, "every=0 must be a whole number >= 1"),
        ({"every": 1.5}, TypeError, "every=1.5 must be a whole number"),
        ({"seed": None}, TypeError, "seed=None must be a whole number"),
        ({"block": "spatial"}, ValueError, "block='spatial' must be 'conv' or 'row' or 'none'"),
        (
            {"block": 4},
            ValueError,
            r"block=4 does not divide the 6 elements of shape \(2, 3\): give parameter 1 of its",
        ),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        AdaHessian([parameter(START), nn.Parameter(torch.ones(2, 3))], **settings)
