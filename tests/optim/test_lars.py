import warnings

import pytest
import torch

from tests.optim.optax_peer import difference_from_optax
from tests.optim.trajectory import (
    follow,
    largest_difference,
    positions,
    random_gradients,
    random_parameters,
    resume_in_a_new_process,
)
from trimtab.optim import Lars
from trimtab.optim.lars import of_both_norms, of_sum

pytestmark = pytest.mark.usefixtures("each_mode")

START = (3.0, 4.0)
GRADS = ((1.0, -1.0), (0.5, 0.5))


@pytest.mark.parametrize(
    ("variant", "lr", "by_hand"),
    [
        ("paper", 1e-2, [[2.9634236275522357, 4.034090599562965], [2.9145596005823284, 4.0449480175095065]]),
        ("classic", 1.0, [[2.9964827535187877, 4.003278210312586], [2.989816960833105, 4.002661832690851]]),
        ("classic_sum", 1.0, [[2.9963423627552235, 4.003409059956296], [2.989548011568894, 4.002908180174458]]),
    ],
)
def test_two_steps_by_hand(variant, lr, by_hand):
    rows, _ = positions(lambda p: Lars(p, lr=lr, weight_decay=0.01, variant=variant, adapt=True), START, GRADS)
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-14, atol=0)


@pytest.mark.parametrize("nesterov", [False, True])
def test_without_adaptation_it_is_sgd(nesterov):
    settings = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 0.1, "nesterov": nesterov}
    difference = largest_difference(
        lambda p: Lars(p, adapt=False, **settings), lambda p: torch.optim.SGD(p, **settings)
    )
    assert difference <= 1e-12


def test_agrees_with_another_implementation():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_optimizer
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.01}
    # It adapts what has at least two dimensions, and lets all others go without decay.
    ours, theirs = ([random_parameters()[0]] for _ in range(2))
    mine, peer = Lars(ours, **settings), pytorch_optimizer.LARS(theirs, eps=0.0, **settings)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        grad = torch.randn(7, 5, dtype=torch.float64, generator=generator)
        ours[0].grad, theirs[0].grad = grad.clone(), grad.clone()
        mine.step()
        peer.step()
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("nesterov", [False, True])
def test_agrees_with_a_second_implementation(nesterov):
    """Where gradients are not zero; the other one then leaves the decay out."""
    import torch_optimizer

    settings = {"lr": 0.5, "momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.01, "nesterov": nesterov}
    grads = [[torch.copysign(grad.abs() + 0.1, grad) for grad in row] for row in random_gradients(50)]
    ours, theirs = random_parameters(), random_parameters()
    follow(ours, Lars(ours, **settings, adapt=True), grads)
    follow(theirs, torch_optimizer.LARS(theirs, eps=0.0, **settings), grads)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_the_norm_of_the_sum_is_optaxs(weight_decay, nesterov):
    """It keeps the learning rate inside the buffer, which makes no difference while that is constant."""
    settings = {"weight_decay": weight_decay, "trust_coefficient": 0.01, "momentum": 0.9, "nesterov": nesterov}
    difference = difference_from_optax(
        lambda p: Lars(p, lr=0.5, **settings, adapt=True, variant="classic_sum"),
        lambda optax: optax.lars(0.5, **settings),
    )
    assert difference <= 1e-12


@pytest.mark.parametrize("variant", ["classic", "classic_sum", "paper"])
def test_scale_of_the_gradients_makes_no_difference(variant):
    settings = {"lr": 0.1, "variant": variant, "adapt": True}
    grads = random_gradients(10)
    ours, scaled = random_parameters(), random_parameters()
    follow(ours, Lars(ours, **settings), grads)
    follow(scaled, Lars(scaled, **settings), [[grad * 1024 for grad in row] for row in grads])
    for a, b in zip(ours, scaled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("variant", "fraction"), [("classic", 0.1 * 0.02), ("classic_sum", 0.1 * 0.02), ("paper", 0.1)]
)
def test_the_first_step_changes_every_layer_by_the_same_fraction(variant, fraction):
    params = random_parameters()
    before = [param.detach().clone() for param in params]
    settings = {"lr": 0.1, "trust_coefficient": 0.02, "variant": variant, "adapt": True}
    follow(params, Lars(params, **settings), random_gradients(1))
    for param, old in zip(params, before, strict=True):
        assert ((param - old).norm() / old.norm()).item() == pytest.approx(fraction, rel=1e-12)


@pytest.mark.parametrize("variant", ["classic", "classic_sum", "paper"])
def test_nothing_divides_by_zero(variant):
    rows, _ = positions(lambda p: Lars(p, variant=variant, adapt=True), (0.0, 0.0), ((0.0, 0.0), (1.0, 0.0)))
    assert rows.isfinite().all()
    assert not rows[0].any()


@pytest.mark.parametrize("variant", ["classic", "paper"])
def test_resumes_bit_for_bit_in_a_new_process(tmp_path, variant):
    expected, resumed = resume_in_a_new_process(Lars, {"lr": 0.1, "variant": variant}, tmp_path / "half.pt")
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "settings",
    [{"nesterov": True, "momentum": 0.0}, {"nesterov": True, "variant": "paper"}, {"variant": "new"}, {"eps": -1.0}],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=r"nesterov=True needs|variant=|eps="):
        Lars(random_parameters(), **settings)


@pytest.mark.parametrize("factor", [of_both_norms, of_sum])
def test_a_factor_of_numbers_is_that_of_tensors(factor):
    settings = {"weight_decay": 0.1, "trust_coefficient": 0.01, "eps": 0.5}
    norms = torch.tensor([0.0, 0.1, 1.0, 3.0, float("inf")], dtype=torch.float64)
    weights, others = norms.repeat_interleave(5), norms.repeat(5)
    pairs = zip(weights.tolist(), others.tolist(), strict=True)
    found = torch.tensor([factor(*pair, **settings) for pair in pairs], dtype=torch.float64)
    assert torch.equal(found.nan_to_num(-1), factor(weights, others, **settings).nan_to_num(-1))
    assert factor(0.0, 3.0, **settings) == factor(3.0, 0.0, **settings) == 1.0
