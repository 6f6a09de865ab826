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
from trimtab.optim import Lamb
from trimtab.optim.lamb import trust_ratio

pytestmark = pytest.mark.usefixtures("each_mode")

START = (3.0, 4.0)
GRADS = ((1.0, -1.0), (0.5, 0.5))


@pytest.mark.parametrize(
    ("bias_correction", "by_hand"),
    [
        (True, [[2.9634236263485323, 4.034090598271492], [2.9146949800830355, 4.045540300781094]]),
        (False, [[2.964254913330866, 4.034961246817241], [2.9159606946812544, 4.048168835184381]]),
    ],
)
def test_two_steps_by_hand(bias_correction, by_hand):
    settings = {"lr": 1e-2, "weight_decay": 0.01, "adapt": True, "bias_correction": bias_correction}
    rows, _ = positions(lambda params: Lamb(params, **settings), START, GRADS)
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-14, atol=0)


def test_every_layer_changes_by_the_same_fraction():
    params = random_parameters()
    optimizer = Lamb(params, lr=0.03, weight_decay=0.1, adapt=True)
    for row in random_gradients(5):
        before = [param.detach().clone() for param in params]
        follow(params, optimizer, [row])
        for param, old, grad in zip(params, before, row, strict=True):
            if grad.any() or old.any():
                assert ((param - old).norm() / old.norm()).item() == pytest.approx(0.03, rel=1e-12)


def test_a_large_tensor_and_a_small_one_are_scaled_alike():
    """One goes through the kernel in place and the other through a bucket beside a third."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(200, 200, dtype=torch.float64, generator=generator)
    large, small = nn.Parameter(values.clone()), nn.Parameter(values[:10].clone())
    padded = torch.zeros_like(values)
    padded[:10] = values[:10]
    large.data.copy_(padded)
    optimizer = Lamb([large, small, nn.Parameter(torch.ones(3, dtype=torch.float64))], lr=0.01, weight_decay=0.1)
    for _ in range(3):
        grad = torch.randn(10, 200, dtype=torch.float64, generator=generator)
        small.grad, large.grad = grad, torch.zeros_like(values)
        large.grad[:10] = grad
        optimizer.param_groups[0]["params"][2].grad = torch.ones(3, dtype=torch.float64)
        optimizer.step()
    torch.testing.assert_close(large[:10], small, rtol=1e-13, atol=1e-15)
    assert not large[10:].any()


def test_scale_of_the_gradients_makes_no_difference():
    settings = {"lr": 0.01, "eps": 1e-30}
    grads = random_gradients(10)
    ours, scaled = random_parameters(), random_parameters()
    follow(ours, Lamb(ours, **settings), grads)
    follow(scaled, Lamb(scaled, **settings), [[grad * 1024 for grad in row] for row in grads])
    for a, b in zip(ours, scaled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_scale_of_the_weights_is_the_scale_of_the_path():
    settings = {"lr": 0.01, "eps": 1e-30, "adapt": True}
    grads = random_gradients(10)
    ours, scaled = random_parameters(), random_parameters()
    with torch.no_grad():
        for param in scaled:
            param.mul_(1024)
    follow(ours, Lamb(ours, **settings), grads)
    follow(scaled, Lamb(scaled, **settings), grads)
    for a, b in zip(ours, scaled, strict=True):
        torch.testing.assert_close(1024 * a, b, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(
    ("weight_decay", "bias_correction", "ratio"),
    [(0.01, True, 3.551107685680497), (0.01, False, 1.1197712169892047)],
)
def test_first_trust_ratio_by_hand(weight_decay, bias_correction, ratio):
    """A step is ratio times lr times the direction, which is the step without adaptation."""
    settings = {"lr": 1e-2, "weight_decay": weight_decay, "bias_correction": bias_correction}
    start = torch.tensor(START, dtype=torch.float64)
    adapted, plain = (
        positions(lambda p, a=adapt: Lamb(p, **settings, adapt=a), START, GRADS[:1])[0][0] - start
        for adapt in (True, False)
    )
    torch.testing.assert_close(adapted / plain, torch.full_like(plain, ratio), rtol=1e-12, atol=0)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_agrees_with_optax(weight_decay):
    difference = difference_from_optax(
        lambda p: Lamb(p, lr=0.01, weight_decay=weight_decay, adapt=True),
        lambda optax: optax.lamb(0.01, eps=1e-6, weight_decay=weight_decay),
    )
    assert difference <= 1e-12


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_without_bias_correction_it_agrees_with_another_implementation(weight_decay):
    """As long as no norm exceeds 10, where the other one cuts it."""
    import torch_optimizer

    settings = {"lr": 0.003, "weight_decay": weight_decay}
    difference = largest_difference(
        lambda p: Lamb(p, **settings, adapt=True, bias_correction=False), lambda p: torch_optimizer.Lamb(p, **settings)
    )
    assert difference <= 1e-14


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_without_adaptation_it_is_adamw(weight_decay):
    settings = {"lr": 0.01, "eps": 1e-6, "weight_decay": weight_decay}
    difference = largest_difference(
        lambda p: Lamb(p, adapt=False, **settings), lambda p: torch.optim.AdamW(p, **settings)
    )
    assert difference <= 1e-12


def test_only_matrices_are_adapted_by_default():
    ours, adamw = random_parameters(), random_parameters()
    grads = random_gradients(3)
    follow(ours, Lamb(ours, lr=0.01, eps=1e-8), grads)
    follow(adamw, torch.optim.AdamW(adamw, lr=0.01, eps=1e-8, weight_decay=0.0), grads)
    assert (ours[0] - adamw[0]).abs().max() > 1e-3
    for a, b in zip(ours[1:], adamw[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_phi_is_bounded():
    rows, _ = positions(lambda p: Lamb(p, lr=1e-2, adapt=True, phi_bounds=(0.0, 2.0)), START, GRADS[:1])
    assert (rows[0] - torch.tensor(START, dtype=torch.float64)).norm().item() == pytest.approx(2e-2)


def test_zero_weights_take_the_step_unscaled():
    rows, _ = positions(lambda p: Lamb(p, lr=1e-2, eps=1e-12, adapt=True), (0.0, 0.0), GRADS[:1])
    assert rows[0].tolist() == pytest.approx([-0.01, 0.01])


def test_resumes_bit_for_bit_in_a_new_process(tmp_path):
    expected, resumed = resume_in_a_new_process(Lamb, {"weight_decay": 0.1}, tmp_path / "half.pt")
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"eps": 0.0}, ValueError, r"eps=0.0 must lie in \(0, inf\)"),
        ({"phi_bounds": (2.0, 1.0)}, ValueError, r"phi_bounds=\(2.0, 1.0\)"),
        ({"phi_bounds": 2.0}, TypeError, "phi_bounds=2.0 must be a pair"),
        ({"adapt": "some"}, ValueError, "adapt='some' must be 'matrices' or True or False"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        Lamb(random_parameters(), **settings)


@pytest.mark.parametrize("bounds", [None, (0.5, 2.0)])
def test_a_ratio_of_numbers_is_that_of_tensors(bounds):
    norms = torch.tensor([0.0, 0.1, 1.0, 3.0, float("inf")], dtype=torch.float64)
    weights, directions = norms.repeat_interleave(5), norms.repeat(5)
    pairs = zip(weights.tolist(), directions.tolist(), strict=True)
    found = torch.tensor([trust_ratio(*pair, bounds=bounds) for pair in pairs], dtype=torch.float64)
    assert torch.equal(found.nan_to_num(-1), trust_ratio(weights, directions, bounds=bounds).nan_to_num(-1))
    assert trust_ratio(3.0, 0.1, bounds=bounds) == pytest.approx(30.0 if bounds is None else 20.0)
