"""Directions along one trajectory are those that each optimizer would take from there."""

import io

import pytest
import torch
from torch import nn

import trimtab
from trimtab.optim import AGVM, SSO, AdaBelief, AdaHessian, CoordinateClip, GaLore, Lion, PseudoUpdates


def model():
    torch.manual_seed(0)
    first, second = nn.Linear(6, 6), nn.Linear(6, 6)
    second.weight = first.weight  # tied
    net = nn.Sequential(first, nn.Tanh(), second, nn.Linear(6, 2))
    net[0].bias.requires_grad_(False)
    return net


BUILDERS = {
    "sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, weight_decay=0.1),
    "adafactor": lambda m: torch.optim.Adafactor(m.parameters(), lr=0.01),
    "lion": lambda m: Lion(m.parameters(), lr=0.01),
    "clip": lambda m: CoordinateClip(torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9), 0.1),
    "clipped update": lambda m: CoordinateClip(AdaBelief(m.parameters()), 0.5, where="update"),
    "galore": lambda m: GaLore(torch.optim.AdamW(m.parameters(), lr=0.01), rank=2),
    "created": lambda m: trimtab.create("clip(lion, fraction=0.1)", m, lr=0.01),
}


def backward(net, step):
    generator = torch.Generator().manual_seed(step)
    net.zero_grad()
    net(torch.randn(4, 6, generator=generator)).square().sum().backward()


@pytest.mark.parametrize("name", list(BUILDERS))
def test_along_its_own_trajectory_a_direction_is_the_step(name):
    net = model()
    pseudo = PseudoUpdates(net, {name: BUILDERS[name]})
    optimizer = BUILDERS[name](net)
    for step in range(4):
        backward(net, step)
        pseudo.observe()
        before = [param.detach().clone() for param in pseudo.params]
        optimizer.step()
        for param, old, way in zip(pseudo.params, before, pseudo.direction(name), strict=True):
            assert torch.equal(way, param.detach() - old)


def test_along_another_trajectory_the_state_has_seen_the_same_gradients():
    net = model()
    pseudo = PseudoUpdates(net, BUILDERS)
    alone, rule = model(), BUILDERS["sgd"]
    optimizer = rule(alone)
    trajectory = torch.optim.Adam(net.parameters(), lr=0.05)
    for step in range(3):
        backward(net, step)
        pseudo.observe()
        for param, mine in zip(net.parameters(), alone.parameters(), strict=True):
            mine.grad = None if param.grad is None else param.grad.clone()
            mine.data.copy_(param)
        optimizer.step()
        moved = [m.detach() - p.detach() for m, p in zip(alone.parameters(), net.parameters(), strict=True)]
        trajectory.step()
    kept = [way for way, param in zip(moved, net.parameters(), strict=True) if param.requires_grad]
    assert all(map(torch.equal, pseudo.direction("sgd"), kept))


def test_the_trajectory_is_not_touched():
    def run(watched):
        net = model()
        pseudo = PseudoUpdates(net, BUILDERS) if watched else None
        trajectory = torch.optim.Adam(net.parameters(), lr=0.05)
        for step in range(3):
            backward(net, step)
            if pseudo is not None:
                before = [param.grad.clone() for param in pseudo.params]
                pseudo.observe()
                assert all(torch.equal(param.grad, old) for param, old in zip(pseudo.params, before, strict=True))
            trajectory.step()
        return [param.detach() for param in net.parameters()]

    state = torch.get_rng_state()
    expected = run(watched=False)
    assert all(map(torch.equal, run(watched=True), expected))
    torch.set_rng_state(state)


def test_it_resumes_bit_for_bit():
    def follow(net, pseudo, trajectory, steps):
        for step in steps:
            backward(net, step)
            pseudo.observe()
            trajectory.step()

    net = model()
    pseudo, trajectory = PseudoUpdates(net, BUILDERS), torch.optim.SGD(net.parameters(), lr=0.1)
    follow(net, pseudo, trajectory, range(5))
    file = io.BytesIO()
    torch.save({"net": net.state_dict(), "pseudo": pseudo.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    follow(net, pseudo, trajectory, range(5, 10))

    other = model()
    other.load_state_dict(saved["net"])
    resumed = PseudoUpdates(other, BUILDERS)
    resumed.load_state_dict(saved["pseudo"])
    with pytest.raises(RuntimeError, match="nothing has been observed yet"):
        resumed.direction("sgd")
    follow(other, resumed, torch.optim.SGD(other.parameters(), lr=0.1), range(5, 10))
    for name in pseudo.names:
        assert all(map(torch.equal, resumed.direction(name), pseudo.direction(name))), name


def test_shadows_of_16_bit_parameters_have_32_bits():
    net = nn.Linear(3, 1).bfloat16()
    pseudo = PseudoUpdates(net, {"sgd": lambda m: torch.optim.SGD(m.parameters(), lr=1e-4)})
    with torch.no_grad():
        net.weight.fill_(1.0)
    for param in net.parameters():
        param.grad = torch.ones_like(param)
    pseudo.observe()
    weight, _ = pseudo.direction("sgd")
    assert weight.dtype == torch.float32
    assert torch.allclose(weight, torch.full((1, 3), -1e-4), rtol=1e-3)


def test_a_parameter_without_gradient_stays():
    net = nn.Linear(3, 1)
    pseudo = PseudoUpdates(net, {"sgd": lambda m: torch.optim.SGD(m.parameters(), lr=1.0)})
    pseudo.observe([torch.ones(1, 3), None])
    weight, bias = pseudo.direction("sgd")
    torch.testing.assert_close(weight, torch.full((1, 3), -1.0))
    assert bias.tolist() == [0.0]


class Moody(torch.optim.SGD):
    """Has modes, as schedule-free optimizers do."""

    def train(self):
        pass

    def eval(self):
        pass


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda m: Moody(m.parameters()), "it: Moody has modes for training and evaluation"),
        (lambda m: CoordinateClip(Moody(m.parameters())), "it: Moody has modes for training and evaluation"),
        (lambda m: AdaHessian(m.parameters()), "it: AdaHessian steps from more than gradients"),
        (lambda m: SSO(m.parameters()), "it: SSO steps from more than gradients"),
        (lambda m: AGVM(torch.optim.SGD(m.named_parameters()), "children"), "it: AGVM steps from more than gradients"),
        (lambda m: torch.optim.LBFGS(m.parameters()), "it: LBFGS evaluates the loss several times a step"),
        (lambda m: m, "it: built a Linear, expected a torch.optim.Optimizer"),
    ],
)
def test_what_needs_more_than_gradients_is_refused_by_name(build, message):
    with pytest.raises(TypeError, match=message):
        PseudoUpdates(nn.Linear(2, 2), {"it": build})


def test_what_cannot_be_is_named():
    pseudo = PseudoUpdates(nn.Linear(3, 1), {"sgd": lambda m: torch.optim.SGD(m.parameters())})
    with pytest.raises(ValueError, match="grads has 1 tensors for 2 parameters"):
        pseudo.observe([None])
    with pytest.raises(ValueError, match=r"grads\[0\] has shape \(3,\), not \(1, 3\)"):
        pseudo.observe([torch.ones(3), None])
    with pytest.raises(ValueError, match="name='lion' must be one of sgd"):
        pseudo.direction("lion")
    with pytest.raises(RuntimeError, match="nothing has been observed yet"):
        pseudo.direction("sgd")
    with pytest.raises(ValueError, match="the state is of lion, and here are sgd"):
        pseudo.load_state_dict({"lion": {}})


def test_what_is_unfrozen_later_has_a_direction_from_then_on():
    net = model()
    names = {param: name for name, param in net.named_parameters()}
    pseudo = PseudoUpdates(net, BUILDERS)
    backward(net, 0)
    pseudo.observe()
    assert [names[param] for param in pseudo.params] == ["0.weight", "2.bias", "3.weight", "3.bias"]
    net[0].bias.requires_grad_(True)
    net[3].requires_grad_(False)
    backward(net, 1)
    pseudo.observe()
    assert [names[param] for param in pseudo.params] == ["0.weight", "0.bias", "2.bias"]
    for name in pseudo.names:
        directions = pseudo.direction(name)
        assert [tuple(each.shape) for each in directions] == [(6, 6), (6,), (6,)]
        assert all(bool(each.any()) for each in directions), name
    fresh = torch.optim.SGD([net[0].bias], lr=0.1, momentum=0.9, nesterov=True)
    before = net[0].bias.detach().clone()
    fresh.step()
    assert torch.equal(pseudo.direction("sgd")[1], net[0].bias.detach() - before)
