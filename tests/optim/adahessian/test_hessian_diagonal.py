import gc
import itertools
import math
import weakref

import pytest
import torch
from torch import nn

from tests.lab.toy import session
from tests.optim.hessian import (
    CURVATURES,
    START,
    assert_close,
    assert_same,
    batches,
    bowl,
    conv_net,
    parameter,
    path,
    step,
    tanh_net,
    train,
)
from trimtab.optim import AdaHessian
from trimtab.primitives.curvature import block_mean
from trimtab.primitives.hutchinson import Member, signs_for

pytestmark = [
    pytest.mark.usefixtures("each_mode"),
    pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning"),
]


def diagonal_of(optimizer, param):
    """Returns the diagonal that the first step has seen."""
    state, beta = optimizer.state[param], optimizer.param_groups[0]["betas"][1]
    return (state["exp_hessian_diag_sq"] / (1 - beta)).sqrt()


def test_kernels_share_one_diagonal_and_other_parameters_do_not():
    net = conv_net()
    optimizer, plain = AdaHessian(net.parameters()), conv_net()
    alone = AdaHessian(plain.parameters(), block="none")
    train(net, optimizer, batches(1, (1, 4, 4)))
    train(plain, alone, batches(1, (1, 4, 4)))
    for param, twin in zip(net.parameters(), plain.parameters(), strict=True):
        found, whole = diagonal_of(optimizer, param), diagonal_of(alone, twin)
        assert len(whole.unique()) > 1
        torch.testing.assert_close(found, block_mean(whole, "conv"), rtol=1e-12, atol=1e-14)
        assert len(found.unique()) == (3 if param.ndim == 4 else whole.numel())


def test_signed_estimates_are_averaged_before_the_magnitude():
    """Over all four signs, twice each, the mean is the diagonal itself; of magnitudes it would be (2, 2.5)."""
    matrix = torch.tensor([[1.0, 2.0], [2.0, 0.5]], dtype=torch.float64)
    x = parameter([1.0, 1.0])
    optimizer = AdaHessian([x], samples=400)
    step(optimizer, lambda: 0.5 * x @ matrix @ x)
    signs = torch.stack([signs_for([Member(x, 1, (0, 0, 0, 0))], sample)[0] for sample in range(400)])
    expected = (signs * (signs @ matrix)).mean(0).abs()
    torch.testing.assert_close(diagonal_of(optimizer, x), expected, rtol=1e-12, atol=0)
    assert (expected - matrix.diagonal()).abs().max() <= 4 * 2 / math.sqrt(400)


def test_signs_differ_by_seed_group_parameter_step_and_sample():
    like, base = torch.zeros(64), (0, 0, 0, 0, 0)
    keys = [base, *(tuple(int(place == changed) for place in range(5)) for changed in range(5))]
    drawn = [signs_for([Member(like, 1, key[:4])], key[4])[0] for key in keys]
    for one, other in itertools.combinations(drawn, 2):
        assert abs((one * other).sum()) < 4 * 8


def test_another_seed_takes_another_path():
    paths = []
    for seed in (0, 0, 1):
        net = tanh_net()
        train(net, AdaHessian(net.parameters(), seed=seed), batches(3))
        paths.append(net)
    assert_same(paths[0], paths[1])
    assert not torch.equal(paths[0][0].weight, paths[2][0].weight)


@pytest.mark.parametrize("accumulated", ["after each", "all but the last", "by the graphs"])
@pytest.mark.parametrize("samples", [1, 3])
def test_micro_batches_make_the_step_of_the_whole_batch(samples, accumulated):
    whole, parts = tanh_net(), tanh_net()
    optimizer = AdaHessian(whole.parameters(), samples=samples)
    accumulating = AdaHessian(parts.parameters(), samples=samples)
    for batch in batches(3, rows=8):
        step(optimizer, lambda inputs=batch: whole(inputs).square().mean())
        accumulating.zero_grad()
        for index, rows in enumerate(batch.split(2)):
            (parts(rows).square().mean() / 4).backward(create_graph=accumulating.needs_graph)
            if accumulated != "by the graphs" and (index < 3 or accumulated == "after each"):
                accumulating.accumulate_curvature()
                assert not any(param.grad.requires_grad for param in parts.parameters())
        accumulating.step()
    assert_close(whole, parts, 1e-13)


def test_zero_grad_forgets_curvature():
    net, other = tanh_net(), tanh_net()
    optimizer, plain = AdaHessian(net.parameters()), AdaHessian(other.parameters())
    net(batches(1)[0]).sum().square().backward(create_graph=True)
    optimizer.accumulate_curvature()
    train(net, optimizer, batches(2))
    train(other, plain, batches(2))
    assert_same(net, other)


def test_a_step_forgets_curvature_whoever_resets_the_gradients():
    net, other = tanh_net(), tanh_net()
    optimizer, plain = AdaHessian(net.parameters()), AdaHessian(other.parameters())
    for batch in batches(3):
        net.zero_grad()
        net(batch).square().mean().backward(create_graph=True)
        optimizer.step()
    train(other, plain, batches(3))
    assert_same(net, other)


def test_a_step_frees_the_graph():
    gc.disable()
    try:
        net = tanh_net()
        optimizer = AdaHessian(net.parameters(), every=2)
        for _ in range(2):
            hidden = net[1](net[0](batches(1)[0]))
            alive = weakref.ref(hidden)
            net[2](hidden).square().mean().backward(create_graph=True)  # also where no graph is needed
            del hidden
            assert alive() is not None
            optimizer.step()
            assert alive() is None
            assert not any(param.grad.requires_grad for param in net.parameters())
    finally:
        gc.enable()


def test_parameters_without_a_path_rest_and_linear_ones_have_no_curvature():
    x, unused, linear = parameter(START), parameter([7.0]), parameter([1.0])
    optimizer = AdaHessian([unused, x, linear], weight_decay=0.1)
    for _ in range(2):
        step(optimizer, lambda: bowl(x) + 1e-6 * linear.sum())
    assert unused.tolist() == [7.0]
    assert unused not in optimizer.state
    torch.testing.assert_close(x.detach(), path(2, weight_decay=0.1)[1], rtol=1e-15, atol=0)
    assert optimizer.state[linear]["exp_hessian_diag_sq"].item() == 0
    assert linear.item() != 1


def test_frozen_parameters_need_no_graph():
    net = tanh_net()
    optimizer = AdaHessian(net.parameters(), every=2)
    net[0].requires_grad_(False)
    train(net, optimizer, batches(1))
    assert not optimizer.needs_graph


def test_every_k_uses_the_last_diagonal_in_between():
    x = parameter(START)
    optimizer = AdaHessian([x], every=3)
    diagonals, asked = [], []
    for k in range(7):
        asked.append(optimizer.needs_graph)
        step(optimizer, lambda scale=k: (1 + scale) * bowl(x))
        diagonals.append(optimizer.state[x]["hessian_diag"].tolist())
    assert asked == [True, False, False, True, False, False, True]
    assert diagonals == [[4.0, 0.5]] * 3 + [[16.0, 2.0]] * 3 + [[28.0, 3.5]]
    expected = torch.zeros(2, dtype=torch.float64)
    for diagonal in diagonals:
        expected = 0.999 * expected + 0.001 * torch.tensor(diagonal, dtype=torch.float64) ** 2
    torch.testing.assert_close(optimizer.state[x]["exp_hessian_diag_sq"], expected, rtol=1e-12, atol=0)


def test_a_late_parameter_gets_its_diagonal_when_it_begins():
    early, late = parameter(START), parameter(START)
    optimizer = AdaHessian([early, late], every=3)
    step(optimizer, lambda: bowl(early))
    for _ in range(4):
        assert optimizer.needs_graph or late in optimizer.state
        step(optimizer, lambda: bowl(early) + bowl(late))
    torch.testing.assert_close(late.detach(), path(4)[-1], rtol=1e-15, atol=0)
    torch.testing.assert_close(early.detach(), path(5)[-1], rtol=1e-15, atol=0)


def test_a_larger_period_that_is_set_later_begins_with_a_diagonal():
    x = parameter(START)
    optimizer = AdaHessian([x])
    step(optimizer, lambda: bowl(x))
    optimizer.param_groups[0]["every"] = 5
    assert optimizer.needs_graph
    for _ in range(3):
        step(optimizer, lambda: bowl(x))
    torch.testing.assert_close(x.detach(), path(4)[-1], rtol=1e-15, atol=0)


def test_a_known_diagonal_takes_the_place_of_the_estimate():
    x, twin = parameter(START), parameter(START)
    other = parameter([1.0])
    optimizer = AdaHessian([{"params": [other]}, {"params": [x]}])
    for expected in path(2):
        optimizer.zero_grad()
        bowl(x).backward()
        optimizer.step(hessian_diag=[torch.ones(1), -CURVATURES])
        torch.testing.assert_close(x.detach(), expected, rtol=1e-15, atol=0)
    bowl(twin).backward()
    with pytest.raises(ValueError, match="hessian_diag has 1 tensors for 2 parameters"):
        optimizer.step(hessian_diag=[CURVATURES])
    with pytest.raises(ValueError, match=r"hessian_diag\[1\] has shape \(3,\), and its parameter has \(2,\)"):
        optimizer.step(hessian_diag=[torch.ones(1), torch.ones(3)])


def test_a_graph_that_was_not_kept_is_asked_for_and_nothing_moves():
    net = tanh_net()
    optimizer = AdaHessian(net.parameters())
    before = [param.detach().clone() for param in net.parameters()]
    net(batches(1)[0]).square().mean().backward()
    message = r"none of them has kept its graph: call loss.backward\(create_graph=optimizer.needs_graph\) before"
    for act in (optimizer.step, optimizer.accumulate_curvature):
        with pytest.raises(RuntimeError, match=message):
            act()
    assert all(map(torch.equal, net.parameters(), before))
    assert not optimizer.state


def test_the_state_can_be_made_without_a_graph_by_a_step_that_moves_nothing():
    """As distributed checkpointing does before it loads a state."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

    net, other = tanh_net(), tanh_net()
    optimizer = AdaHessian(net.parameters(), every=2, weight_decay=0.1)
    state = get_optimizer_state_dict(net, optimizer)["state"]
    assert {*state["0.weight"]} == {"step", "exp_avg", "exp_hessian_diag_sq", "hessian_diag"}
    assert_same(net, other)
    net(batches(1)[0]).square().mean().backward()
    optimizer = AdaHessian(net.parameters(), lr=0.0)
    with pytest.raises(RuntimeError, match="kept its graph"):
        optimizer.step()


def test_a_model_without_second_derivatives_is_refused_with_advice():
    query = nn.Parameter(torch.randn(1, 1, 4, 8))
    optimizer = AdaHessian([query])
    nn.functional.scaled_dot_product_attention(query, query, query).square().sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match=r"sdpa_kernel\(SDPBackend.MATH\)"):
        optimizer.step()
    assert not optimizer.state


def test_sparse_gradients_are_refused_by_name():
    table = nn.Embedding(5, 2, sparse=True)
    optimizer = AdaHessian(table.named_parameters())
    table(torch.tensor([1, 3])).square().sum().backward(create_graph=True)
    for act in (optimizer.step, optimizer.accumulate_curvature):
        with pytest.raises(RuntimeError, match="parameter 'weight' is sparse"):
            act()


def test_a_diagonal_that_is_not_finite_is_refused_by_name():
    x = parameter([0.0, 1.0])
    optimizer = AdaHessian([("x", x)], check_finite=True)
    (x.abs() ** 1.5).sum().backward(create_graph=True)
    assert x.grad.isfinite().all()
    with pytest.raises(
        RuntimeError, match="the Hessian's diagonal of parameter 'x' is not finite; nothing was written"
    ):
        optimizer.step()
    assert x.tolist() == [0.0, 1.0]
    assert not optimizer.state


def test_divided_parameters_are_refused_at_construction(monkeypatch):
    """The test of sharding has real ones; here one parameter says that it is divided."""
    x = parameter(START)
    monkeypatch.setattr(
        "trimtab.optim.adahessian.hessian_diagonal.shards_of", lambda param: object() if param is x else None
    )
    with pytest.raises(TypeError, match=r"parameter 'second' is divided over some \(FSDP2\): use it without"):
        AdaHessian([("first", parameter(START)), ("second", x)])


def test_a_group_that_is_refused_is_not_added():
    optimizer = AdaHessian([parameter(START)])
    with pytest.raises(ValueError, match="block=4"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2, 3))], "block": 4})
    assert len(optimizer.param_groups) == 1


def test_groups_have_their_own_samples_and_blocks():
    rows, plain = nn.Parameter(torch.ones(2, 3).double()), parameter(START)
    optimizer = AdaHessian([{"params": [rows], "block": "row", "samples": 3}, {"params": [plain]}])
    weights = torch.arange(1.0, 7.0, dtype=torch.float64).view(2, 3)
    step(optimizer, lambda: bowl(plain) + 0.5 * (weights * rows**2).sum())
    torch.testing.assert_close(diagonal_of(optimizer, rows), block_mean(weights, "row"), rtol=1e-12, atol=0)
    torch.testing.assert_close(diagonal_of(optimizer, plain), CURVATURES, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("settings", "passes"), [({}, [2] * 4), ({"samples": 2, "every": 2}, [3, 1, 3, 1])])
def test_a_session_hands_out_the_graph_and_charges_the_second_pass(settings, passes):
    run = session(optimizer=lambda model: AdaHessian(model.parameters(), lr=0.05, **settings))
    used = [0]
    for _ in passes:
        run.step()
        used.append(run.meter.used)
    assert [after - before for before, after in itertools.pairwise(used)] == [10 * each for each in passes]


def test_a_run_in_a_session_goes_on_from_a_snapshot_bit_for_bit():
    def make(model):
        return AdaHessian(model.parameters(), lr=0.05, every=2)

    run = session(3, optimizer=make)
    for _ in range(3):
        run.step()
    snapshot = run.snapshot()
    expected = [run.step() for _ in range(4)]
    other = session(3, optimizer=make)
    other.restore(snapshot)
    assert [other.step() for _ in range(4)] == expected


def test_curvature_that_torch_would_take_for_zero_is_refused():
    class OnceDifferentiable(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values):
            return values.clone()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, grad):
            return grad

    param = torch.nn.Parameter(torch.ones(2))
    optimizer = AdaHessian([param], lr=0.1)
    (OnceDifferentiable.apply(2 * param) ** 3).sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match="marked once_differentiable"):
        optimizer.step()
    assert torch.equal(param, torch.ones(2))
    assert not optimizer.state
