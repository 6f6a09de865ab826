import math
from typing import ClassVar

import pytest
import torch
from torch import nn

from tests.optim.trajectory import follow, positions, random_gradients, random_parameters, resume_in_a_new_process
from trimtab.optim import AdaGradNorm
from trimtab.optim.adagrad_norm import squared_norm
from trimtab.testing import OptimizerConformance


def test_three_steps_by_hand():
    rows, state = positions(
        lambda params: AdaGradNorm(params, lr=2.0, initial_accumulator_value=1.0),
        (1.0, 1.0),
        ((2.0, 2.0), (0.0, 4.0), (0.0, 0.0)),
    )
    second = 1 - 4 / 3 - 8 / 5
    expected = torch.tensor([[1 - 4 / 3, 1 - 4 / 3], [1 - 4 / 3, second], [1 - 4 / 3, second]], dtype=torch.float64)
    torch.testing.assert_close(rows, expected, rtol=1e-14, atol=1e-15)
    assert state == {"step": 3, "accumulator": 25.0}


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_with_one_number_it_is_adagrad(weight_decay):
    generator = torch.Generator().manual_seed(0)
    grads = torch.randn(30, 1, generator=generator, dtype=torch.float64).tolist()
    ours, _ = positions(
        lambda p: AdaGradNorm(p, lr=0.3, initial_accumulator_value=0.5, weight_decay=weight_decay), (1.0,), grads
    )
    theirs, _ = positions(
        lambda p: torch.optim.Adagrad(p, lr=0.3, initial_accumulator_value=0.5, eps=0, weight_decay=weight_decay),
        (1.0,),
        grads,
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-14)


def test_the_accumulator_is_one_for_all_groups():
    params = random_parameters()
    apart = AdaGradNorm([{"params": [param]} for param in params], lr=0.1)
    grads = random_gradients(5)
    follow(params, apart, grads)
    expected = 1e-2 + sum(float(grad.square().sum()) for row in grads for grad in row)
    assert apart.state[params[0]]["accumulator"] == pytest.approx(expected, rel=1e-13)
    assert [apart.state[param] for param in params] == [apart.state[params[0]]] * len(params)


def test_a_step_is_the_gradient_times_one_number():
    params = random_parameters()
    before = [param.detach().clone() for param in params]
    (grads,) = random_gradients(1)
    follow(params, AdaGradNorm(params, lr=0.1), [grads])
    v = 1e-2 + sum(float(grad.square().sum()) for grad in grads)
    for param, old, grad in zip(params, before, grads, strict=True):
        torch.testing.assert_close(param.detach(), old - 0.1 / math.sqrt(v) * grad, rtol=1e-12, atol=1e-15)


def test_the_scale_of_the_loss_does_not_matter_beside_the_first_value():
    grads = random_gradients(10)
    ours, scaled = random_parameters(), random_parameters()
    follow(ours, AdaGradNorm(ours, initial_accumulator_value=1.0), grads)
    larger = [[1024.0 * grad for grad in row] for row in grads]
    follow(scaled, AdaGradNorm(scaled, initial_accumulator_value=1024.0**2), larger)
    for one, other in zip(ours, scaled, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)


def test_squared_norms_do_not_depend_on_the_order():
    tensors = [grad for row in random_gradients(20) for grad in row]
    assert squared_norm(tensors) == squared_norm(tensors[::-1])
    assert squared_norm([]) == 0
    assert squared_norm([torch.full((3,), 300.0, dtype=torch.float16)]) == pytest.approx(270_000)


def test_resumes_bit_for_bit_in_a_new_process(tmp_path):
    expected, resumed = resume_in_a_new_process(AdaGradNorm, {"lr": 0.5, "weight_decay": 0.1}, tmp_path / "half.pt")
    for one, other in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(one, other)
    assert resumed["optimizer"] == expected["optimizer"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -0.1}, ValueError, r"lr=-0.1 must lie in \[0, inf\)"),
        ({"initial_accumulator_value": 0.0}, ValueError, r"initial_accumulator_value=0.0 must lie in \(0, inf\)"),
        ({"weight_decay": -1.0}, ValueError, r"weight_decay=-1.0 must lie in \[0, inf\)"),
        ({"initial_accumulator_value": "1"}, TypeError, "initial_accumulator_value='1' must be a number"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        AdaGradNorm(random_parameters(), **settings)


def test_sparse_and_complex_gradients_are_refused():
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(
        RuntimeError, match="AdaGradNorm needs dense gradients, and that of parameter 'weight' is sparse"
    ):
        AdaGradNorm(embedding.named_parameters()).step()
    with pytest.raises(TypeError, match="complex64"):
        AdaGradNorm([nn.Parameter(torch.ones(2, dtype=torch.complex64))])


def test_groups_share_the_accumulator_and_nothing_else():
    params = random_parameters()
    groups = [{"params": params[:1], "lr": 0.1}, {"params": params[1:], "lr": 0.2, "weight_decay": 0.5}]
    optimizer = AdaGradNorm(groups)
    before = [param.detach().clone() for param in params]
    (grads,) = random_gradients(1)
    follow(params, optimizer, [grads])
    decayed = [grads[0], *(grad + 0.5 * old for grad, old in zip(grads[1:], before[1:], strict=True))]
    v = 1e-2 + sum(float(grad.square().sum()) for grad in decayed)
    for param, old, grad, lr in zip(params, before, decayed, (0.1, 0.2, 0.2), strict=True):
        torch.testing.assert_close(param.detach(), old - lr / math.sqrt(v) * grad, rtol=1e-12, atol=1e-15)
    with pytest.raises(ValueError, match="initial_accumulator_value must be the same in every group"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "initial_accumulator_value": 1.0})


class TestConformance(OptimizerConformance):
    optimizer = AdaGradNorm
    exceptions: ClassVar = dict.fromkeys(
        ("shape[0-d]", "shape[length-1]", "mixed_dtypes", "late_gradients", "added_group", "alone"),
        "one accumulator for all parameters: what one of them gets changes the others' steps",
    )
