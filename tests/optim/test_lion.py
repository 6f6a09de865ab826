import math
import warnings

import pytest
import torch
from torch import nn

from tests.optim.optax_peer import difference_from_optax
from tests.optim.trajectory import (
    follow,
    largest_difference,
    positions,
    random_gradients,
    random_parameters,
    resume_in_a_new_process,
)
from trimtab.optim import Lion
from trimtab.study.tunable import LogUniform

pytestmark = pytest.mark.usefixtures("each_mode")

START = (1.0, -2.0, 0.5)
GRADS = ((1.0, -0.5, 0.0), (-0.05, 0.3, 0.0), (-0.2, 0.01, 1e-9))


def test_three_steps_by_hand():
    rows, state = positions(lambda params: Lion(params, lr=1e-2, weight_decay=0.1), START, GRADS)
    by_hand = [[0.989, -1.988, 0.4995], [0.978011, -1.996012, 0.4990005], [0.987032989, -1.984015988, 0.4885014995]]
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-15, atol=1e-16)
    momentum = torch.tensor([0.007306, -0.0018305, 1e-11], dtype=torch.float64)
    torch.testing.assert_close(state["momentum"], momentum, rtol=1e-14, atol=0)
    assert state["step"] == 3


def test_defaults_are_the_papers():
    group = Lion([nn.Parameter(torch.ones(1))]).param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-4, (0.9, 0.99), 0.0)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_equal_betas_are_signum(beta):
    grads = random_gradients(20)
    ours, signum = random_parameters(), random_parameters()
    follow(ours, Lion(ours, lr=0.01, betas=(beta, beta)), grads)
    averages = [torch.zeros_like(param) for param in signum]
    with torch.no_grad():
        for row in grads:
            for param, average, grad in zip(signum, averages, row, strict=True):
                average.mul_(beta).add_((1 - beta) * grad)
                param.sub_(0.01 * average.sign())
    for a, b in zip(ours, signum, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)


def test_every_step_is_as_long_as_the_learning_rate_or_zero():
    rows, _ = positions(lambda params: Lion(params, lr=0.5), (0.0, 0.0, 0.0), GRADS)
    lengths = rows.diff(dim=0, prepend=torch.zeros(1, 3, dtype=torch.float64)).abs()
    assert lengths[:, :2].unique().tolist() == [0.5]
    assert lengths[:, 2].tolist() == [0.0, 0.0, 0.5]


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_scale_of_the_gradients_makes_no_difference(factor):
    grads = random_gradients(20)
    ours, scaled = random_parameters(), random_parameters()
    follow(ours, Lion(ours, lr=0.01, weight_decay=0.1), grads)
    follow(scaled, Lion(scaled, lr=0.01, weight_decay=0.1), [[grad * factor for grad in row] for row in grads])
    for a, b in zip(ours, scaled, strict=True):
        assert torch.equal(a, b)


def test_maximize_mirrors_the_gradients():
    grads = random_gradients(10)
    up, down = random_parameters(), random_parameters()
    follow(up, Lion(up, lr=0.01, weight_decay=0.1, maximize=True), grads)
    follow(down, Lion(down, lr=0.01, weight_decay=0.1), [[-grad for grad in row] for row in grads])
    for a, b in zip(up, down, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.95, 0.98)])
def test_agrees_with_other_implementations(betas, weight_decay):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lion_pytorch
        import pytorch_optimizer
    settings = {"lr": 0.01, "betas": betas, "weight_decay": weight_decay}
    for peer in (lion_pytorch.Lion, pytorch_optimizer.Lion):
        difference = largest_difference(lambda p: Lion(p, **settings), lambda p, peer=peer: peer(p, **settings))
        assert difference <= 1e-15, peer


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_agrees_with_optax(weight_decay):
    difference = difference_from_optax(
        lambda p: Lion(p, lr=0.01, weight_decay=weight_decay),
        lambda optax: optax.lion(0.01, b1=0.9, b2=0.99, weight_decay=weight_decay),
    )
    assert difference <= 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_momentum_of_half_precision_parameters_is_float32_unless_asked_otherwise(dtype):
    params = random_parameters(dtype=dtype)
    optimizer = Lion(params)
    follow(params, optimizer, random_gradients(3, dtype=dtype))
    assert {optimizer.state[param]["momentum"].dtype for param in params} == {torch.float32}


def test_bfloat16_momentum_follows_float32_closely():
    grads = random_gradients(30, dtype=torch.float32)
    ours, reference = random_parameters(dtype=torch.float32), random_parameters(dtype=torch.float32)
    optimizer = Lion(ours, lr=0.01, state_dtype=torch.bfloat16)
    follow(ours, optimizer, grads)
    follow(reference, Lion(reference, lr=0.01), grads)
    assert optimizer.state[ours[0]]["momentum"].dtype == torch.bfloat16
    same = (ours[0] - reference[0]).abs() < 1e-6
    assert same.float().mean() > 0.8


def test_a_nan_gradient_stops_a_coordinate_for_good():
    rows, state = positions(lambda p: Lion(p, lr=0.1), (1.0, 1.0), ((math.nan, 1.0), (1.0, 1.0), (1.0, 1.0)))
    assert rows[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert rows[-1, 1].item() == pytest.approx(0.7)
    assert state["momentum"][0].isnan()


def test_resumes_bit_for_bit_in_a_new_process(tmp_path):
    settings = {"lr": 0.01, "weight_decay": 0.1, "state_dtype": torch.bfloat16}
    expected, resumed = resume_in_a_new_process(Lion, settings, tmp_path / "half.pt")
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)
    for key, state in expected["optimizer"]["state"].items():
        assert resumed["optimizer"]["state"][key]["step"] == 10
        assert resumed["optimizer"]["state"][key]["momentum"].dtype == torch.bfloat16
        assert torch.equal(resumed["optimizer"]["state"][key]["momentum"], state["momentum"])
    assert resumed["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -1e-4}, ValueError, r"lr=-0.0001 must lie in \[0, inf\)"),
        ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]=1.0 must lie in \[0, 1\)"),
        ({"betas": (-0.1, 0.9)}, ValueError, r"betas\[0\]=-0.1 must lie in \[0, 1\)"),
        ({"weight_decay": math.nan}, ValueError, r"weight_decay=nan must lie in \[0, inf\)"),
        ({"state_dtype": torch.int8}, TypeError, "state_dtype=torch.int8 must be None or one of"),
        ({"maximize": 1}, TypeError, "maximize=1 must be True or False"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        Lion(random_parameters(), **settings)


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="Lion needs dense gradients, and that of parameter 'weight' is sparse"):
        Lion(embedding.named_parameters()).step()


def test_tunables_are_settings_and_span_as_many_decades_as_others():
    assert set(Lion.tunables) == {"lr", "weight_decay"}
    for name, tunable in Lion.tunables.items():
        assert isinstance(tunable, LogUniform)
        assert math.log10(tunable.high / tunable.low) == pytest.approx({"lr": 3.52}.get(name, 3), abs=0.01)
        Lion(random_parameters(), **{name: tunable.low})
        Lion(random_parameters(), **{name: tunable.high})
