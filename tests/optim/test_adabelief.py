import itertools
import math
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
from trimtab.optim import AdaBelief
from trimtab.optim.adabelief import variance_rectification
from trimtab.study.tunable import LogUniform

pytestmark = pytest.mark.usefixtures("each_mode")

START = (1.0, -2.0)
GRADS = ((1.0, -0.5), (-0.5, -0.5), (2.0, 0.1))


@pytest.fixture(scope="module")
def peers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import adabelief_pytorch
        import pytorch_optimizer
        import torch_optimizer
    return adabelief_pytorch.AdaBelief, pytorch_optimizer.AdaBelief, torch_optimizer.AdaBelief


@pytest.mark.parametrize(
    ("eps", "by_hand"),
    [
        (
            1e-16,
            [
                [0.9988888888888889, -1.9988888888888892],
                [0.9986051880959597, -1.9977208841517005],
                [0.9978705496168219, -1.9969551833194583],
            ],
        ),
        (
            1e-8,
            [
                [0.9988888957598815, -1.9988889163474053],
                [0.9986051975466986, -1.9977209435048555],
                [0.9978705616877442, -1.9969552716116017],
            ],
        ),
    ],
)
def test_three_steps_by_hand(eps, by_hand):
    rows, state = positions(lambda params: AdaBelief(params, eps=eps), START, GRADS)
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-15, atol=0)
    if eps == 1e-16:
        variance = torch.tensor([0.004211385210000303, 0.00039675642750030014], dtype=torch.float64)
        torch.testing.assert_close(state["exp_avg_var"], variance, rtol=1e-14, atol=0)
    assert set(state) == {"step", "exp_avg", "exp_avg_var"}


def test_defaults():
    group = AdaBelief(random_parameters()).param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-3, (0.9, 0.999), 1e-16, 0.0)
    flags = ("decoupled", "fixed_decay", "rectify", "degenerated_to_sgd", "amsgrad", "eps_in_state", "maximize")
    assert [name for name in flags if group[name]] == ["decoupled", "degenerated_to_sgd", "eps_in_state"]


@pytest.mark.parametrize("beta1", [0.5, 0.9])
def test_first_step_is_the_learning_rate_over_beta1(beta1):
    rows, _ = positions(lambda p: AdaBelief(p, lr=0.01, betas=(beta1, 0.999), eps=1e-37), (0.0, 0.0), ((3.0, -1e-4),))
    torch.testing.assert_close(rows[0], torch.tensor([-0.01, 0.01], dtype=torch.float64) / beta1, rtol=1e-13, atol=0)


def test_without_momentum_only_epsilons_are_left():
    eps, steps = 1e-6, 3
    rows, state = positions(lambda p: AdaBelief(p, lr=0.01, betas=(0.0, 0.9), eps=eps), (0.0,), ((2.0,),) * steps)
    stored = eps * sum(0.9**k for k in range(steps))
    assert state["exp_avg_var"].item() == pytest.approx(stored, rel=1e-14)
    last = (rows[-1] - rows[-2]).item()
    assert last == pytest.approx(-0.01 * 2 / (math.sqrt(stored / (1 - 0.9**steps)) + eps), rel=1e-12)


def test_constant_gradients_lead_to_the_step_of_the_warning():
    settings = {"lr": 1.0, "betas": (0.5, 0.9), "eps": 1e-10}
    rows, _ = positions(lambda p: AdaBelief(p, **settings), (0.0,), ((0.3,),) * 600)
    floor = math.sqrt(1e-10 / (1 - 0.9))
    assert (rows[-1] - rows[-2]).item() == pytest.approx(-0.3 / (floor + 1e-10), rel=1e-6)


def test_long_memory_of_pure_noise_is_adam():
    """With beta1 near 1 the momentum stays near zero, so that its prediction error is the gradient."""
    generator = torch.Generator().manual_seed(0)
    grads = torch.randn(400, 50, generator=generator, dtype=torch.float64)
    grads[1::2] = -grads[::2]
    _, state = positions(lambda p: AdaBelief(p, betas=(0.9999, 0.99)), [0.0] * 50, grads.tolist())
    squares = torch.zeros(50, dtype=torch.float64)
    for grad in grads:
        squares = 0.99 * squares + 0.01 * grad**2
    torch.testing.assert_close(state["exp_avg_var"], squares, rtol=2e-3, atol=0)


def test_first_version_of_the_paper_keeps_epsilon_out_of_the_state():
    grads = random_gradients(5)
    params = random_parameters()
    optimizer = AdaBelief(params, eps=1e-3, eps_in_state=False)
    follow(params, optimizer, grads)
    m = s = torch.zeros_like(params[0])
    expected = random_parameters()[0].detach()
    for step, (grad, *_) in enumerate(grads, start=1):
        m = 0.9 * m + 0.1 * grad
        s = 0.999 * s + 0.001 * (grad - m) ** 2
        expected = expected - 1e-3 * (m / (1 - 0.9**step)) / ((s / (1 - 0.999**step)).sqrt() + 1e-3)
    torch.testing.assert_close(params[0].detach(), expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(optimizer.state[params[0]]["exp_avg_var"], s, rtol=1e-13, atol=0)


def test_amsgrad_divides_by_the_largest_variance():
    grads = ((1.0,),) + ((0.0,),) * 30
    rows, state = positions(lambda p: AdaBelief(p, betas=(0.9, 0.5), amsgrad=True), (0.0,), grads)
    assert set(state) == {"step", "exp_avg", "exp_avg_var", "max_exp_avg_var"}
    assert state["max_exp_avg_var"].item() > 100 * state["exp_avg_var"].item()
    m, largest = 0.1 * 0.9**30, state["max_exp_avg_var"].item()
    step = -1e-3 * m / (1 - 0.9**31) / math.sqrt(largest / (1 - 0.5**31))
    assert (rows[-1] - rows[-2]).item() == pytest.approx(step, rel=1e-9)


@pytest.mark.parametrize(
    ("decoupled", "fixed_decay"),
    [(True, False), (True, True), (False, False)],
    ids=["decoupled", "fixed", "coupled"],
)
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("eps", [1e-16, 1e-8])
def test_agrees_with_other_implementations(peers, decoupled, fixed_decay, rectify, eps):
    authors, collection, _ = peers
    settings = {"lr": 0.01, "eps": eps, "weight_decay": 0.01, "rectify": rectify, "fixed_decay": fixed_decay}
    for make_peer in (
        lambda p: authors(p, **settings, weight_decouple=decoupled, print_change_log=False),
        lambda p: collection(p, **settings, weight_decouple=decoupled),
    ):
        difference = largest_difference(lambda p: AdaBelief(p, **settings, decoupled=decoupled), make_peer)
        assert difference <= 1e-14


@pytest.mark.parametrize(
    ("decoupled", "fixed_decay"),
    [(True, False), (True, True), (False, False)],
    ids=["decoupled", "fixed", "coupled"],
)
@pytest.mark.parametrize("eps", [1e-16, 1e-8])
def test_agrees_with_a_third_implementation(peers, decoupled, fixed_decay, eps):
    settings = {"lr": 0.01, "eps": eps, "weight_decay": 0.01, "fixed_decay": fixed_decay}
    difference = largest_difference(
        lambda p: AdaBelief(p, **settings, decoupled=decoupled),
        lambda p: peers[2](p, **settings, weight_decouple=decoupled),
    )
    assert difference <= 1e-14


@pytest.mark.parametrize("eps", [1e-16, 1e-8])
def test_agrees_with_optax(eps):
    difference = difference_from_optax(
        lambda p: AdaBelief(p, lr=0.01, eps=eps), lambda optax: optax.adabelief(0.01, eps=eps, eps_root=eps)
    )
    assert difference <= 1e-12


@pytest.mark.parametrize("degenerated_to_sgd", [False, True])
def test_agrees_on_the_steps_before_the_rectified_ones(peers, degenerated_to_sgd):
    settings = {"lr": 0.01, "rectify": True, "degenerated_to_sgd": degenerated_to_sgd}
    for steps in (5, 6, 20):
        difference = largest_difference(
            lambda p: AdaBelief(p, **settings), lambda p: peers[0](p, **settings, print_change_log=False), steps
        )
        assert difference <= 1e-14


def test_agrees_on_amsgrad(peers):
    authors, collection, _ = peers
    difference = largest_difference(
        lambda p: AdaBelief(p, lr=0.01, amsgrad=True),
        lambda p: authors(p, lr=0.01, amsgrad=True, rectify=False, print_change_log=False),
    )
    assert difference <= 1e-14
    # Where the authors' package forgets the maximum again.
    difference = largest_difference(
        lambda p: AdaBelief(p, lr=0.01, amsgrad=True, rectify=True),
        lambda p: collection(p, lr=0.01, ams_bound=True, rectify=True),
    )
    assert difference <= 1e-14


def test_rectification_starts_at_the_sixth_step_and_goes_to_one():
    factors = [variance_rectification(step, 0.999) for step in range(1, 7)]
    assert factors[:5] == [None] * 5
    assert 0 < factors[5] < 0.1
    assert variance_rectification(100_000, 0.999) == pytest.approx(1)
    # A memory of fewer than five gradients never gets there.
    assert variance_rectification(1000, 0.5) is None


def test_resting_until_the_variance_is_known():
    rows, _ = positions(lambda p: AdaBelief(p, rectify=True, degenerated_to_sgd=False), START, ((1.0, 0.0),) * 6)
    assert torch.equal(rows[4], torch.tensor(START, dtype=torch.float64))
    assert rows[5, 0] != START[0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_state_of_half_precision_parameters_is_float32_and_stays_finite(dtype):
    params = random_parameters(dtype=dtype)
    optimizer = AdaBelief(params)
    zeros = [torch.zeros_like(param) for param in params]
    follow(params, optimizer, [zeros, *random_gradients(3, dtype=dtype)])
    for param in params:
        assert param.isfinite().all()
        assert optimizer.state[param]["exp_avg"].dtype == torch.float32
        assert optimizer.state[param]["exp_avg_var"].dtype == torch.float32
        assert (optimizer.state[param]["exp_avg_var"] > 0).all()


def test_resumes_bit_for_bit_in_a_new_process(tmp_path):
    settings = {"weight_decay": 0.1, "amsgrad": True, "rectify": True}
    expected, resumed = resume_in_a_new_process(AdaBelief, settings, tmp_path / "half.pt", torch.bfloat16)
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)
    for key, state in expected["optimizer"]["state"].items():
        for name in ("exp_avg", "exp_avg_var", "max_exp_avg_var"):
            assert resumed["optimizer"]["state"][key][name].dtype == torch.float32
            assert torch.equal(resumed["optimizer"]["state"][key][name], state[name])
    assert resumed["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr=-1.0 must lie in \[0, inf\)"),
        ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]=1.0 must lie in \[0, 1\)"),
        ({"eps": 0.0}, ValueError, r"eps=0.0 must lie in \[1e-37, inf\)"),
        ({"eps": 1e-46}, ValueError, r"eps=1e-46 must lie in \[1e-37, inf\)"),
        ({"eps": math.nan}, ValueError, "eps=nan must lie in"),
        ({"weight_decay": -1e-2}, ValueError, r"weight_decay=-0.01 must lie in \[0, inf\)"),
        ({"fixed_decay": True, "decoupled": False}, ValueError, "fixed_decay=True must go with decoupled=True"),
        ({"rectify": "yes"}, TypeError, "rectify='yes' must be True or False"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        AdaBelief(random_parameters(), **settings)


def test_flags_may_be_set_for_one_group():
    params = random_parameters()
    optimizer = AdaBelief([{"params": params[:1], "amsgrad": True}, {"params": params[1:], "decoupled": False}])
    follow(params, optimizer, random_gradients(2))
    assert [("max_exp_avg_var" in optimizer.state[param]) for param in params] == [True, False, False]
    with pytest.raises(ValueError, match="fixed_decay"):
        optimizer.add_param_group({"params": random_parameters(1), "fixed_decay": True, "decoupled": False})


def test_tunables_are_settings_and_span_as_many_decades_as_others():
    assert set(AdaBelief.tunables) == {"lr", "weight_decay"}
    ends = [(t.low, t.high) for t in AdaBelief.tunables.values()]
    for lr, weight_decay in itertools.product(*ends):
        AdaBelief(random_parameters(), lr=lr, weight_decay=weight_decay)
    for name, tunable in AdaBelief.tunables.items():
        assert isinstance(tunable, LogUniform)
        assert math.log10(tunable.high / tunable.low) == pytest.approx({"lr": 3.52}.get(name, 3), abs=0.01)


@pytest.mark.parametrize("degenerated_to_sgd", [True, False])
def test_squares_beyond_the_format_do_not_count_while_there_is_no_rectification(each_mode, degenerated_to_sgd):
    param = torch.nn.Parameter(torch.ones(4))
    param.grad = torch.full((4,), 1e20)
    optimizer = AdaBelief(
        [param], lr=1e-20, rectify=True, degenerated_to_sgd=degenerated_to_sgd, compile=each_mode == "compiled"
    )
    optimizer.step()
    assert optimizer.state[param]["exp_avg_var"].isinf().all()
    torch.testing.assert_close(param.detach(), torch.zeros(4) if degenerated_to_sgd else torch.ones(4))
