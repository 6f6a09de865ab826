"""The engine, under rules that are simple enough to be computed by hand."""

import copy
import io
import math
import pickle
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, OneCycleLR

from trimtab.primitives.flat.flat_step import FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION, flag, pair

pytestmark = pytest.mark.usefixtures("each_mode")


class Average(FlatOptimizer):
    """Follows an average of the gradients; with ``longest``, also keeps the largest one."""

    state_names = ("average",)
    hyperparameters: ClassVar = {"betas": pair(FRACTION), "longest": flag}

    def __init__(self, params, lr=0.1, betas=(0.5, 0.0), weight_decay=0.0, longest=False, state_dtype=None, **options):
        options = {"maximize": False, **options}
        super().__init__(
            params, lr=lr, betas=betas, weight_decay=weight_decay, longest=longest, state_dtype=state_dtype, **options
        )

    @classmethod
    def state_names_for(cls, hypers, /):
        return ("average", "largest") if hypers["longest"] else cls.state_names

    @staticmethod
    def scalars(step, /, *, betas, longest):
        return {"beta": betas[0], "correction": 1 - betas[0] ** step}

    @staticmethod
    def direction(grad, average, largest=None, *, beta, correction):
        average = beta * average + (1 - beta) * grad
        if largest is None:
            return average / correction, average
        return average / correction, average, torch.maximum(largest, average)


class Descent(FlatOptimizer):
    """Follows the gradient, and keeps it; ``decay`` is the kind of weight decay."""

    state_names = ("previous",)
    hyperparameters: ClassVar = {"decay": lambda _, kind: kind}

    def __init__(self, params, lr=0.1, weight_decay=0.0, decay="decoupled", maximize=False, **options):
        super().__init__(params, lr=lr, weight_decay=weight_decay, decay=decay, maximize=maximize, **options)

    @classmethod
    def weight_decay_for(cls, hypers, /):
        if hypers["decay"] not in ("decoupled", "fixed", "coupled"):
            raise ValueError(f"decay={hypers['decay']!r}")
        return hypers["decay"]

    @staticmethod
    def scalars(step, /, *, decay):
        return {}

    @staticmethod
    def direction(grad, previous):
        return grad, grad


def parameter(values, grad=None, dtype=torch.float64):
    param = nn.Parameter(torch.as_tensor(values, dtype=dtype))
    if grad is not None:
        param.grad = torch.as_tensor(grad, dtype=dtype)
    return param


def take_steps(optimizer, count, seed=0):
    """Gives random gradients to all parameters, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        for group in optimizer.param_groups:
            for param in group["params"]:
                param.grad = torch.randn(param.shape, generator=generator, dtype=torch.float64).to(param.dtype)
        optimizer.step()


def through_a_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


# What is written


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("decoupled", 2 * (1 - 0.1 * 0.5) - 0.1 * 3),
        ("fixed", 2 * (1 - 0.5) - 0.1 * 3),
        ("coupled", 2 - 0.1 * (3 + 0.5 * 2)),
    ],
)
def test_three_kinds_of_weight_decay(decay, expected):
    param = parameter([2.0], grad=[3.0])
    Descent([param], weight_decay=0.5, decay=decay).step()
    assert param.item() == pytest.approx(expected, rel=1e-15)


def test_maximize_climbs_and_still_decays():
    for decay, expected in (("decoupled", 2 * 0.95 + 0.3), ("coupled", 2 - 0.1 * (-3 + 1))):
        param = parameter([2.0], grad=[3.0])
        Descent([param], weight_decay=0.5, decay=decay, maximize=True).step()
        assert param.item() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("decay", ["decoupled", "fixed", "coupled"])
def test_without_a_learning_rate_nothing_moves(decay):
    param = parameter([2.0], grad=[0.0])
    Descent([param], lr=0.0, weight_decay=0.5, decay=decay).step()
    assert param.item() == 2.0


@pytest.mark.parametrize("decay", ["decoupled", "coupled"])
@pytest.mark.parametrize("maximize", [False, True])
def test_gradients_are_left_alone(decay, maximize):
    param = parameter([2.0], grad=[3.0])
    grad, version = param.grad, param.grad._version
    Descent([param], weight_decay=0.5, decay=decay, maximize=maximize).step()
    assert param.grad is grad
    assert grad._version == version
    assert grad.item() == 3.0


def test_a_rule_that_returns_the_gradient_keeps_a_copy():
    param = parameter([2.0], grad=[3.0])
    optimizer = Descent([param])
    optimizer.step()
    param.grad.fill_(7.0)
    assert optimizer.state[param]["previous"].item() == 3.0


def test_closure_is_called_once_with_gradients_enabled():
    param = parameter([2.0])
    optimizer = Descent([param])
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = (param**2).sum()
        loss.backward()
        losses.append(loss)
        return loss

    with torch.no_grad():
        assert optimizer.step(closure) is losses[0]
    assert len(losses) == 1
    assert param.item() == pytest.approx(2 - 0.1 * 4)


def test_step_leaves_no_graph_behind():
    param = parameter([2.0], grad=[3.0])
    optimizer = Average([param])
    assert optimizer.step() is None
    assert param.grad_fn is None
    assert param.requires_grad
    assert not optimizer.state[param]["average"].requires_grad


def test_parameters_without_gradient_rest_and_count_their_own_steps():
    early, late = parameter([1.0], grad=[1.0]), parameter([1.0])
    optimizer = Average([early, late], weight_decay=0.1)
    optimizer.step()
    assert late.item() == 1.0
    assert late not in optimizer.state
    late.grad = torch.ones_like(late)
    optimizer.step()
    assert (optimizer.state[early]["step"], optimizer.state[late]["step"]) == (2, 1)
    # The first step of a bias-corrected average is the gradient, whenever it comes.
    assert late.item() == pytest.approx(0.99 - 0.1)


def test_scalars_are_computed_once_a_step_and_group(monkeypatch):
    calls = []
    scalars = Average.scalars
    monkeypatch.setattr(Average, "scalars", staticmethod(lambda step, **h: calls.append(step) or scalars(step, **h)))
    optimizer = Average([{"params": [parameter([1.0]) for _ in range(5)]}, {"params": [parameter([1.0])]}])
    take_steps(optimizer, 2)
    assert calls == [1, 1, 2, 2]


def test_options_may_differ_by_group():
    one, other = parameter([1.0], grad=[1.0]), parameter([1.0], grad=[1.0])
    optimizer = Average([{"params": [one], "longest": True}, {"params": [other], "lr": 0.5}])
    optimizer.step()
    assert set(optimizer.state[one]) == {"step", "average", "largest"}
    assert set(optimizer.state[other]) == {"step", "average"}
    assert (one.item(), other.item()) == (pytest.approx(0.9), 0.5)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    take_steps(Average([parameter([1.0])]), 3)
    assert torch.equal(torch.get_rng_state(), before)


# Shapes and layouts


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (0, 3)])
def test_every_shape(shape):
    param = nn.Parameter(torch.ones(shape, dtype=torch.float64))
    param.grad = torch.ones_like(param)
    optimizer = Average([param])
    optimizer.step()
    torch.testing.assert_close(param.detach(), torch.full(shape, 0.9, dtype=torch.float64))
    assert optimizer.state[param]["average"].shape == shape


@pytest.mark.parametrize(
    "layout",
    [
        lambda t: t.contiguous(memory_format=torch.channels_last),
        lambda t: t.transpose(0, 3),
        lambda t: torch.cat([t, t])[::2],
    ],
    ids=["channels_last", "transposed", "strided"],
)
def test_layout_makes_no_difference(layout):
    values = layout(torch.arange(16.0, dtype=torch.float64).reshape(2, 2, 2, 2))
    param, plain = nn.Parameter(values), nn.Parameter(values.detach().clone(memory_format=torch.contiguous_format))
    optimizer, other = Average([param], weight_decay=0.1), Average([plain], weight_decay=0.1)
    take_steps(optimizer, 3)
    take_steps(other, 3)
    assert torch.equal(param, plain)
    # A state saved from one layout serves the other.
    optimizer.load_state_dict(other.state_dict())
    take_steps(optimizer, 2)
    take_steps(other, 2)
    assert torch.equal(param, plain)


# Precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype):
    start = torch.linspace(-1, 1, 50).to(dtype)
    param, reference = nn.Parameter(start.clone()), nn.Parameter(start.float())
    optimizer, other = Average([param], weight_decay=0.1), Average([reference], weight_decay=0.1)
    for seed in range(4):
        with torch.no_grad():
            reference.copy_(param)
        param.grad = torch.randn(50, generator=torch.Generator().manual_seed(seed)).to(dtype)
        reference.grad = param.grad.float()
        optimizer.step()
        other.step()
        assert torch.equal(param, reference.to(dtype))
    assert optimizer.state[param]["average"].dtype == torch.float32
    assert torch.equal(optimizer.state[param]["average"], other.state[reference]["average"])


def test_state_may_be_stored_in_another_type():
    param = parameter([1.0], grad=[1 / 3], dtype=torch.float32)
    optimizer = Average([param], state_dtype=torch.bfloat16)
    optimizer.step()
    average = optimizer.state[param]["average"]
    assert average.dtype == torch.bfloat16
    assert average.item() == torch.tensor(1 / 6).bfloat16().item()
    # What is followed is not rounded.
    assert param.item() == pytest.approx(1 - 0.1 / 3, rel=1e-6)


@pytest.mark.parametrize("state_dtype", [None, torch.bfloat16, torch.float64])
def test_loading_keeps_the_type_of_the_state(state_dtype):
    param = nn.Parameter(torch.ones(5, dtype=torch.bfloat16))
    optimizer = Average([param], state_dtype=state_dtype)
    take_steps(optimizer, 3)
    saved = through_a_file(optimizer.state_dict())
    loaded = Average([param])
    seen = []
    loaded.register_load_state_dict_post_hook(lambda o: seen.append(o.state[param]["average"].dtype))
    loaded.load_state_dict(saved)
    average = optimizer.state[param]["average"]
    assert loaded.state[param]["average"].dtype == average.dtype == (state_dtype or torch.float32)
    assert torch.equal(loaded.state[param]["average"], average)
    assert seen == [average.dtype]


# Saving, loading, copying


def test_ten_steps_are_five_and_five_more():
    straight, stopped = parameter([1.0, -2.0]), parameter([1.0, -2.0])
    whole, first_half = (Average([param], weight_decay=0.1, longest=True) for param in (straight, stopped))
    take_steps(whole, 5)
    take_steps(whole, 5, seed=1)

    take_steps(first_half, 5)
    second_half = Average([stopped])  # its settings come from the file
    second_half.load_state_dict(through_a_file(first_half.state_dict()))
    take_steps(second_half, 5, seed=1)
    assert torch.equal(stopped, straight)
    assert second_half.state[stopped]["step"] == 10
    assert torch.equal(second_half.state[stopped]["largest"], whole.state[straight]["largest"])


def test_saved_state_is_a_copy_and_so_is_loaded_state():
    param = parameter([1.0])
    optimizer = Average([param], lr=torch.tensor(0.1))
    take_steps(optimizer, 1)
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved)
    take_steps(optimizer, 1)
    optimizer.param_groups[0]["lr"].fill_(9.0)
    other = Average([parameter([1.0])])
    other.load_state_dict(saved)
    take_steps(other, 1)
    other.param_groups[0]["lr"].fill_(9.0)
    assert torch.equal(saved["state"][0]["average"], before["state"][0]["average"])
    assert saved["state"][0]["step"] == 1
    assert saved["param_groups"][0]["lr"] == before["param_groups"][0]["lr"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_go_on_alike(copied):
    param = parameter([1.0, 2.0])
    optimizer = Average([param], weight_decay=0.1, longest=True)
    take_steps(optimizer, 2)
    other_param, other = copied((param, optimizer))
    take_steps(other, 3, seed=1)
    assert not torch.equal(other_param, param)
    take_steps(optimizer, 3, seed=1)
    assert torch.equal(other_param, param)
    assert other.state[other_param]["step"] == 5


def test_hooks_of_users_see_and_may_change_what_is_loaded():
    param = parameter([1.0])
    optimizer = Average([param])
    take_steps(optimizer, 1)
    optimizer.register_load_state_dict_pre_hook(lambda _, state: {**state, "state": {}})
    optimizer.load_state_dict(optimizer.state_dict())
    assert len(optimizer.state) == 0


def drop_the_average(state):
    del state["state"][0]["average"]


def change_the_shape(state):
    state["state"][0]["average"] = torch.ones(3)


def drop_a_group(state):
    state["param_groups"].pop()


def spoil_a_setting(state):
    state["param_groups"][0]["betas"] = (0.5, 1.0)


def drop_a_setting(state):
    del state["param_groups"][0]["longest"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_the_average, "lacks average: it is not that of Average"),
        (change_the_shape, r"average has shape \(3,\), but its parameter has \(2,\)"),
        (drop_a_group, "different number of parameter groups"),
        (spoil_a_setting, r"betas\[1\]=1.0 must lie in \[0, 1\)"),
        (drop_a_setting, "Average needs longest"),
    ],
)
def test_foreign_state_is_refused_and_nothing_changes(spoil, message):
    param = parameter([1.0, 2.0])
    optimizer = Average([{"params": [param]}, {"params": [parameter([1.0])]}])
    take_steps(optimizer, 2)
    before, foreign = optimizer.state_dict(), optimizer.state_dict()
    spoil(foreign)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(foreign)
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.0)
    assert torch.equal(optimizer.state[param]["average"], before["state"][0]["average"])
    assert not optimizer._optimizer_load_state_dict_pre_hooks
    assert not optimizer._optimizer_load_state_dict_post_hooks


def test_a_parameter_without_steps_is_saved_and_loaded_as_such():
    param = parameter([1.0])
    optimizer = Average([param])
    assert optimizer.state[param] == {}  # looking makes an empty entry
    optimizer.load_state_dict(through_a_file(optimizer.state_dict()))
    take_steps(optimizer, 1)
    assert optimizer.state[param]["step"] == 1


# Schedulers


def test_one_cycle_schedule_turns_lr_and_momentum():
    optimizer = Average([parameter([1.0])])
    scheduler = OneCycleLR(optimizer, max_lr=0.5, total_steps=10)
    seen = []
    for seed in range(9):
        take_steps(optimizer, 1, seed)
        scheduler.step()
        seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]))
    assert max(lr for lr, _ in seen) == pytest.approx(0.5)
    assert min(betas[0] for _, betas in seen) == pytest.approx(0.85)
    assert all(betas[1] == 0.0 for _, betas in seen)


def test_numbers_of_numpy_do_not_reach_the_file():
    optimizer = Average([parameter([1.0])])
    scheduler = LambdaLR(optimizer, lambda step: np.float64(0.5))
    take_steps(optimizer, 1)
    scheduler.step()
    take_steps(optimizer, 1)
    assert type(optimizer.param_groups[0]["lr"]) is float
    del optimizer.param_groups[0]["initial_lr"]
    assert through_a_file(optimizer.state_dict())["param_groups"][0]["lr"] == 0.05


def test_a_tensor_as_learning_rate_belongs_to_its_group():
    lr = torch.tensor(0.5, dtype=torch.float64)
    params = [parameter([1.0], grad=[1.0]) for _ in range(2)]
    optimizer = Descent([{"params": [param]} for param in params], lr=lr)
    scheduler = ExponentialLR(optimizer, gamma=0.5)
    optimizer.step()
    assert [param.item() for param in params] == [0.5, 0.5]
    scheduler.step()
    optimizer.step()
    assert [param.item() for param in params] == [0.25, 0.25]
    assert lr == 0.5


# What is refused


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr=-1.0 must lie in \[0, inf\)"),
        ({"lr": math.nan}, ValueError, r"lr=nan must lie in \[0, inf\)"),
        ({"lr": "0.1"}, TypeError, "lr='0.1' must be a number"),
        ({"weight_decay": -0.1}, ValueError, r"weight_decay=-0.1 must lie in \[0, inf\)"),
        ({"weight_decay": math.inf}, ValueError, "weight_decay=inf"),
        ({"betas": (1.0, 0.5)}, ValueError, r"betas\[0\]=1.0 must lie in \[0, 1\)"),
        ({"betas": 0.9}, TypeError, "betas=0.9 must be a pair"),
        ({"longest": 1}, TypeError, "longest=1 must be True or False"),
        ({"maximize": None}, TypeError, "maximize=None must be True or False"),
        ({"state_dtype": torch.int8}, TypeError, "state_dtype=torch.int8"),
    ],
)
def test_bad_settings_are_refused_whenever_they_are_set(settings, error, message):
    with pytest.raises(error, match=message):
        Average([parameter([1.0])], **settings)
    with pytest.raises(error, match=message):
        Average([{"params": [parameter([1.0])], **settings}])

    param = parameter([1.0], grad=[1.0])
    optimizer = Average([param])
    with pytest.raises(error, match=message):
        optimizer.add_param_group({"params": [parameter([1.0])], **settings})
    assert len(optimizer.param_groups) == 1

    optimizer.param_groups[0].update(settings)
    with pytest.raises(error, match=message):
        optimizer.step()
    assert param.item() == 1.0


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="decay='sideways'"):
        Descent([parameter([1.0])], decay="sideways")


def test_a_group_of_the_caller_is_not_written_to():
    group = {"params": [parameter([1.0])], "betas": [0.5, 0.5]}
    optimizer = Average([group])
    assert group.keys() == {"params", "betas"}
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.5)


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_sparse_gradients_are_refused_by_name_before_anything_is_written(layout):
    first = parameter([1.0], grad=[1.0])
    table = nn.Parameter(torch.zeros(2, 2, layout=layout))
    table.grad = torch.ones(2, 2).to_sparse(layout=layout)
    with pytest.raises(RuntimeError, match=r"Descent needs dense gradients.*parameter 'table' is sparse"):
        Descent([("first", first), ("table", table)]).step()
    with pytest.raises(RuntimeError, match="parameter 1 of its group is sparse"):
        Descent([first, table]).step()
    assert first.item() == 1.0


def test_parameters_that_are_not_real_numbers_are_refused_by_name():
    optimizer = Descent([("first", parameter([1.0]))])
    phase = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    with pytest.raises(TypeError, match=r"parameter 'phase' is torch\.complex64"):
        optimizer.add_param_group({"params": [("phase", phase)]})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(TypeError, match="parameter 0 of its group"):
        Descent([phase])


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool, torch.float8_e4m3fn])
def test_frozen_parameters_of_any_type_stay(dtype):
    frozen, moving = nn.Parameter(torch.ones(2).to(dtype), requires_grad=False), parameter([1.0], grad=[1.0])
    optimizer = Descent([moving, frozen], check_finite=True)
    optimizer.step()
    assert moving.item() < 1.0
    assert torch.equal(frozen.view(torch.uint8), torch.ones(2).to(dtype).view(torch.uint8))
    assert list(optimizer.state) == [moving]
    optimizer.load_state_dict(optimizer.state_dict())


class Weighted(FlatOptimizer):
    """Follows the gradient times what is read beside it, and sums it up; ``keep`` has it among the states."""

    state_names = ("sum",)
    read_only = ("weight",)
    hyperparameters: ClassVar = {"keep": flag}

    def __init__(self, params, weights, lr=1.0, weight_decay=0.0, keep=False, **options):
        self.weights = weights
        super().__init__(params, lr=lr, weight_decay=weight_decay, keep=keep, **options)

    @classmethod
    def state_names_for(cls, hypers, /):
        return ("sum", "weight") if hypers["keep"] else cls.state_names

    def read_beside_gradients(self, grads):
        inputs = []
        for group, own in zip(self.param_groups, grads, strict=True):
            weights = [self.weights[p] for p, grad in zip(group["params"], own, strict=True) if grad is not None]
            if group["keep"]:
                for param, weight in zip(group["params"], weights, strict=True):
                    self.begin_state(param, ("sum", "weight"), group["state_dtype"])
                    self.state[param]["weight"].copy_(weight)
            inputs.append([] if group["keep"] else [weights])
        return inputs

    @staticmethod
    def scalars(step, /, *, keep):
        return {}

    @staticmethod
    def direction(grad, total, weight):
        return grad * weight, total + weight


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_a_rule_reads_more_than_the_gradient_in_any_layout(large, keep):
    """A large parameter is walked through in place and small ones side by side, one of them without a gradient."""
    size = 200 if large else 4
    params = [
        nn.Parameter(torch.zeros(size, size, dtype=torch.float64).t()),
        nn.Parameter(torch.zeros(3, dtype=torch.float64)),
        nn.Parameter(torch.zeros((), dtype=torch.float64)),
    ]
    weights = {
        params[0]: torch.arange(size, dtype=torch.float64).expand(size, size),
        params[1]: torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64),
        params[2]: torch.tensor(5.0, dtype=torch.float64),
    }
    groups = [{"params": [params[2], params[0]]}, {"params": params[1:2]}]
    optimizer = Weighted(groups if not keep else [{"params": [params[0]]}, groups[1]], weights, keep=keep)
    optimizer.watch(lambda _: None)
    params[0].grad = torch.arange(size, dtype=torch.float64)[:, None].expand(size, size)
    params[1].grad = torch.ones(3, dtype=torch.float64)
    for _ in range(2):
        optimizer.step()
    assert torch.equal(params[0].detach(), -2 * weights[params[0]] * params[0].grad)
    assert params[1].tolist() == [-2.0, -4.0, -6.0]
    assert params[2].item() == 0
    for param in params[:2]:
        assert torch.equal(optimizer.state[param]["sum"], 2 * weights[param])
        assert ("weight" in optimizer.state[param]) is keep
