"""Recording the norm of the whole gradient, without touching the run."""

import copy
import json
import math

import pytest
import torch
from torch import nn

import trimtab
from tests.new_process import in_two_processes
from tests.schedule.refined import two_processes_norms
from trimtab.schedule import GradientNormRecorder


def network(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)


def backward(model, step, rows=slice(None), weight=1.0):
    inputs = torch.randn(8, 5, generator=torch.Generator().manual_seed(step)).to(model[0].weight.dtype)
    (weight * model(inputs[rows]).square().mean()).backward()


def train(model, optimizer, steps, first=0, before_step=lambda: None):
    for step in range(first, first + steps):
        optimizer.zero_grad()
        backward(model, step)
        before_step()
        optimizer.step()


def sgd(model, **more):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.5, **more)


def test_it_records_the_total_norm_that_clip_grad_norm_returns_to_the_last_bit():
    model = network()
    optimizer = sgd(model)
    recorders = {order: GradientNormRecorder(optimizer, name) for name, order in (("l2", 2.0), ("l1", 1.0))}
    theirs = {1.0: [], 2.0: []}

    def measure():
        for order, norms in theirs.items():
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), math.inf, order).item())

    train(model, optimizer, 5, before_step=measure)
    for order, recorder in recorders.items():
        assert recorder.norms == theirs[order]
        assert recorder.steps == 5


def test_norms_are_of_all_parameters_together_and_those_without_gradient_count_for_nothing():
    params = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3))]
    params[0].grad, params[1].grad = torch.tensor([3.0, -4.0]), torch.full((2, 2), 6.0)
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1, weight_decay=10.0)
    two, one = GradientNormRecorder(optimizer), GradientNormRecorder(optimizer, "l1")
    optimizer.step()
    assert two.norms == pytest.approx([13.0])  # sqrt(25 + 144)
    assert one.norms == pytest.approx([31.0])


@pytest.mark.parametrize("name", ["adamw", "lion", "clip(lion)", "lamb"])
def test_training_is_the_same_bit_for_bit(name):
    plain, watched = network(), network()
    optimizers = [trimtab.create(name, model, lr=0.01) for model in (plain, watched)]
    recorder = GradientNormRecorder(optimizers[1], "l1")
    train(plain, optimizers[0], 4)
    train(watched, optimizers[1], 4)
    assert len(recorder.norms) == 4
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), watched.parameters(), strict=True))
    assert optimizers[0].state_dict().keys() == optimizers[1].state_dict().keys()


def test_a_wrapper_that_clips_is_seen_before_it_does():
    model = network()
    optimizer = trimtab.create("clip(lion, fraction=0.5)", model, lr=0.01)
    recorder = GradientNormRecorder(optimizer)
    backward(model, 0)
    before = nn.utils.get_total_norm([p.grad for p in model.parameters()]).item()
    optimizer.step()
    assert recorder.norms == [before]


def test_under_gradient_accumulation_it_is_the_accumulated_gradient():
    whole, parts = network(torch.float64), network(torch.float64)
    recorders = []
    for model, pieces in ((whole, [slice(None)]), (parts, [slice(0, 4), slice(4, 8)])):
        optimizer = sgd(model)
        recorders.append(GradientNormRecorder(optimizer))
        for step in range(3):
            optimizer.zero_grad()
            for rows in pieces:
                backward(model, step, rows, weight=1 / len(pieces))
            optimizer.step()
    assert len(recorders[1].norms) == 3
    assert recorders[1].norms == pytest.approx(recorders[0].norms, rel=1e-12)


def test_the_gradient_of_a_closure_is_that_of_its_first_call():
    model, other = network(), network()
    direct, closing = sgd(model), torch.optim.LBFGS(other.parameters(), lr=0.1, max_iter=3)
    expected, recorder = GradientNormRecorder(direct), GradientNormRecorder(closing)
    calls = []

    def closure():
        calls.append(None)
        closing.zero_grad()
        backward(other, 0)
        return torch.tensor(1.0 / len(calls))

    closing.step(closure)
    assert len(calls) > 1
    train(model, direct, 1)
    assert recorder.norms == expected.norms
    closing.step(closure=closure)
    assert len(recorder.norms) == 2


@pytest.mark.parametrize("norm", ["l1", "l2", "adam_weighted"])
@pytest.mark.parametrize("fused", [False, True])
def test_under_a_gradient_scaler_it_is_unscaled_and_without_steps_that_are_left_out(fused, norm):
    plain, scaled = network(), network()
    optimizers = [torch.optim.Adam(model.parameters(), lr=0.01, fused=fused) for model in (plain, scaled)]
    recorders = [GradientNormRecorder(optimizer, norm) for optimizer in optimizers]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    train(plain, optimizers[0], 3)
    for step, overflows in ((0, False), (1, True), (1, False), (2, False)):
        optimizers[1].zero_grad()
        scale = scaler.scale(torch.ones(()))
        backward(scaled, step, weight=math.inf * scale if overflows else scale)
        scaler.step(optimizers[1])
        scaler.update()
    assert scaler.get_scale() == 512.0
    assert recorders[1].norms == pytest.approx(recorders[0].norms, rel=1e-6)
    assert recorders[1].steps == 3  # also of what leaves steps out by itself, and is called for all of them


@pytest.mark.parametrize("unscaled", [False, True])
def test_a_recorder_of_parameters_is_told_the_scale(unscaled):
    plain, scaled = network(), network()
    optimizers = sgd(plain), sgd(scaled)
    recorders = [GradientNormRecorder(model.parameters(), every=2) for model in (plain, scaled)]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    train(plain, optimizers[0], 3, before_step=recorders[0].step)
    for step, overflows in ((0, False), (1, True), (1, False), (2, False)):
        optimizers[1].zero_grad()
        scale = scaler.scale(torch.ones(()))
        backward(scaled, step, weight=math.inf * scale if overflows else scale)
        if unscaled:
            scaler.unscale_(optimizers[1])
        recorders[1].step(loss_scale=1 if unscaled else scaler.get_scale())
        scaler.step(optimizers[1])
        scaler.update()
    assert recorders[1].state_dict() == recorders[0].state_dict()
    assert recorders[1].steps == 3
    for loss_scale, error in ((0.0, ValueError), ("1", TypeError)):
        with pytest.raises(error, match=f"loss_scale={loss_scale!r}"):
            recorders[1].step(loss_scale)


def test_of_two_halves_it_is_the_norm_of_the_batch_however_they_come():
    norms = []
    for way in range(3):
        model = network()
        optimizer = trimtab.create("agvm(sgd)", model, lr=0.1)
        recorder = GradientNormRecorder(optimizer)

        def closure(rows, model=model):
            return lambda: backward(model, 0, rows) or torch.zeros(())

        if way == 0:
            backward(model, 0)
            norms.append(nn.utils.get_total_norm([param.grad for param in model.parameters()]).item())
        elif way == 1:
            for half, rows in enumerate((slice(0, 4), slice(4, 8))):
                with optimizer.half(half):
                    backward(model, 0, rows)
            optimizer.step()
        else:
            optimizer.step(closure(slice(0, 4)), closure(slice(4, 8)))
        norms += recorder.norms
    assert norms == pytest.approx([norms[0]] * 3, rel=1e-6)


def test_an_optimizer_that_is_not_given_gradients_is_refused_by_name():
    with pytest.raises(TypeError, match="SSO is not given gradients, it computes its own"):
        GradientNormRecorder(trimtab.create("sso", network()))


def test_clipping_in_the_loop_comes_after_a_recorder_of_parameters():
    model = network()
    optimizer = sgd(model)
    seen, before = GradientNormRecorder(optimizer), GradientNormRecorder(model.parameters())
    free = []

    def clip():
        before.step()
        free.append(nn.utils.clip_grad_norm_(model.parameters(), 0.01).item())

    train(model, optimizer, 3, before_step=clip)
    assert before.norms == free
    assert min(free) > 0.01
    assert seen.norms == pytest.approx([0.01] * 3, rel=1e-3)
    with pytest.raises(RuntimeError, match="watches an optimizer"):
        seen.step()


def test_half_precision_is_summed_in_single_precision():
    param = nn.Parameter(torch.zeros(100_000, dtype=torch.float16))
    param.grad = torch.full_like(param, 3.0)
    recorder = GradientNormRecorder([param], "l1")
    recorder.step()
    assert recorder.norms == [300_000.0]  # float16 ends at 65,504


def test_sparse_gradients_count_each_row_once():
    embedding = nn.Embedding(10, 3, sparse=True)
    embedding(torch.tensor([1, 1, 4])).sum().backward()
    recorder = GradientNormRecorder(embedding.parameters())
    recorder.step()
    assert recorder.norms == pytest.approx([math.sqrt(3 * 4 + 3)])


def test_every_few_steps():
    model, other = network(), network()
    optimizers = sgd(model), sgd(other)
    each, third = GradientNormRecorder(optimizers[0]), GradientNormRecorder(optimizers[1], every=3)
    for pair in zip((model, other), optimizers, strict=True):
        train(*pair, 8)
    assert third.norms == each.norms[::3]
    assert third.steps == 8


def test_many_norms_are_all_kept_in_order():
    param = nn.Parameter(torch.zeros(1))
    recorder = GradientNormRecorder([param])
    for step in range(600):
        param.grad = torch.tensor([float(step)])
        recorder.step()
    assert recorder.norms == [float(step) for step in range(600)]


def test_the_adam_weighted_norm_is_that_of_the_v_of_the_step():
    model = network(torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-6)
    recorder = GradientNormRecorder(optimizer, "adam_weighted")
    expected = []
    for step in range(4):
        optimizer.zero_grad()
        backward(model, step)
        optimizer.step()
        total = 0.0
        for param in model.parameters():
            v = optimizer.state[param]["exp_avg_sq"] / (1 - 0.99 ** (step + 1))
            total += (param.grad**2 / (v.sqrt() + 1e-6)).sum().item()
        expected.append(math.sqrt(total))
    assert recorder.norms == pytest.approx(expected, rel=1e-10)


def test_the_first_adam_weighted_norm_is_the_root_of_the_sum_of_absolute_values():
    model = network(torch.float64)
    optimizer = torch.optim.Adam(model.parameters(), eps=0.0)
    weighted, sums = GradientNormRecorder(optimizer, "adam_weighted"), GradientNormRecorder(optimizer, "l1")
    train(model, optimizer, 1)
    assert weighted.norms[0] ** 2 == pytest.approx(sums.norms[0], rel=1e-12)


def test_it_resumes(tmp_path):
    whole = network()
    unbroken = GradientNormRecorder(sgd_whole := sgd(whole), every=2)
    train(whole, sgd_whole, 7)

    first = network()
    optimizer = sgd(first)
    recorder = GradientNormRecorder(optimizer, every=2)
    train(first, optimizer, 3)
    torch.save([first.state_dict(), optimizer.state_dict(), recorder.state_dict()], tmp_path / "state.pt")

    second = network()
    other = sgd(second)
    resumed = GradientNormRecorder(other, every=2)
    for part, state in zip((second, other, resumed), torch.load(tmp_path / "state.pt", weights_only=True), strict=True):
        part.load_state_dict(state)
    train(second, other, 4, first=3)
    assert resumed.state_dict() == unbroken.state_dict()

    for settings, message in (({"norm": "l1", "every": 2}, "norm='l2'"), ({"every": 3}, "every=2")):
        with pytest.raises(ValueError, match=message):
            GradientNormRecorder(other, **settings).load_state_dict(recorder.state_dict())


def test_it_can_be_removed_and_is_not_copied_with_its_optimizer():
    model = network()
    optimizer = sgd(model)
    recorder = GradientNormRecorder(optimizer)
    train(model, optimizer, 1)
    copied = copy.deepcopy(optimizer)
    copied.step()
    recorder.remove()
    train(model, optimizer, 1)
    assert len(recorder.norms) == 1


def test_it_is_written_to_a_file(tmp_path):
    param = nn.Parameter(torch.zeros(1))
    recorder = GradientNormRecorder([param], "l1")
    for value in (2.0, math.inf, math.nan, 0.5):
        param.grad = torch.tensor([value])
        recorder.step()
    found = json.loads(recorder.save(tmp_path / "deep" / "norms.json").read_text(), parse_constant=pytest.fail)
    assert found == {
        "schema": "trimtab.gradient-norms",
        "norm": "l1",
        "every": 1,
        "steps": 4,
        "norms": [2.0, "inf", "nan", 0.5],
    }


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"norm": "l3"}, ValueError, "norm='l3'"),
        ({"norm": 2}, TypeError, "norm=2"),
        ({"every": 0}, ValueError, "every=0"),
        ({"every": 1.5}, TypeError, "every=1.5"),
        ({"optimizer_or_params": []}, ValueError, "holds no parameters"),
        ({"optimizer_or_params": [1.0]}, TypeError, r"optimizer_or_params\[0\] is a float"),
        ({"optimizer_or_params": torch.zeros(2)}, TypeError, "optimizer_or_params="),
        ({"optimizer_or_params": 5}, TypeError, "optimizer_or_params=5"),
        ({"norm": "adam_weighted"}, TypeError, "needs torch.optim.Adam or AdamW, not SGD"),
        ({"optimizer_or_params": [torch.zeros(2)], "norm": "adam_weighted"}, TypeError, "needs the optimizer"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    optimizer = sgd(network())
    with pytest.raises(error, match=message):
        GradientNormRecorder(**{"optimizer_or_params": optimizer, **arguments})
    assert not optimizer._optimizer_step_pre_hooks


def test_parameters_that_processes_share_are_measured_whole(tmp_path):
    in_two_processes(two_processes_norms.main, tmp_path)
    found = [torch.load(tmp_path / f"found{rank}.pt", weights_only=True) for rank in range(2)]
    assert found[0] == found[1]
    assert found[0].keys() == {*two_processes_norms.NORMS, "mixed"}
    for sharded, whole in found[0].values():
        assert sharded == pytest.approx(whole, rel=1e-5)
        assert len(whole) == two_processes_norms.STEPS
