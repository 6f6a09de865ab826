"""SSO against closed forms: majorisation, least squares, projections, and SGD."""

import copy
import inspect
import io
import math
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

from tests.lab.toy import session
from tests.new_process import in_a_new_process
from trimtab.optim import SSO, ArmijoGradientDescent, LineSearch, Lion
from trimtab.optim.sso.target_loss import NonFiniteError
from trimtab.testing import OptimizerConformance

ROOT = Path(__file__).parents[3]
DOUBLE = torch.float64
X = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=DOUBLE)
Y = torch.tensor([1.0, 2.0, 2.0], dtype=DOUBLE)


def squared(outputs):
    return (outputs - Y).square() / 2


def start(*values):
    return nn.Parameter(torch.tensor(values or (0.0, 0.0), dtype=DOUBLE))


class Newton(torch.optim.Optimizer):
    """Minimises the surrogate of a linear model exactly, in one step."""

    def __init__(self, params, inputs, eta):
        super().__init__(params, {})
        self.hessian = inputs.T @ inputs / (len(inputs) * eta)

    def step(self, closure):
        with torch.enable_grad():
            closure()
        (param,) = self.param_groups[0]["params"]
        with torch.no_grad():
            param -= torch.linalg.lstsq(self.hessian, param.grad).solution


def exactly(eta, inputs=X):
    return lambda params: Newton(params, inputs, eta)


def test_squares_are_solved_by_one_gradient_or_half_way_with_half_the_step():
    theta = start()
    SSO([theta], lr=1.0, inner=exactly(1.0)).step(lambda: X @ theta, loss=squared)
    assert theta.tolist() == pytest.approx([7 / 6, 0.5], abs=1e-12)

    theta = start()
    optimizer = SSO([theta], lr=0.5, inner=exactly(0.5))
    optimizer.step(lambda: X @ theta, loss=squared)
    assert theta.tolist() == pytest.approx([0.5833333, 0.25], abs=1e-7)
    for step in range(2, 6):
        optimizer.step(lambda: X @ theta, loss=squared)
        away = torch.tensor([7 / 6, 0.5], dtype=DOUBLE) - theta.detach()
        torch.testing.assert_close(away, torch.tensor([7 / 6, 0.5], dtype=DOUBLE) / 2**step, rtol=1e-9, atol=0)


def test_armijo_comes_to_the_same_solution():
    theta = start()
    SSO([theta], inner_steps=500).step(lambda: X @ theta, loss=squared)
    assert theta.tolist() == pytest.approx([7 / 6, 0.5], abs=1e-5)


def test_an_exact_step_is_the_projection_of_a_gradient_step_in_the_space_of_outputs():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20, 4, dtype=DOUBLE, generator=generator)
    targets = (torch.rand(20, generator=generator, dtype=DOUBLE) > 0.5).double()
    theta = nn.Parameter(torch.randn(4, dtype=DOUBLE, generator=generator))
    before = (inputs @ theta).detach()
    wanted = before - 3.0 * (torch.sigmoid(before) - targets)
    projected = inputs @ torch.linalg.lstsq(inputs, wanted).solution
    optimizer = SSO([theta], lr=3.0, inner=exactly(3.0, inputs))
    optimizer.step(lambda: inputs @ theta, loss=partial(logistic, targets=targets))
    assert float((inputs @ theta.detach() - projected).abs().max()) <= 1e-10


def logistic(outputs, targets):
    return nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")


@pytest.mark.parametrize(
    ("z", "gap"), [(-3.0, 0.2695598), (-1.0, 0.0048855), (0.5, 0.0003202), (2.0, 0.0662192), (4.0, 0.6749973)]
)
def test_the_surrogate_lies_above_the_logistic_loss(z, gap):
    def value(eta):
        """The bound after an optimizer that goes straight to z."""
        theta = start(0.0)
        optimizer = SSO([theta], lr=eta, inner=lambda params: GoTo(params, z), inner_steps=2)
        loss = optimizer.step(lambda: theta, loss=lambda outputs: logistic(outputs, torch.ones(1, dtype=DOUBLE)))
        return float(loss) + optimizer.last.surrogate[-1]

    there = float(logistic(torch.tensor(z, dtype=DOUBLE), torch.tensor(1.0, dtype=DOUBLE)))
    assert value(4.0) - there == pytest.approx(gap, abs=1e-7)
    if z == -3.0:
        assert value(8.0) < there  # twice 1/L is no bound


class GoTo(torch.optim.Optimizer):
    """Sets all parameters to a number."""

    def __init__(self, params, number):
        super().__init__(params, {})
        self.number = number

    def step(self, closure):
        closure()
        with torch.no_grad():
            for param in self.param_groups[0]["params"]:
                param.fill_(self.number)


def classification(seed=0, samples=40, dtype=DOUBLE):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, 5, generator=generator).to(dtype)
    targets = torch.randint(3, (samples,), generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    return model, inputs, targets


def cross_entropy(targets):
    return lambda outputs: nn.functional.cross_entropy(outputs, targets, reduction="none")


@pytest.mark.parametrize("inner_steps", [1, 2, 5, 30])
def test_on_the_whole_data_no_step_makes_the_loss_of_a_network_larger(inner_steps):
    """The guarantee of majorisation and minimisation: eta = 1/L, Armijo inside, any network."""
    model, inputs, targets = classification()
    optimizer = SSO(model.parameters(), lr=2.0, inner_steps=inner_steps)
    losses = []
    for _ in range(12):
        loss = float(optimizer.step(lambda: model(inputs), loss=cross_entropy(targets)))
        after = float(cross_entropy(targets)(model(inputs)).mean().detach())
        assert after <= loss + optimizer.last.surrogate[-1] <= loss
        losses.append(after)
        values = optimizer.last.surrogate
        assert list(values) == sorted(values, reverse=True)
        assert values[0] == 0
        assert optimizer.last.inner_steps == inner_steps == len(values) - 1
    assert losses[-1] < losses[0]


def test_more_inner_steps_lower_the_surrogate_further():
    ends = []
    for inner_steps in (1, 5, 20):
        model, inputs, targets = classification()
        optimizer = SSO(model.parameters(), lr=2.0, inner_steps=inner_steps)
        optimizer.step(lambda model=model, inputs=inputs: model(inputs), loss=cross_entropy(targets))
        ends.append(optimizer.last.surrogate[-1])
    assert ends[0] > ends[1] > ends[2]


@pytest.mark.parametrize("lr", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_one_step_of_sgd_is_sgd_to_the_last_bit_whatever_the_target_step(lr, dtype):
    model, inputs, targets = classification(dtype=dtype)
    twin = copy.deepcopy(model)
    optimizer = SSO(model.parameters(), lr=lr, inner_steps=1, inner=partial(torch.optim.SGD, lr=0.3))
    sgd = torch.optim.SGD(twin.parameters(), lr=0.3)
    for _ in range(5):
        loss = optimizer.step(lambda: model(inputs), loss=cross_entropy(targets))
        sgd.zero_grad()
        expected = cross_entropy(targets)(twin(inputs)).mean()
        expected.backward()
        sgd.step()
        assert torch.equal(loss, expected)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))


def test_the_oracle_is_asked_once_a_step_and_the_model_as_often_as_is_said():
    model, inputs, targets = classification()
    asked, passes = [], []

    def oracle(outputs):
        assert not outputs.requires_grad
        asked.append(outputs)
        return outputs.softmax(1) - nn.functional.one_hot(targets, 3)

    def forward():
        passes.append(torch.is_grad_enabled())
        return model(inputs)

    twin = copy.deepcopy(model)
    optimizer = SSO(model.parameters(), lr=2.0, inner_steps=7)
    other = SSO(twin.parameters(), lr=2.0, inner_steps=7)
    for step in range(1, 4):
        passes.clear()
        assert optimizer.step(forward, oracle=oracle) is None
        assert len(asked) == step
        assert optimizer.last.oracle_calls == 1
        assert optimizer.last.passes == len(passes)
        other.step(lambda: twin(inputs), loss=cross_entropy(targets))
    # what an oracle says of each sample is what the loss of all of them says
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-9)


def test_one_inner_step_takes_one_pass_after_the_first_step():
    model, inputs, targets = classification()
    optimizer = SSO(model.parameters(), inner_steps=1, inner=torch.optim.SGD)
    counts = []
    for _ in range(3):
        optimizer.step(lambda: model(inputs), loss=cross_entropy(targets))
        counts.append(optimizer.last.passes)
    assert counts == [2, 1, 1]  # the first compares two passes


def test_reductions_agree_and_one_that_is_not_named_is_refused():
    results = []
    for reduction in ("none", "sum", "mean"):
        model, inputs, targets = classification()
        optimizer = SSO(model.parameters(), lr=2.0, inner=partial(torch.optim.SGD, lr=0.1))

        def loss(outputs, reduction=reduction, targets=targets):
            return nn.functional.cross_entropy(outputs, targets, reduction=reduction)

        optimizer.step(lambda model=model, inputs=inputs: model(inputs), loss=loss, reduction=reduction)
        results.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(results[1], results[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(results[2], results[0], rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match=r"loss returned shape \(\) .*reduction='mean' or 'sum'"):
        optimizer.step(lambda: model(inputs), loss=lambda outputs: outputs.mean())


def test_torch_schedulers_are_the_papers_schedules():
    theta = start()
    total, seen = 8, {}
    schedules = {
        "sqrt": lambda optimizer: LambdaLR(optimizer, lambda t: (t + 1) ** -0.5),
        "exponential": lambda optimizer: ExponentialLR(optimizer, total ** (-1 / total)),
    }
    for name, schedule in schedules.items():
        optimizer = SSO([theta], lr=3.0, inner_steps=1)
        pace = schedule(optimizer)
        seen[name] = []
        for _ in range(total):
            optimizer.step(lambda: X @ theta, loss=squared)
            seen[name].append(optimizer.last.eta)
            pace.step()
    assert seen["sqrt"] == pytest.approx([3.0 / math.sqrt(t) for t in range(1, total + 1)])
    assert seen["exponential"] == pytest.approx([3.0 * (1 / total) ** (t / total) for t in range(total)])


def test_adagrad_divides_by_the_root_of_the_sum_of_all_squares():
    theta, total = start(), 0.0
    optimizer = SSO([theta], lr=3.0, adaptive="adagrad", inner_steps=2)
    for _ in range(4):
        total += float((X @ theta.detach() - Y).square().sum())
        optimizer.step(lambda: X @ theta, loss=squared)
        assert optimizer.last.eta == pytest.approx(3.0 / math.sqrt(total), rel=1e-12)


def test_the_line_search_lengthens_the_step_of_a_linear_loss_every_time():
    theta = start()
    optimizer = SSO([theta], lr=0.5, line_search=LineSearch(), inner_steps=1, inner=partial(torch.optim.SGD, lr=1e-3))
    for step in range(5):
        optimizer.step(lambda: X @ theta, loss=lambda outputs: 3 * outputs)
        assert optimizer.last.eta == pytest.approx(0.5 * 1.8**step, rel=1e-12)
        assert optimizer.last.loss_evaluations == 1


def test_the_line_search_finds_the_step_of_squares_and_keeps_to_its_bounds():
    # sum of (1 - eta)^2/2 <= 1/2 - c eta with c = 1/2 holds up to eta = 1
    theta = start()
    optimizer = SSO([theta], lr=5.0, line_search=LineSearch(), inner_steps=1)
    optimizer.step(lambda: X @ theta, loss=squared)
    trials = math.ceil(math.log(1 / 5) / math.log(0.9))
    assert optimizer.last.eta == pytest.approx(5 * 0.9**trials, rel=1e-12)
    assert 0.9 < optimizer.last.eta <= 1.0
    assert optimizer.last.loss_evaluations == trials + 1
    optimizer = SSO([theta], lr=5.0, line_search=LineSearch(maximum=0.05), inner_steps=1)
    optimizer.step(lambda: X @ theta, loss=squared)
    assert optimizer.last.eta == 0.25


def test_a_schedule_scales_what_the_line_search_finds():
    theta = start()
    optimizer = SSO([theta], lr=0.5, line_search=LineSearch(), inner_steps=1, inner=partial(torch.optim.SGD, lr=1e-3))
    pace = LambdaLR(optimizer, lambda t: 1 / (t + 1))
    for step in range(4):
        optimizer.step(lambda: X @ theta, loss=lambda outputs: 3 * outputs)
        assert optimizer.last.eta == pytest.approx(0.5 * 1.8**step / (step + 1), rel=1e-12)
        pace.step()


def test_without_a_gradient_or_a_step_nothing_moves():
    theta = start(1.0, 1.0)
    for loss, lr in ((lambda outputs: 0 * outputs, 1.0), (squared, 0.0)):
        optimizer = SSO([theta], lr=lr, inner=partial(torch.optim.SGD, lr=1.0, weight_decay=0.1))
        optimizer.step(lambda: X @ theta, loss=loss)
        assert theta.tolist() == [1.0, 1.0]
        assert optimizer.last.inner_steps == 0
        assert optimizer.state[theta]["step"] == 1


SETTINGS = [{}, {"inner_steps": 1}, {"line_search": LineSearch()}, {"adaptive": "adagrad"}, {"keep_inner_state": True}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("exponent", [40, -40])
def test_the_unit_of_the_loss_does_not_matter(settings, exponent):
    paths = []
    for unit in (0, exponent):
        torch.manual_seed(0)
        model, inputs, targets = classification()
        # AdaGrad's root is in the unit of the loss itself
        rate = 2.0 if "adaptive" in settings else math.ldexp(2.0, -unit)
        optimizer = SSO(model.parameters(), lr=rate, **settings)
        for _ in range(6):
            optimizer.step(
                lambda model=model, inputs=inputs: model(inputs),
                loss=lambda z, unit=unit, targets=targets: math.ldexp(1.0, unit) * cross_entropy(targets)(z),
            )
        paths.append([torch.cat([p.detach().flatten() for p in model.parameters()]), optimizer.last.inner_steps])
    assert torch.equal(paths[0][0], paths[1][0])
    assert paths[0][1] == paths[1][1]


def test_the_inner_search_begins_at_the_longest_step_that_could_pass():
    theta = start()
    optimizer = SSO([theta], lr=1.0, inner_steps=1, keep_inner_state=True)
    gradient, residual = -X.T @ Y / 3, Y
    optimizer.step(lambda: X @ theta, loss=squared)
    bound = float(residual.square().sum() / 6 / (0.5 * gradient.square().sum()))
    assert optimizer.param_groups[0]["inner_groups"][0]["lr"] == pytest.approx(bound, rel=1e-12)
    found = optimizer.state[theta]["inner.step_size"]
    assert 0 < found <= bound
    curvature = float(gradient @ (X.T @ X / 3) @ gradient / gradient.square().sum())
    assert 0.9 / curvature < found <= 1 / curvature * (1 + 1e-12)  # what Armijo's test with c = 1/2 admits


def test_inner_steps_end_where_the_surrogates_gradient_vanishes():
    theta = start()
    optimizer = SSO([theta], inner=exactly(1.0), inner_steps=50)
    optimizer.step(lambda: X @ theta, loss=squared)
    assert optimizer.last.inner_steps == 1
    optimizer = SSO([start()], gradient_tolerance=0.0)
    assert optimizer.param_groups[0]["gradient_tolerance"] == 0.0


def test_gradients_are_left_as_they_were_and_others_are_not_touched():
    model, inputs, targets = classification()
    frozen, *trained = model.parameters()
    own = torch.ones_like(trained[0])
    trained[0].grad = own
    optimizer = SSO(trained)
    optimizer.step(lambda: model(inputs), loss=cross_entropy(targets))
    assert trained[0].grad is own
    assert own.eq(1).all()
    assert trained[1].grad is None
    assert frozen.grad is None


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    "inner", ["armijo", partial(torch.optim.Adam, lr=0.01), partial(Lion, lr=0.01), partial(torch.optim.LBFGS, lr=0.1)]
)
def test_a_run_that_was_saved_goes_on_bit_for_bit(inner, kept):
    def make():
        model, inputs, targets = classification(dtype=torch.float32)
        settings = {"inner": inner, "keep_inner_state": kept, "adaptive": "adagrad", "inner_steps": 3}
        optimizer = SSO(model.parameters(), lr=4.0, **settings)
        return model, optimizer, lambda: optimizer.step(lambda: model(inputs), loss=cross_entropy(targets))

    model, optimizer, step = make()
    for _ in range(3):
        step()
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    other, resumed, go_on = make()
    other.load_state_dict(model.state_dict())
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    for _ in range(3):
        assert torch.equal(step(), go_on())
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True))
    assert ("inner_groups" in optimizer.param_groups[0]) is kept


def test_what_is_kept_of_the_inner_optimizer_counts():
    ends = []
    for kept in (False, True):
        model, inputs, targets = classification()
        optimizer = SSO(
            model.parameters(), inner=partial(torch.optim.Adam, lr=0.01), keep_inner_state=kept, inner_steps=2
        )
        for _ in range(3):
            optimizer.step(lambda model=model, inputs=inputs: model(inputs), loss=cross_entropy(targets))
        steps = {float(state["inner.step"]) for state in optimizer.state.values() if "inner.step" in state}
        assert steps == ({6.0} if kept else set())
        ends.append(next(model.parameters()).detach().clone())
    assert not torch.equal(*ends)


def go_on_from(file):
    run = session(7, optimizer=sso)
    run.restore(torch.load(file, weights_only=True), refund=True)
    return [run.step() for _ in range(4)], run.meter.used


def sso(model):
    return SSO(model.parameters(), lr=2.0, inner_steps=3, line_search=LineSearch(), keep_inner_state=True)


def test_a_session_with_dropout_and_batch_statistics_resumes_in_a_new_process(tmp_path):
    run = session(7, optimizer=sso)
    for _ in range(3):
        run.step()
    torch.save(run.snapshot(), tmp_path / "snapshot.pt")
    expected = [run.step() for _ in range(4)], run.meter.used
    assert in_a_new_process(go_on_from, tmp_path / "snapshot.pt") == expected


def test_in_a_session_one_step_of_sgd_is_sgd_with_dropout_batch_statistics_and_all():
    first = session(3, optimizer=lambda m: SSO(m.parameters(), inner_steps=1, inner=partial(torch.optim.SGD, lr=0.1)))
    second = session(3, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1))
    assert [first.step() for _ in range(8)] == [second.step() for _ in range(8)]
    for one, two in zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    assert second.meter.used == 80
    assert first.meter.used == 80 + 4  # and once a pass without gradients, a third of ten rounded up


def test_a_session_counts_batch_statistics_once_and_charges_every_pass():
    run = session(3, optimizer=lambda m: SSO(m.parameters(), inner_steps=4, inner=partial(torch.optim.SGD, lr=0.1)))
    for _ in range(3):
        run.step()
    assert int(run.model[1].num_batches_tracked) == 3
    assert run.meter.used == 3 * 4 * 10 + 4


def test_a_session_hears_of_divergence():
    from trimtab.study.errors import DivergedError

    run = session(3, optimizer=lambda m: SSO(m.parameters(), inner=partial(torch.optim.SGD, lr=1e30)))

    def run_on():
        for _ in range(5):
            run.step()

    with pytest.raises(DivergedError):
        run_on()
    assert all(torch.isfinite(p).all() for p in run.model.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_parameters_of_every_type_keep_it(dtype):
    model, inputs, targets = classification(dtype=dtype)
    optimizer = SSO(model.parameters(), lr=2.0, inner_steps=3)
    losses = [float(optimizer.step(lambda: model(inputs), loss=cross_entropy(targets))) for _ in range(4)]
    assert losses[-1] < losses[0]
    assert {p.dtype for p in model.parameters()} == {dtype}


class TestConformance(OptimizerConformance):
    """With the parameters as the outputs and their gradients as the oracle's answer."""

    settings: ClassVar = {"lr": 0.5, "inner_steps": 2, "inner": partial(torch.optim.SGD, lr=0.25)}
    exceptions: ClassVar = {
        "closure": "a closure hides the outputs, and is refused",
        "closure_gradients": "a closure hides the outputs, and is refused",
        "added_group": "the target step is one for all groups",
    }

    @staticmethod
    def optimizer(params, **settings):
        return OfGradients(params, **settings)

    def half_way(self, dtype=torch.float32):
        from trimtab.testing.resume import follow
        from trimtab.testing.support import gradients, parameters

        params = parameters(self.shapes, dtype)
        optimizer = self.make([{"params": params[:1]}, {"params": params[1:]}], lr=0.75)
        follow(optimizer, params, gradients(params, 2, without=[0]) + gradients(params, 1, 2))
        return params, optimizer, gradients(params, 3, 3)


class OfGradients(SSO):
    """Steps as SSO does where the model is the identity: outputs are the parameters, and ``.grad`` their gradients."""

    _step_supports_amp_scaling = False  # so that a scaler unscales these

    def step(self, closure=None):
        assert closure is None
        params = [param for param in self.trained() if param.grad is not None]
        if not params:
            return None
        grads = torch.cat([param.grad.flatten() for param in params])[None]
        step = inspect.unwrap(SSO.step)  # or hooks would run for either class
        return step(self, lambda: torch.cat([param.flatten() for param in params])[None], oracle=lambda _: grads)


def make(**settings):
    return SSO([start()], **settings)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"inner_steps": 0}, ValueError, "inner_steps=0 must be a whole number >= 1"),
        ({"inner_steps": 2.0}, TypeError, "inner_steps=2.0 must be a whole number"),
        ({"lr": -1.0}, ValueError, r"lr=-1.0 must lie in \[0, inf\)"),
        ({"lr": math.nan}, ValueError, "lr=nan"),
        ({"inner": "adam"}, TypeError, "inner='adam' must be 'armijo' or a function"),
        ({"line_search": True}, TypeError, "line_search=True must be a LineSearch"),
        ({"line_search": LineSearch(), "adaptive": "adagrad"}, ValueError, "give one of them"),
        ({"adaptive": "adam"}, ValueError, "adaptive='adam' must be 'adagrad'"),
        ({"gradient_tolerance": -1e-6}, ValueError, "gradient_tolerance=-1e-06"),
        ({"keep_inner_state": 1}, TypeError, "keep_inner_state=1 must be True or False"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        make(**settings)


def forward_of(theta):
    return lambda: X @ theta


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o, t: o.step(), TypeError, r"nothing was given: step\(forward, loss=...\)"),
        (lambda o, t: o.step(lambda: squared(X @ t).mean()), TypeError, "a closure alone hides the outputs"),
        (lambda o, t: o.step(lambda: squared(X @ t).mean(), loss=squared), ValueError, "a loss belongs in loss="),
        (lambda o, t: o.step(loss=squared), TypeError, "needs a function that computes the model's outputs"),
        (lambda o, t: o.step(forward_of(t), loss=squared, oracle=squared), ValueError, "give one of them"),
        (lambda o, t: o.step(forward_of(t), loss=3), TypeError, "loss=3 must be a function of the outputs"),
        (lambda o, t: o.step(forward_of(t), loss=squared, reduction="max"), ValueError, "reduction='max'"),
        (lambda o, t: o.step(lambda: {"logits": X @ t}, loss=squared), TypeError, "forward returned dict"),
        (lambda o, t: o.step((X @ t).detach, loss=squared), ValueError, "graph cut"),
        (lambda o, t: o.step(forward_of(t), loss=lambda z: 3.0), TypeError, "loss returned float"),
        (lambda o, t: o.step(forward_of(t), loss=lambda z: squared(z.detach())), ValueError, "graph cut"),
        (
            lambda o, t: o.step(lambda: (X @ t)[:, None], loss=squared),
            ValueError,
            r"shape \(3, 3\) for outputs of shape \(3, 1\)",
        ),
        (
            lambda o, t: o.step(forward_of(t), oracle=lambda z: z[:, None]),
            ValueError,
            r"oracle returned shape \(3, 1\).*have \(3,\)",
        ),
        (lambda o, t: o.step(forward_of(t), oracle=lambda z: 1.0), TypeError, "oracle returned float"),
    ],
)
def test_bad_steps_are_named_and_change_nothing(call, error, message):
    theta = start(0.5, 0.25)
    optimizer = SSO([theta])
    with pytest.raises(error, match=message):
        call(optimizer, theta)
    assert theta.tolist() == [0.5, 0.25]
    assert not optimizer.state.get(theta)


def test_a_line_search_needs_the_loss():
    theta = start()
    with pytest.raises(ValueError, match="give loss, or no line_search"):
        SSO([theta], line_search=LineSearch()).step(forward_of(theta), oracle=lambda z: z)


def test_an_inner_optimizer_that_is_none_or_holds_other_parameters_is_refused():
    for inner in (lambda params: None, lambda params: torch.optim.SGD([start()])):
        theta = start()
        with pytest.raises(TypeError, match=r"inner must make a torch.optim.Optimizer of all the parameters"):
            SSO([theta], inner=inner).step(forward_of(theta), loss=squared)
        assert theta.tolist() == [0.0, 0.0]


def test_a_random_forward_is_refused():
    model = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    _, inputs, targets = classification(dtype=torch.float32)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError, match="other outputs when it was called again"):
        SSO(model.parameters()).step(lambda: model(inputs), loss=cross_entropy(targets))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.eval()
    SSO(model.parameters()).step(lambda: model(inputs), loss=cross_entropy(targets))


def test_another_batch_within_a_step_is_refused():
    theta, calls = start(), []

    def forward():
        calls.append(1)
        return (X @ theta)[: 3 if len(calls) <= 3 else 2]

    with pytest.raises(ValueError, match=r"shape \(2,\), and \(3,\) before"):
        SSO([theta]).step(forward, loss=squared)
    assert theta.tolist() == [0.0, 0.0]


def test_what_is_not_finite_or_fails_in_the_middle_leaves_the_parameters_and_the_state():
    theta, calls = start(), []
    inner = partial(torch.optim.SGD, lr=0.1, momentum=0.9)  # whose state a failed step must not touch either
    optimizer = SSO([theta], inner=inner, inner_steps=5, keep_inner_state=True)
    optimizer.step(forward_of(theta), loss=squared)
    before, kept = theta.detach().clone(), copy.deepcopy(optimizer.state_dict())
    theta.grad = None

    def forward(fault):
        calls.append(1)
        if len(calls) == 4:
            return fault(X @ theta)
        return X @ theta

    def failing(outputs):
        raise OSError("simulator gone")

    with pytest.raises(NonFiniteError, match="surrogate after 3 inner steps is nan; the parameters are what they were"):
        optimizer.step(lambda: forward(lambda outputs: outputs * math.nan), loss=squared)
    calls.clear()
    with pytest.raises(OSError, match="simulator gone"):
        optimizer.step(lambda: forward(failing), loss=squared)
    with pytest.raises(NonFiniteError, match="the loss is inf"):
        optimizer.step(forward_of(theta), loss=lambda outputs: outputs * math.inf + math.inf)
    with pytest.raises(NonFiniteError, match="norm of the loss's gradient"):
        optimizer.step(forward_of(theta), oracle=lambda outputs: outputs * math.nan)
    assert torch.equal(theta.detach(), before)
    assert str(optimizer.state_dict()) == str(kept)
    assert theta.grad is None


def test_sparse_gradients_are_refused():
    table = nn.Embedding(4, 3, sparse=True)
    before = table.weight.detach().clone()
    with pytest.raises(RuntimeError, match="sparse=False"):
        SSO(table.parameters()).step(lambda: table(torch.tensor([0, 2])), loss=lambda outputs: outputs.sum(1))
    assert torch.equal(table.weight, before)


def test_armijo_is_what_is_inside_by_default():
    assert SSO([start()])._inner is ArmijoGradientDescent


def test_hooks_see_the_gradient_of_every_inner_step():
    theta, seen = start(), []

    def half(grad):
        seen.append(grad.tolist())
        return grad * torch.tensor([1.0, 0.0], dtype=DOUBLE)

    theta.register_hook(half)
    optimizer = SSO([theta], inner_steps=2, inner=partial(torch.optim.SGD, lr=0.25))
    optimizer.step(lambda: X @ theta, loss=squared)
    assert seen[0] == pytest.approx([-5 / 3, -2.0])
    assert len(seen) == 2
    assert theta[1].item() == 0.0
    assert theta[0].item() == pytest.approx(0.25 * 5 / 3 * (1 + 0.75))


def test_a_gradient_scaler_is_refused_by_name_and_without_it_all_is_well():
    theta = start()
    optimizer, scaler = SSO([theta]), torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    with pytest.raises(RuntimeError, match=r"SSO is not to be stepped .* call step\(forward, loss=\.\.\.\) itself"):
        scaler.step(optimizer, lambda: X @ theta, loss=squared)
    assert theta.tolist() == [0.0, 0.0]
    optimizer.step(lambda: X @ theta, loss=squared)
    assert theta.tolist() != [0.0, 0.0]
