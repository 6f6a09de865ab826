import pytest
import torch
from torch import nn

import trimtab
from tests.optim.every_role import Block
from trimtab.catalog.entries import find
from trimtab.catalog.expressions import Expression
from trimtab.optim import Muon, groups_by_role
from trimtab.optim.muon import step_scale
from trimtab.primitives.newton_schulz import orthogonalized
from trimtab.primitives.roles import MATRICES

pytestmark = pytest.mark.usefixtures("each_mode")


def block(dtype=torch.float64):
    torch.manual_seed(0)
    return Block().to(dtype)


def train(model, optimizer, steps=5, seed=2):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        tokens = torch.randint(0, 11, (2, 7), generator=generator)
        optimizer.zero_grad()
        model(tokens).logsumexp(-1).sum().backward()
        optimizer.step()


def values(model):
    return {name: param.detach().clone() for name, param in model.named_parameters()}


def test_one_step_by_hand():
    weight = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]], dtype=torch.float64)
    grad = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    param = nn.Parameter(weight.clone())
    param.grad = grad.clone()
    Muon([param], lr=0.1, weight_decay=0.5, ns_steps=0).step()
    momentum = 0.05 * grad
    followed = 0.05 * grad + 0.95 * momentum
    unit = (followed / followed.norm()).to(torch.bfloat16).double()
    expected = weight * (1 - 0.1 * 0.5) - 0.1 * 0.2 * 3**0.5 * unit
    torch.testing.assert_close(param.detach(), expected, rtol=3e-3, atol=1e-5)  # of products in bfloat16


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (7, 7)])
@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_on_matrices_it_is_torchs_to_rounding(shape, adjust, nesterov):
    generator = torch.Generator().manual_seed(0)
    ours = nn.Parameter(torch.randn(shape, generator=generator))
    theirs = nn.Parameter(ours.detach().clone())
    settings = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.9, "nesterov": nesterov, "adjust_lr_fn": adjust}
    pairs = [(ours, Muon([ours], **settings)), (theirs, torch.optim.Muon([theirs], **settings))]
    for _ in range(20):
        grad = torch.randn(shape, generator=generator)
        for param, optimizer in pairs:
            param.grad = grad.clone()
            optimizer.step()
    # a momentum that differs in its last digit may round to another number of eight bits
    torch.testing.assert_close(
        ours.detach(), theirs.detach(), rtol=0, atol=2e-3 * 0.02 * step_scale(shape, adjust) * 20
    )


def test_everything_else_is_adamws_step():
    ours, theirs = block(), block()
    settings = {"lr": 0.01, "weight_decay": 0.1}
    one = Muon(groups_by_role(ours), betas=(0.8, 0.9), eps=1e-6, **settings)
    other = torch.optim.AdamW(theirs.parameters(), betas=(0.8, 0.9), eps=1e-6, **settings)
    matrices = {id(p) for group in one.param_groups if group["role"] in MATRICES for p in group["params"]}
    for _ in range(6):
        generator = torch.Generator().manual_seed(3)
        for mine, peer in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator, dtype=mine.dtype)
            peer.grad = mine.grad.clone()
        one.step()
        other.step()
    for mine, peer in zip(ours.parameters(), theirs.parameters(), strict=True):
        if id(mine) in matrices:
            assert not torch.allclose(mine, peer, rtol=1e-3)
        else:
            torch.testing.assert_close(mine, peer, rtol=1e-12, atol=1e-14)


def test_convolutions_are_matrices_of_output_channels_and_experts_are_moved_one_by_one():
    model = block()
    optimizer = Muon(groups_by_role(model), lr=0.1, weight_decay=0.0)
    before = values(model)
    generator = torch.Generator().manual_seed(4)
    for param in model.parameters():
        param.grad = torch.randn(param.shape, generator=generator, dtype=param.dtype)
    optimizer.step()
    moved = {name: (before[name] - value) / 0.1 for name, value in values(model).items()}
    followed = {name: param.grad for name, param in model.named_parameters()}  # any multiple has the same factor
    (flat,) = orthogonalized([followed["patches.weight"].flatten(1)])
    torch.testing.assert_close(moved["patches.weight"].flatten(1), 0.2 * 24**0.5 * flat.double(), rtol=0.03, atol=0.01)
    for place in range(3):
        (one,) = orthogonalized([followed["experts"][place]])
        torch.testing.assert_close(moved["experts"][place], 0.2 * 5**0.5 * one.double(), rtol=0.03, atol=0.01)


def test_the_rows_of_a_transposed_convolution_are_input_channels():
    layer = nn.ConvTranspose2d(3, 5, 2, bias=False)
    before = layer.weight.detach().clone()
    optimizer = Muon([{"params": [layer.weight], "role": "convolution"}], lr=0.1, weight_decay=0.0)
    layer.weight.grad = torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(4))
    optimizer.step()
    moved = before - layer.weight.detach()
    grad, across = layer.weight.grad, layer.weight.grad.movedim(1, 0)
    by_inputs, by_outputs = (orthogonalized([each.flatten(1)])[0].float().view_as(each) for each in (grad, across))
    same, other = (
        nn.functional.cosine_similarity(moved.flatten(), each.flatten(), dim=0)
        for each in (by_inputs, by_outputs.movedim(1, 0))
    )
    assert other < 0.97 < 0.995 < same


@pytest.mark.parametrize("shape", [(64, 64), (32, 128), (128, 16)])
def test_a_step_is_as_long_as_adamws(shape):
    """Of independent gradients AdamW's has a root mean square of 0.2 and more times lr; a matrix of full rank 0.2."""
    param = nn.Parameter(torch.zeros(shape))
    optimizer = Muon([param], lr=1.0, weight_decay=0.0)
    param.grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    assert param.detach().square().mean().sqrt().item() == pytest.approx(0.2, rel=0.2)


def test_a_model_is_routed_wherever_it_is_given():
    model = block()
    made = trimtab.create("muon", model, lr=0.02, no_decay_for_biases_and_norms=True)
    assert {(group["role"], group["weight_decay"]) for group in made.param_groups} >= {("matrix", 0.1), ("vector", 0.0)}
    assert {group["lr"] for group in made.param_groups} == {0.02}
    code = Expression(find("muon")).code({"lr": 0.02, "weight_decay": 0.1})
    assert "Muon(groups_by_role(model), lr=0.02, weight_decay=0.1)" in code
    assert "from trimtab.optim import groups_by_role" in code


def test_roles_of_ones_own_count():
    model = block()
    groups = groups_by_role(model, weight_decay=0.3, roles={"hidden.weight": "vector"})
    assert [group["role"] for group in groups] == ["convolution", "experts", "embedding", "head", "vector"]
    optimizer = Muon(groups)
    train(model, optimizer)
    assert set(optimizer.state[model.hidden.weight]) == {"step", "exp_avg", "exp_avg_sq"}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.3}


def test_groups_are_added_with_their_roles():
    model, more = block(), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    optimizer = Muon(groups_by_role(model))
    for group in groups_by_role(more):
        optimizer.add_param_group(group)
    for param in more.parameters():
        param.grad = torch.ones_like(param)
    before = values(more)
    optimizer.step()
    assert not any(torch.equal(before[name], value) for name, value in values(more).items())
    with pytest.raises(ValueError, match=r"shape \(4,\), and role='matrix' is for two dimensions"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(4))]})
    assert len(optimizer.param_groups) == 6 + 3


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (
            [{"params": [(3,)]}],
            r"shape \(3,\), and role='matrix' is for two dimensions: give Muon groups_by_role\(model",
        ),
        ([{"params": [(2, 3)], "role": "experts"}], r"role='experts' is for 3 to 5 dimensions"),
        ([{"params": [(2, 3)], "role": "router"}], "role='router' must be 'matrix' or 'convolution'"),
        ([{"params": [(3,)], "role": "vector"}], "nothing to orthogonalise: .* there are vector. AdamW takes the same"),
    ],
)
def test_what_is_no_matrix_is_refused(groups, words):
    made = [{**group, "params": [nn.Parameter(torch.ones(shape)) for shape in group["params"]]} for group in groups]
    with pytest.raises(ValueError, match=words):
        Muon(made)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"ns_coefficients": (1.0, 2.0)}, TypeError, "ns_coefficients=.* must be three values"),
        ({"ns_coefficients": (1.0, 2.0, float("inf"))}, ValueError, r"ns_coefficients\[2\]=inf must lie in"),
        ({"ns_steps": -1}, ValueError, "ns_steps=-1 must be a whole number >= 0"),
        ({"momentum": 1.0}, ValueError, "momentum=1.0 must lie in"),
        ({"adjust_lr_fn": "adamw"}, ValueError, "adjust_lr_fn='adamw' must be 'match_rms_adamw' or 'original'"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, error, words):
    with pytest.raises(error, match=words):
        Muon([nn.Parameter(torch.ones(2, 2))], **settings)


def test_a_model_without_hidden_matrices_is_refused_with_the_remedy():
    with pytest.raises(
        ValueError,
        match=r"nothing to orthogonalise: .*leave Muon out of a comparison; .*say by groups_by_role\(model, roles=",
    ):
        trimtab.create("muon", nn.Linear(3, 2))
    with pytest.raises(ValueError, match="role 'router' of 'x' is unknown; there are matrix"):
        groups_by_role(block(), roles={"x": "router"})


def test_a_run_that_resumes_goes_on_bit_for_bit():
    straight, stopped = block(torch.float32), block(torch.float32)
    train(straight, one := trimtab.create("muon", straight), 3)
    train(straight, one, 3, seed=5)
    train(stopped, first := trimtab.create("muon", stopped), 3)
    saved = first.state_dict()
    resumed = trimtab.create("muon", stopped)
    resumed.load_state_dict(saved)
    train(stopped, resumed, 3, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), stopped.parameters(), strict=True))


def test_maximize_climbs():
    up, down = block(torch.float32), block(torch.float32)
    for model, sign in ((up, -1), (down, 1)):
        optimizer = Muon(groups_by_role(model), maximize=model is up)
        for param in model.parameters():
            param.grad = sign * torch.sin(torch.arange(param.numel(), dtype=param.dtype)).view_as(param)
        optimizer.step()
    for a, b in zip(up.parameters(), down.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_how_a_convolution_lies_in_memory_changes_nothing(memory_format):
    generator = torch.Generator().manual_seed(0)
    values, grads = (torch.randn(4, 3, 2, 2, generator=generator) for _ in range(2))
    plain = nn.Parameter(values.clone())
    laid = nn.Parameter(values.clone(memory_format=memory_format))
    for param in (plain, laid):
        optimizer = Muon([{"params": [param], "role": "convolution"}], lr=0.1)
        param.grad = grads.clone()
        optimizer.step()
    torch.testing.assert_close(plain.detach(), laid.detach().contiguous(), rtol=0, atol=1e-6)


def test_a_sparse_gradient_is_refused():
    param = nn.Parameter(torch.ones(2, 2))
    optimizer = Muon([param])
    param.grad = torch.eye(2).to_sparse()
    with pytest.raises(RuntimeError, match="Muon needs dense gradients"):
        optimizer.step()
    assert torch.equal(param.detach(), torch.ones(2, 2))
