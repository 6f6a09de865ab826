import copy
import math

import pytest
import torch
from torch import nn

import trimtab
from tests.new_process import in_two_processes
from tests.optim import two_workers
from trimtab.catalog.parsing import parse_expression
from trimtab.optim import AGVM, AdaBelief, CoordinateClip, Lamb, Lion, module_parameter_groups
from trimtab.optim.agvm.halves_variance import rate, variance
from trimtab.study.errors import InputError
from trimtab.testing import OptimizerConformance


def parameters(*sizes):
    return [nn.Parameter(torch.zeros(size, dtype=torch.float64)) for size in sizes]


def groups(params, **settings):
    return [{"params": [param], **settings} for param in params]


def take(optimizer, params, first, second):
    for index, grads in enumerate((first, second)):
        with optimizer.half(index):
            for param, grad in zip(params, grads, strict=True):
                param.grad = torch.tensor(grad, dtype=param.dtype)
    optimizer.step()


BACKBONE = [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]
HEAD = [1.0, 2.0], [1.0, -1.0]


def test_the_cosine_of_two_halves():
    def of(first, second):
        return variance([(torch.tensor(first), torch.tensor(second))])

    assert of(*BACKBONE) == pytest.approx(0.5, abs=1e-15)
    assert of(*HEAD) == pytest.approx(1.3162278, abs=1e-7)
    assert of([0.0, 0.0], [1.0, 1.0]) is None
    assert of([math.nan, 0.0], [1.0, 1.0]) is None
    assert of([math.inf, 0.0], [1.0, 1.0]) is None
    assert variance([]) is None
    both = [(torch.tensor(BACKBONE[0]), torch.tensor(BACKBONE[1])), (torch.tensor(HEAD[0]), torch.tensor(HEAD[1]))]
    joined = [*BACKBONE[0], *HEAD[0]], [*BACKBONE[1], *HEAD[1]]
    assert variance(both) == pytest.approx(of(*joined), abs=1e-15)


def test_the_factor_with_and_without_bounds():
    assert rate(0.5, 1.3162278, None) == pytest.approx(0.6163388, abs=1e-6)
    assert rate(0.5, 1.3162278, (0.5, 10.0)) == pytest.approx(0.7071068, abs=1e-7)
    assert rate(1.0, 0.0, (0.5, 10.0)) == pytest.approx(math.sqrt(10))
    assert rate(0.0, 0.0, None) == 1.0


def test_a_step_by_hand():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.5)), momentum=0.97)
    take(optimizer, params, (BACKBONE[0], HEAD[0]), (BACKBONE[1], HEAD[1]))
    scale = 0.97 + 0.03 * math.sqrt(0.5)
    assert scale == pytest.approx(0.9912132, abs=1e-7)
    assert optimizer.scales == {"0": 1.0, "1": pytest.approx(scale)}
    assert optimizer.variances == {"0": pytest.approx(0.5), "1": pytest.approx(1.3162278, abs=1e-7)}
    assert torch.allclose(params[0], -0.5 * torch.tensor([1.0, 0.5, 0.5], dtype=torch.float64))
    assert torch.allclose(params[1], -0.5 * scale * torch.tensor([1.0, 0.5], dtype=torch.float64))
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert params[1].grad.tolist() == [1.0, 0.5]


def drawn(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator, dtype=torch.float64).tolist() for size in sizes]


@pytest.mark.parametrize(
    "settings", [{"start": 100}, {"stop": 0}, {"momentum": 0.999999999999}], ids=["late", "stopped", "inert"]
)
def test_where_nothing_is_adapted_it_is_the_inner_optimizer(settings):
    sizes = (4, 3)
    params, plain = parameters(*sizes), parameters(*sizes)
    optimizer, other = AGVM(torch.optim.Adam(groups(params)), **settings), torch.optim.Adam(groups(plain))
    for step in range(5):
        first, second = drawn(sizes, 2 * step), drawn(sizes, 2 * step + 1)
        take(optimizer, params, first, second)
        for param, a, b in zip(plain, first, second, strict=True):
            param.grad = 0.5 * torch.tensor(a, dtype=torch.float64) + 0.5 * torch.tensor(b, dtype=torch.float64)
        other.step()
    for param, same in zip(params, plain, strict=True):
        assert torch.allclose(param, same, rtol=1e-9) if "momentum" in settings else torch.equal(param, same)


def test_equal_halves_change_nothing():
    params = parameters(4, 3)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)), interval=1, momentum=0.0)
    grads = drawn((4, 3), 0)
    take(optimizer, params, grads, grads)
    assert optimizer.scales == {"0": 1.0, "1": pytest.approx(1.0, abs=1e-9)}


@pytest.mark.parametrize("change", ["scaled", "swapped"])
def test_neither_the_scale_of_a_module_nor_the_order_of_the_halves_matters(change):
    scales = []
    for changed in (False, True):
        params = parameters(4, 3)
        optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)), momentum=0.5)
        first, second = drawn((4, 3), 0), drawn((4, 3), 1)
        if changed and change == "scaled":
            first[1], second[1] = ([8 * x for x in half[1]] for half in (first, second))
        elif changed:
            first, second = second, first
        take(optimizer, params, first, second)
        scales.append(optimizer.scales["1"])
    assert scales[0] == pytest.approx(scales[1], abs=1e-14)
    assert scales[0] != 1.0


def test_the_estimator_measures_the_share_of_noise():
    # E[phi] = 1 / (1 + B |s|^2 / (2 sigma^2 d)) for a gradient s + sigma xi / sqrt(B / 2) of each half
    size, batch, sigma = 10_000, 8, 2.0
    generator = torch.Generator().manual_seed(0)
    for norm in (10.0, 100.0, 400.0):
        signal = torch.randn(size, generator=generator, dtype=torch.float64)
        signal *= norm / signal.norm()
        noise = [torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(2)]
        found = variance([tuple(signal + sigma * each / math.sqrt(batch / 2) for each in noise)])
        expected = 1 / (1 + batch * norm**2 / (2 * sigma**2 * size))
        assert found == pytest.approx(expected, rel=0.05)


def test_the_settled_scales_equalise_the_variance_of_the_updates():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)), interval=1, momentum=0.0, clamp=None)
    take(optimizer, params, (BACKBONE[0], HEAD[0]), (BACKBONE[1], HEAD[1]))
    anchored, other = (optimizer.scales[name] ** 2 * optimizer.variances[name] for name in ("0", "1"))
    assert anchored == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("inner", [torch.optim.Adam, Lamb, AdaBelief], ids=lambda kind: kind.__name__)
def test_halves_are_compared_as_an_adaptive_optimizer_sees_them(inner):
    params = parameters(2, 2)
    settings = {} if inner is torch.optim.Adam else {"compile": False}
    optimizer = AGVM(inner(groups(params, lr=0.01, betas=(0.9, 0.99), eps=1e-8), **settings), interval=1)
    first, second = ([3.0, 1.0], [3.0, 1.0]), ([1.0, 2.0], [-1.0, 2.0])
    take(optimizer, params, first, second)  # no second moment yet: signs
    assert optimizer.variances == {"0": pytest.approx(0.0, abs=1e-6), "1": pytest.approx(1.0)}
    name = "exp_avg_var" if inner is AdaBelief else "exp_avg_sq"
    moments = [optimizer.state[param][name].double().clone() for param in params]
    take(optimizer, params, first, second)
    for module, moment, *halves in zip(("0", "1"), moments, first, second, strict=True):
        seen = [
            torch.tensor(half, dtype=torch.float64)
            / ((0.01 * torch.tensor(half, dtype=torch.float64) ** 2 + 0.99 * moment).sqrt() + 1e-8)
            for half in halves
        ]
        cosine = torch.nn.functional.cosine_similarity(*seen, dim=0).item()
        assert optimizer.variances[module] == pytest.approx(1 - cosine, abs=1e-9)


def test_without_preconditioning_the_gradients_themselves_are_compared():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.Adam(groups(params)), precondition=False)
    take(optimizer, params, (BACKBONE[0], HEAD[0]), (BACKBONE[1], HEAD[1]))
    assert optimizer.variances == {"0": pytest.approx(0.5), "1": pytest.approx(1.3162278, abs=1e-7)}


def test_a_module_without_gradient_in_one_half_keeps_its_scale():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)), interval=1, momentum=0.5)
    take(optimizer, params, (BACKBONE[0], [0.0, 0.0]), (BACKBONE[1], HEAD[1]))
    assert optimizer.scales == {"0": 1.0, "1": 1.0}
    assert optimizer.variances["1"] is None


def test_rates_come_back_also_after_an_error_and_tensors_are_not_written_to():
    params = parameters(3, 2)
    rate_of_head = torch.tensor(0.5)
    optimizer = AGVM(torch.optim.SGD([{"params": [params[0]]}, {"params": [params[1]], "lr": rate_of_head}], lr=0.5))
    handle = optimizer.inner.register_step_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take(optimizer, params, (BACKBONE[0], HEAD[0]), (BACKBONE[1], HEAD[1]))
    assert optimizer.param_groups[1]["lr"] is rate_of_head
    assert rate_of_head.item() == 0.5
    handle.remove()


def test_halves_are_weighed_by_their_samples():
    params = parameters(1, 1)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=1.0)), start=9)
    for index, (samples, grad) in enumerate(((3, 1.0), (1, 5.0))):
        with optimizer.half(index, samples):
            for param in params:
                param.grad = torch.tensor([grad], dtype=torch.float64)
    optimizer.step()
    assert params[0].item() == -2.0


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def test_two_closures_are_two_halves():
    x, y = torch.randn(12, 6, dtype=torch.float64), torch.randn(12, 3, dtype=torch.float64)
    model = network()
    optimizer = AGVM(torch.optim.SGD(model.named_parameters(), lr=0.1), "children", interval=2, momentum=0.5)

    def closure(rows):
        def evaluate():
            loss = (model(x[rows]) - y[rows]).square().mean()
            loss.backward()
            return loss

        return evaluate

    twin = copy.deepcopy(model)
    before = (twin(x) - y).square().mean()
    loss = optimizer.step(closure(slice(0, 6)), closure(slice(6, 12)))
    assert loss.item() == pytest.approx(before.item())
    assert list(optimizer.scales) == ["0", "2", "4"]
    assert optimizer.scales["4"] != 1.0
    before.backward()
    scales = [optimizer.scales[name.partition(".")[0]] for name, _ in twin.named_parameters()]
    for param, other, scale in zip(model.parameters(), twin.parameters(), scales, strict=True):
        assert torch.allclose(param, other - 0.1 * scale * other.grad)
    assert not optimizer.compares
    optimizer.step(closure(slice(0, 12)))  # an ordinary step will do
    assert optimizer.compares
    with pytest.raises(RuntimeError, match=r"compares the gradients of two halves.*optimizer\.half"):
        optimizer.step(closure(slice(0, 12)))
    with pytest.raises(ValueError, match="needs a closure of the first half"):
        optimizer.step(second=closure(slice(0, 12)))


LOOP_HALVES = [([30.0, 0.0, 30.0], [10.0, 20.0]), ([30.0, 30.0, 0.0], [10.0, -10.0])]


def halved(optimizer, params, scaler=None, factor=1.0):
    """Runs the backward passes of both halves, with gradients that are known."""
    for index, grads in enumerate(LOOP_HALVES):
        with optimizer.half(index):
            products = [(param * param.new_tensor(grad)).sum() for param, grad in zip(params, grads, strict=True)]
            loss = factor * torch.stack(products).sum()
            (loss if scaler is None else scaler.scale(loss)).backward()


def test_after_the_second_half_the_gradient_is_that_of_the_batch_and_clipping_acts_on_it():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)), momentum=0.97)
    halved(optimizer, params)
    assert [param.grad.tolist() for param in params] == [[30.0, 15.0, 15.0], [10.0, 5.0]]
    norm = math.sqrt(30**2 + 2 * 15**2 + 10**2 + 5**2)
    assert nn.utils.clip_grad_norm_(params, 1.0).item() == pytest.approx(norm)
    optimizer.step()
    scale = 0.97 + 0.03 * math.sqrt(0.5)  # the halves' angle is what it was
    assert optimizer.scales["1"] == pytest.approx(scale)
    assert params[0].tolist() == pytest.approx([-0.1 * each / norm for each in (30, 15, 15)], rel=1e-6)
    assert params[1].tolist() == pytest.approx([-0.1 * scale * each / norm for each in (10, 5)], rel=1e-6)
    assert params[1].grad.tolist() == pytest.approx([10 / norm, 5 / norm], rel=1e-6)


@pytest.mark.parametrize("inner", [torch.optim.SGD, torch.optim.Adam], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("unscaled", [False, True])
def test_a_gradient_scaler_takes_it_as_it_is(inner, unscaled):
    runs = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=65536.0)):
        params = [nn.Parameter(torch.zeros(size)) for size in (3, 2)]
        optimizer = AGVM(inner(groups(params, lr=0.25)), interval=1, momentum=0.5)
        for factor in (1.0, math.inf, 0.125):
            if scaler is None and factor == math.inf:
                continue
            optimizer.zero_grad()
            halved(optimizer, params, scaler, factor)
            if scaler is None:
                optimizer.step()
                continue
            if unscaled:
                scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        runs.append((params, optimizer.state_dict()["param_groups"]))
        assert optimizer.param_groups[0]["agvm_steps"] == 2
    assert scaler.get_scale() == 32768.0
    assert all(map(torch.equal, runs[0][0], runs[1][0]))
    assert runs[0][1] == runs[1][1]
    assert runs[0][1][1]["agvm_scale"] != 1.0


def test_halves_that_are_divided_by_a_second_moment_are_clipped_as_their_mean_was():
    params = parameters(2, 2)
    optimizer = AGVM(torch.optim.Adam(groups(params, betas=(0.5, 0.75), eps=0.5)))
    first, second = ([3.0, 1.0], [3.0, 1.0]), ([1.0, 2.0], [-1.0, 2.0])
    for index, grads in enumerate((first, second)):
        with optimizer.half(index):
            for param, grad in zip(params, grads, strict=True):
                param.grad = param.new_tensor(grad)
    for param in params:
        param.grad *= 0.125
    optimizer.step()
    for module, *halves in zip(("0", "1"), first, second, strict=True):
        clipped = [0.125 * torch.tensor(half, dtype=torch.float64) for half in halves]
        seen = [half / ((0.25 * half**2).sqrt() + 0.5) for half in clipped]
        cosine = torch.nn.functional.cosine_similarity(*seen, dim=0).item()
        assert optimizer.variances[module] == pytest.approx(1 - cosine, abs=1e-12)


def test_hooks_and_logs_see_each_halfs_gradient_and_then_that_of_the_batch():
    params = parameters(3, 2)
    optimizer, seen = AGVM(torch.optim.SGD(groups(params, lr=1.0)), start=9), []
    params[1].register_post_accumulate_grad_hook(lambda param: seen.append(param.grad.tolist()))
    halved(optimizer, params)
    assert seen == [[10.0, 20.0], [10.0, -10.0]]
    assert params[1].grad.tolist() == [10.0, 5.0]
    optimizer.step()
    assert params[1].tolist() == [-10.0, -5.0]


def test_zero_grad_forgets_the_halves_but_not_the_other_one_within_a_half():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)))
    halved(optimizer, params)
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(RuntimeError, match="compares the gradients of two halves"):
        optimizer.step()
    for index, grads in enumerate(LOOP_HALVES):
        with optimizer.half(index):
            optimizer.zero_grad(set_to_none=False)
            for param, grad in zip(params, grads, strict=True):
                param.grad = param.new_tensor(grad)
    assert params[0].grad.tolist() == [30.0, 15.0, 15.0]
    optimizer.step()
    assert optimizer.variances["0"] == pytest.approx(0.5)


@pytest.mark.parametrize("start", [0, 9])
def test_one_half_alone_is_refused_by_name_whether_it_is_time_to_compare_or_not(start):
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=0.1)), start=start)
    with optimizer.half(1):
        for param in params:
            param.grad = torch.ones_like(param)
    with pytest.raises(RuntimeError, match=r"no half 0: run a backward pass with optimizer\.half\(0\) before the step"):
        optimizer.step()
    assert not any(param.any() for param in params)


def test_a_batch_that_was_given_up_leaves_nothing_to_the_next():
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params, lr=1.0)))
    with optimizer.half(0):
        params[0].grad = torch.full_like(params[0], 7.0)
    with pytest.raises(ZeroDivisionError), optimizer.half(1):
        raise ZeroDivisionError
    for _ in range(2):
        halved(optimizer, params)  # the first is not followed by a step, as after an overflow
    optimizer.step()
    assert params[0].tolist() == [-30.0, -15.0, -15.0]


def test_groups_that_it_splits_have_rates_of_their_own():
    rate = torch.tensor(0.5)
    for make in (
        lambda model: AGVM(torch.optim.SGD(model.named_parameters(), lr=rate), "children"),
        lambda model: torch.optim.SGD(module_parameter_groups(model, lr=rate)),
    ):
        optimizer = make(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
        assert [group["lr"].item() for group in optimizer.param_groups] == [0.25, 0.25]
        assert rate.item() == 0.5


def test_in_a_session_it_takes_halves_and_pays_for_one_batch():
    from tests.lab.toy import session

    run = session(
        0, optimizer=lambda model: AGVM(torch.optim.SGD(model.named_parameters(), lr=0.1), "children", interval=2)
    )
    steps = []
    run.optimizer.register_step_post_hook(lambda *_: steps.append(len(steps)))
    losses = [run.step() for _ in range(4)]
    assert steps == [0, 1, 2, 3]
    assert run.meter.used == 4 * run.task.batch_size
    assert all(map(math.isfinite, losses))
    assert {name: value is not None for name, value in run.optimizer.variances.items()} == dict.fromkeys(
        ("0", "1", "4"), True
    )
    saved = run.snapshot()
    ahead = [run.step() for _ in range(3)]
    run.restore(saved)
    assert [run.step() for _ in range(3)] == ahead


def test_scales_and_steps_are_saved_and_go_on_bit_for_bit():
    def made(params):
        return AGVM(Lion(groups(params), lr=0.01, compile=False), interval=2, momentum=0.5)

    sizes = (3, 2)
    params = parameters(*sizes)
    optimizer = made(params)
    for step in range(3):
        take(optimizer, params, drawn(sizes, 2 * step), drawn(sizes, 2 * step + 1))
    resumed = [nn.Parameter(param.detach().clone()) for param in params]
    other = made(resumed)
    other.load_state_dict(optimizer.state_dict())
    assert other.scales == optimizer.scales
    for step in range(3, 6):
        for each, own in ((optimizer, params), (other, resumed)):
            take(each, own, drawn(sizes, 2 * step), drawn(sizes, 2 * step + 1))
    assert all(torch.equal(a, b) for a, b in zip(params, resumed, strict=True))
    assert other.scales == optimizer.scales


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"interval": 0}, ValueError, "interval=0 must be a whole number >= 1"),
        ({"interval": 2.5}, TypeError, "interval=2.5"),
        ({"momentum": 1.0}, ValueError, r"momentum=1.0 must lie in \[0, 1\)"),
        ({"start": -1}, ValueError, "start=-1"),
        ({"clamp": (2.0, 10.0)}, ValueError, r"clamp=\(2.0, 10.0\) must be a bound <= 1 and one >= 1"),
        ({"clamp": 0.5}, TypeError, "clamp=0.5"),
        ({"anchor": 2}, ValueError, r"anchor=2 must lie in \[0, 2\)"),
        ({"anchor": "neck"}, ValueError, "anchor='neck' is not among the modules 0, 1"),
        ({"anchor": None}, TypeError, "anchor=None"),
        ({"precondition": "yes"}, TypeError, "precondition='yes'"),
        ({"modules": "layers"}, ValueError, "modules='layers' must be 'groups' or 'children'"),
        ({"modules": "children"}, ValueError, r"needs the parameters' names: .*model.named_parameters\(\)"),
    ],
)
def test_what_cannot_be_is_named(settings, error, message):
    with pytest.raises(error, match=message):
        AGVM(torch.optim.SGD(groups(parameters(3, 2))), **settings)


def test_what_has_no_modules_is_refused():
    with pytest.raises(ValueError, match=r"there is only '0': give a parameter group for each"):
        AGVM(torch.optim.SGD(parameters(3, 2)))
    with pytest.raises(ValueError, match=r"there is only 'weight'"):
        AGVM(torch.optim.SGD([("weight", parameters(2)[0])]), "children")
    params = parameters(3, 2)
    optimizer = AGVM(torch.optim.SGD(groups(params)), precondition=True)
    with pytest.raises(ValueError, match="keeps no second moment"):
        take(optimizer, params, (BACKBONE[0], HEAD[0]), (BACKBONE[1], HEAD[1]))
    with pytest.raises(ValueError, match="index=2 must be 0 or 1"), optimizer.half(2):
        pass
    distributed = AGVM(torch.optim.SGD(groups(parameters(3, 2))), distributed=True)
    assert distributed.wants_local_gradients
    with pytest.raises(RuntimeError, match="needs two processes"):
        distributed.exchange()
    with pytest.raises(RuntimeError, match=r"call optimizer\.exchange\(\) after the backward pass"):
        distributed.step()


def test_modules_by_name_cover_the_model():
    model = nn.ModuleDict({"backbone": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    made = module_parameter_groups(model, ["head", "backbone"], lr=0.1)
    assert [(g["name"], [tuple(param.shape) for param in g["params"]], g["lr"]) for g in made] == [
        ("head", [(1, 2), (1,)], 0.1),
        ("backbone", [(2, 2), (2,)], 0.1),
    ]
    optimizer = AGVM(torch.optim.SGD(made), anchor="backbone")
    assert list(optimizer.scales) == ["head", "backbone"]
    with pytest.raises(ValueError, match=r"no module holds backbone.weight, backbone.bias"):
        module_parameter_groups(model, ["head"])
    with pytest.raises(ValueError, match="no module 'neck'; it has backbone, head"):
        module_parameter_groups(model, ["neck"])
    with pytest.raises(ValueError, match=r"head.weight is in head and head"):
        module_parameter_groups(model, ["head", "backbone", "head"])
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module"):
        module_parameter_groups([1])


def test_in_the_catalogue_it_goes_around_any_optimizer():
    expression = parse_expression("agvm(clip(lamb), interval=5)")
    tuned = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}
    optimizer = expression.build(network(), tuned)
    assert isinstance(optimizer, AGVM)
    assert isinstance(optimizer.inner, CoordinateClip)
    assert list(optimizer.scales) == ["0", "2", "4"]
    names = {"model": network()}
    exec(expression.code(tuned), names)
    assert names["optimizer"].scales == optimizer.scales
    with pytest.raises(TypeError, match="AGVM steps from more than these"):
        CoordinateClip(optimizer)
    with pytest.raises(InputError, match=r"agvm steps from more than these: write agvm\(clip\(...\)\)"):
        trimtab.create("clip(agvm(lamb))", network())


class OneModuleAllowed(AGVM):
    """Lets the suite make optimizers with a single group, for which there is nothing to adapt."""

    def __init__(self, params, **settings):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trimtab.optim.agvm.agvm.named_module", lambda _, names: names[0])
            super().__init__(AdaBelief(params, **{"compile": False, **settings}), start=1000)


class TestBetweenComparisons(OptimizerConformance):
    optimizer = OneModuleAllowed


def test_under_ddp_the_halves_are_those_of_the_processes(tmp_path):
    in_two_processes(two_workers.main, tmp_path)
    found = [torch.load(tmp_path / f"found{rank}.pt", weights_only=True) for rank in range(2)]
    alone = two_workers.alone()
    for both in found:
        assert both["scales"] == pytest.approx(alone["scales"], abs=1e-12)
        for one, other in zip(both["parameters"], alone["parameters"], strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(found[0]["parameters"], found[1]["parameters"], strict=True))
    assert any(scale != 1.0 for scale in alone["scales"].values())


def test_processes_that_have_not_gone_through_a_module_count_as_zero_in_its_mean(tmp_path):
    in_two_processes(two_workers.forked, tmp_path)
    found = [torch.load(tmp_path / f"forked{rank}.pt", weights_only=True) for rank in range(2)]
    (first, none, *_), (nothing, second, *_) = (each["own"] for each in found)
    assert none is nothing is None  # each worker has gone through a branch of its own
    head = (found[0]["own"][-1] + found[1]["own"][-1]) / 2
    for each in found:
        one, two, unused, last = each["mean"]
        assert all(map(torch.equal, (one, two, last), (first / 2, second / 2, head)))
        assert unused is None
        assert each["variances"][0] > 0
        assert each["variances"][1:] == [None, None, None]  # one half alone differs from nothing


def trained_by_halves(model, optimizer, steps):
    for step in range(steps):
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        for half in (0, 1):
            with optimizer.half(half):
                model(inputs[half::2]).square().mean().backward()
        optimizer.step()


def test_while_the_anchor_is_frozen_the_first_other_module_stands_for_it():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    optimizer = trimtab.create("agvm(sgd, interval=1)", model, lr=0.01, **{"agvm.momentum": 0.0})
    trained_by_halves(model, optimizer, 2)
    assert optimizer.variances["0"] is None
    assert [optimizer.scales[name] for name in "01"] == [1.0, 1.0]
    expected = rate(optimizer.variances["1"], optimizer.variances["2"], (0.5, 10.0))
    assert optimizer.scales["2"] == pytest.approx(expected, rel=1e-12)
    assert expected != 1.0
    model[0].requires_grad_(True)
    trained_by_halves(model, optimizer, 1)
    assert optimizer.scales["0"] == 1.0
    assert optimizer.scales["1"] == pytest.approx(rate(optimizer.variances["0"], optimizer.variances["1"], (0.5, 10.0)))


def test_a_group_that_is_added_is_a_module_of_its_own():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 2))
    optimizer = trimtab.create("agvm(sgd)", model, lr=0.01)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))]})
    assert list(optimizer.scales) == ["0", "2", "3", "group 3"]
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], "name": "late"})
    assert list(optimizer.scales) == ["0", "2", "3", "group 3", "late"]
