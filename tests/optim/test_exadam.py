import itertools
import math
import warnings

import pytest
import torch
from torch import nn

from tests.optim.tracing import traced_graphs
from tests.optim.trajectory import (
    follow,
    largest_difference,
    positions,
    random_gradients,
    random_parameters,
    resume_in_a_new_process,
)
from trimtab.optim import EXAdam
from trimtab.optim.exadam import step_growth
from trimtab.study.tunable import LogUniform

START = (1.0, -2.0)
GRADS = ((1.0, -0.5), (-0.5, -0.5), (2.0, 0.1))
TINY_EPS = 1e-37


@pytest.fixture(scope="module")
def peer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_optimizer
    return pytorch_optimizer.EXAdam


class Growing:
    """Another EXAdam, which has a constant step only, with ``lr`` multiplied by the growth before every step."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        group = optimizer.param_groups[0]
        self.lr, self.weight_decay = group["lr"], group["weight_decay"]
        self.steps = 0

    def step(self):
        self.steps += 1
        growth = math.log(math.sqrt(2) * math.sqrt(self.steps + 1))
        group = self.optimizer.param_groups[0]
        group["lr"] = self.lr * growth
        group["weight_decay"] = self.weight_decay / growth  # decay does not grow
        self.optimizer.step()


@pytest.mark.parametrize(
    ("step_size", "by_hand"),
    [
        (
            "constant",
            [
                [0.9840475787956482, -1.9840478067328242],
                [0.9885962515019017, -1.9747464664123635],
                [0.9791264655324328, -1.9750795488446922],
            ],
        ),
        (
            "dynamic",
            [
                [0.9889426242190988, -1.9889427822131098],
                [0.9930176879160232, -1.9806098999152608],
                [0.983171754748158, -1.9809562126385547],
            ],
        ),
    ],
)
def test_three_steps_by_hand(step_size, by_hand):
    rows, state = positions(lambda params: EXAdam(params, step_size=step_size), START, GRADS)
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-15, atol=0)
    average = torch.tensor([0.1 * 0.81 - 0.05 * 0.9 + 0.2, -0.05 * 0.81 - 0.05 * 0.9 + 0.01], dtype=torch.float64)
    torch.testing.assert_close(state["exp_avg"], average, rtol=1e-14, atol=0)
    assert set(state) == {"step", "exp_avg", "exp_avg_sq"}


def test_defaults_are_the_authors():
    group = EXAdam(random_parameters()).param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-3, (0.9, 0.999), 1e-8, 0.0)
    assert group["step_size"] == "dynamic"


@pytest.mark.parametrize(
    ("step", "growth"),
    [(1, 0.693147), (2, 0.895880), (3, 1.039721), (10, 1.545521), (100, 2.654134), (1000, 3.800951), (10000, 4.951794)],
)
def test_growth_of_the_first_version(step, growth):
    assert step_growth(step) == pytest.approx(growth, abs=5e-7)


@pytest.mark.parametrize(("step_size", "growth"), [("constant", 1.0), ("dynamic", math.log(2))])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_first_step_does_not_depend_on_the_gradient(step_size, growth, betas):
    settings = {"lr": 0.01, "betas": betas, "eps": TINY_EPS, "step_size": step_size}
    rows, _ = positions(lambda p: EXAdam(p, **settings), (0.0, 0.0, 0.0), ((3.0, -1e-4, 1e6),))
    length = 0.01 * growth * (1 + betas[1]) * (1 + 1 / (1 - betas[0])) / math.sqrt(1 + betas[0])
    signs = torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(rows[0], signs * length, rtol=1e-12, atol=0)


def test_steps_under_a_constant_gradient():
    steps = 1000
    rows, _ = positions(lambda p: EXAdam(p, lr=1.0, eps=1e-30, step_size="constant"), (0.0,), ((0.3,),) * steps)
    lengths = -rows.diff(dim=0, prepend=torch.zeros(1, 1, dtype=torch.float64))[:, 0]
    t = torch.arange(1, steps + 1, dtype=torch.float64)
    closed_form = (1 + 0.999**t) * (1 + 1 / (1 - 0.9**t)) / (1 + 0.9**t).sqrt()
    torch.testing.assert_close(lengths, closed_form, rtol=1e-9, atol=0)
    published = {1: 15.9525, 2: 9.3014, 5: 5.4448, 10: 4.3446, 50: 3.9025, 100: 3.8096, 1000: 2.7354}
    for step, length in published.items():
        assert lengths[step - 1].item() == pytest.approx(length, abs=5e-5)


def test_dynamic_steps_are_constant_ones_times_the_growth():
    grads = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    start = torch.zeros(1, 4, dtype=torch.float64)
    constant, dynamic = (
        positions(lambda p, s=s: EXAdam(p, step_size=s), (0.0,) * 4, grads)[0].diff(dim=0, prepend=start)
        for s in ("constant", "dynamic")
    )
    growth = torch.tensor([[step_growth(step)] for step in range(1, 31)], dtype=torch.float64)
    torch.testing.assert_close(dynamic, growth * constant, rtol=1e-10, atol=1e-16)


def test_without_momentum_and_after_a_while_it_is_adam_with_twice_the_learning_rate():
    """Both corrections have died out, and momentum and gradient are the same."""
    grads = torch.randn(80, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    start, betas = (0.0,) * 6, (0.0, 0.5)
    ours, _ = positions(lambda p: EXAdam(p, lr=0.01, betas=betas, step_size="constant"), start, grads)
    adams, _ = positions(lambda p: torch.optim.Adam(p, lr=0.02, betas=betas), start, grads)
    torch.testing.assert_close(ours.diff(dim=0)[60:], adams.diff(dim=0)[60:], rtol=1e-9, atol=0)
    assert not torch.allclose(ours.diff(dim=0)[:5], adams.diff(dim=0)[:5], rtol=1e-3)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_without_its_three_factors_it_is_adam(betas):
    """Where epsilon is negligible the corrections depend on the step only, and Adam is what is left."""
    grads = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings, zeros = {"lr": 0.01, "betas": betas, "eps": TINY_EPS}, torch.zeros(1, 6, dtype=torch.float64)
    ours, adams = (
        positions(make, (0.0,) * 6, grads.tolist())[0].diff(dim=0, prepend=zeros)
        for make in (lambda p: EXAdam(p, **settings, step_size="constant"), lambda p: torch.optim.Adam(p, **settings))
    )
    m = zeros[0]
    for step, grad in enumerate(grads, start=1):
        m = betas[0] * m + (1 - betas[0]) * grad
        first, second = 1 + betas[1] ** step, 1 + betas[0] ** step
        expected = adams[step - 1] * (1 + grad / m) * first / math.sqrt(second)
        torch.testing.assert_close(ours[step - 1], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("size", "steps_of"), [(1.0, 15.95), (1e-2, 15.27), (1e-3, 9.96), (1e-4, 10.96)])
def test_scale_of_the_gradients_matters(size, steps_of):
    rows, _ = positions(lambda p: EXAdam(p, lr=1.0, step_size="constant"), (0.0,), ((size,),))
    assert -rows.item() == pytest.approx(steps_of, abs=0.01)


def test_noise_is_not_averaged():
    grads = torch.randn(200, 2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    ours, adams = (
        positions(make, (0.0,) * 2000, grads)[0].diff(dim=0)[-50:].square().mean().sqrt()
        for make in (lambda p: EXAdam(p, step_size="constant"), torch.optim.Adam)
    )
    assert 8.5 < ours / adams < 9.5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("eps", [1e-8, TINY_EPS])
def test_a_coordinate_without_gradients_rests(dtype, eps):
    rows, state = positions(lambda p: EXAdam(p, eps=eps), (1.0, 1.0), ((0.0, 1.0),) * 3, dtype)
    assert rows[:, 0].tolist() == [1.0] * 3
    assert (rows[:, 1] < 1).all()
    assert state["exp_avg_sq"][0] == 0


def test_each_parameter_grows_with_its_own_steps():
    early, late = (nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    optimizer = EXAdam([early, late], lr=1.0, betas=(0.0, 0.0), eps=TINY_EPS)
    for _ in range(9):
        early.grad = torch.ones_like(early)
        optimizer.step()
    assert late.item() == 0
    before = early.item()
    early.grad, late.grad = torch.ones_like(early), torch.ones_like(late)
    optimizer.step()
    # Without averages the step is twice the sign of the gradient, times the growth.
    assert before - early.item() == pytest.approx(2 * step_growth(10), rel=1e-14)
    assert -late.item() == pytest.approx(2 * math.log(2), rel=1e-14)


def test_weight_decay_is_decoupled_and_does_not_grow():
    rows, _ = positions(lambda p: EXAdam(p, lr=0.1, weight_decay=0.5), (3.0,), ((0.0,),) * 4)
    torch.testing.assert_close(rows[:, 0], 3 * 0.95 ** torch.arange(1, 5, dtype=torch.float64), rtol=1e-15, atol=0)


def test_maximize_mirrors_the_gradients():
    grads = random_gradients(10)
    up, down = random_parameters(), random_parameters()
    follow(up, EXAdam(up, weight_decay=0.1, maximize=True), grads)
    follow(down, EXAdam(down, weight_decay=0.1), [[-grad for grad in row] for row in grads])
    for a, b in zip(up, down, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("eps", [1e-8, 1e-3])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_agrees_with_another_implementation(peer, betas, eps, weight_decay):
    settings = {"lr": 0.01, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    for step_size, wrap in (("constant", lambda optimizer: optimizer), ("dynamic", Growing)):
        difference = largest_difference(
            lambda p, step_size=step_size: EXAdam(p, **settings, step_size=step_size),
            lambda p, wrap=wrap: wrap(peer(p, **settings)),
        )
        assert difference <= 1e-13, step_size


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_state_of_half_precision_parameters_is_float32_and_stays_finite(dtype):
    params = random_parameters(dtype=dtype)
    optimizer = EXAdam(params)
    zeros = [torch.zeros_like(param) for param in params]
    follow(params, optimizer, [zeros, *random_gradients(3, dtype=dtype)])
    for param in params:
        assert param.dtype == dtype
        assert param.isfinite().all()
        for name in EXAdam.state_names:
            assert optimizer.state[param][name].dtype == torch.float32
            assert optimizer.state[param][name].isfinite().all()


def test_float32_follows_float64():
    single, double = random_parameters(dtype=torch.float32), random_parameters()
    follow(single, EXAdam(single), random_gradients(50, dtype=torch.float32))
    follow(double, EXAdam(double), random_gradients(50))
    for a, b in zip(single, double, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0, atol=5e-6)


def test_is_traced_as_one_graph():
    assert traced_graphs(EXAdam, {"betas": (0.9, 0.999), "eps": 1e-8, "step_size": "dynamic"}) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resumes_bit_for_bit_in_a_new_process(tmp_path, dtype):
    settings = {"weight_decay": 0.1, "betas": (0.8, 0.99), "step_size": "dynamic"}
    expected, resumed = resume_in_a_new_process(EXAdam, settings, tmp_path / "half.pt", dtype)
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)
    for key, state in expected["optimizer"]["state"].items():
        assert resumed["optimizer"]["state"][key]["step"] == 10
        for name in EXAdam.state_names:
            assert torch.equal(resumed["optimizer"]["state"][key][name], state[name])
    assert resumed["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]


def test_versions_may_differ_between_groups():
    params = random_parameters()
    optimizer = EXAdam([{"params": params[:1], "step_size": "constant"}, {"params": params[1:]}])
    alone = random_parameters()
    follow(params, optimizer, random_gradients(3))
    for index, step_size in enumerate(("constant", "dynamic", "dynamic")):
        follow(
            alone[index : index + 1],
            EXAdam(alone[index : index + 1], step_size=step_size),
            [row[index : index + 1] for row in random_gradients(3)],
        )
        assert torch.equal(params[index], alone[index])
    optimizer.param_groups[0]["step_size"] = "growing"
    with pytest.raises(ValueError, match="step_size='growing'"):
        optimizer.step()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr=-1.0 must lie in \[0, inf\)"),
        ({"betas": (1.0, 0.9)}, ValueError, r"betas\[0\]=1.0 must lie in \[0, 1\)"),
        ({"betas": (0.9, math.nan)}, ValueError, r"betas\[1\]=nan must lie in \[0, 1\)"),
        ({"eps": 0.0}, ValueError, r"eps=0.0 must lie in \[1e-37, inf\)"),
        ({"weight_decay": -1e-2}, ValueError, r"weight_decay=-0.01 must lie in \[0, inf\)"),
        ({"step_size": "v1"}, ValueError, "step_size='v1' must be 'dynamic' or 'constant'"),
        ({"step_size": math.sqrt}, TypeError, "step_size=.* must be 'dynamic' or 'constant', not builtin_function"),
        ({"maximize": None}, TypeError, "maximize=None must be True or False"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        EXAdam(random_parameters(), **settings)


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="EXAdam needs dense gradients, and that of parameter 'weight' is sparse"):
        EXAdam(embedding.named_parameters()).step()


def test_tunables_are_settings_and_span_as_many_decades_as_others():
    assert set(EXAdam.tunables) == {"lr", "weight_decay"}
    ends = [(t.low, t.high) for t in EXAdam.tunables.values()]
    for lr, weight_decay in itertools.product(*ends):
        EXAdam(random_parameters(), lr=lr, weight_decay=weight_decay)
    for name, tunable in EXAdam.tunables.items():
        assert isinstance(tunable, LogUniform)
        assert math.log10(tunable.high / tunable.low) == pytest.approx({"lr": 3.52}.get(name, 3), abs=0.01)
