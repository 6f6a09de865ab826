"""AdaHessian under a gradient scaler, which scales a Hessian once where it scales a squared gradient twice."""

import math

import pytest
import torch
from torch import nn

from tests.optim.hessian import assert_same, batches, bowl, parameter, tanh_net
from trimtab.optim import AdaHessian

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")

SCALE = 2.0**16
OVERFLOWING = 3


def scaler_of(scale=SCALE):
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    scaler.scale(torch.ones(()))
    return scaler


def trained(scaler=None, *, steps=30, parts=1, accumulated=False, told=False, clipped=False, **settings):
    """Returns a network and its optimizer after some steps, of which a scaler has to leave out one more."""
    net = tanh_net(torch.float32)
    optimizer = AdaHessian(net.parameters(), **settings)
    for index, batch in enumerate(batches(steps + 1, dtype=torch.float32)):
        if scaler is None and index == OVERFLOWING:
            continue
        optimizer.zero_grad()
        for part in batch.chunk(parts):
            loss = net(part).square().mean() / parts * (math.inf if index == OVERFLOWING else 1.0)
            (loss if scaler is None else scaler.scale(loss)).backward(create_graph=optimizer.needs_graph)
            if accumulated:
                optimizer.accumulate_curvature(scaler.get_scale() if scaler and told else None)
        if scaler and clipped:
            scaler.unscale_(optimizer)
        if clipped:
            nn.utils.clip_grad_norm_(net.parameters(), 0.01)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()
    return net, optimizer


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"every": 3},
        {"samples": 2, "block": "row"},
        {"parts": 2},
        {"parts": 2, "accumulated": True},
        {"parts": 2, "accumulated": True, "told": True},
        {"accumulated": True, "told": True, "clipped": True},
        {"parts": 2, "accumulated": True, "told": True, "clipped": True, "every": 2},
    ],
    ids=str,
)
def test_a_run_is_the_same_to_the_last_bit_and_the_step_that_is_left_out_leaves_nothing(settings):
    scaler = scaler_of()
    (net, optimizer), (plain, other) = trained(scaler, **settings), trained(**settings)
    assert scaler.get_scale() == SCALE / 2
    assert_same(net, plain)
    for param, twin in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.equal(param.grad, twin.grad)
        assert optimizer.state[param]["step"] == 30
        assert all(
            torch.equal(value, other.state[twin][name])
            for name, value in optimizer.state[param].items()
            if isinstance(value, torch.Tensor)
        )


def test_a_step_by_hand():
    # as without a scaler: with eps = 0 the first step is lr times the gradient over the curvature, which is x itself
    x = parameter((1.0, -2.0))
    optimizer, scaler = AdaHessian([x], lr=0.25, eps=0.0), scaler_of()
    scaler.scale(bowl(x)).backward(create_graph=True)
    scaler.step(optimizer)
    assert x.tolist() == [0.75, -1.5]
    assert x.grad.tolist() == [4.0, -1.0]
    assert optimizer.state[x]["exp_hessian_diag_sq"].tolist() == pytest.approx([0.001 * 16, 0.001 * 0.25])


def test_a_diagonal_that_is_given_is_not_scaled():
    x = parameter((1.0, -2.0))
    optimizer, scaler = AdaHessian([x], lr=0.25, eps=0.0), scaler_of()
    scaler.scale(bowl(x)).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer, hessian_diag=[torch.tensor([4.0, 0.5])])
    assert x.tolist() == [0.75, -1.5]


def test_unscaled_gradients_whose_scale_nobody_told_are_refused_with_a_remedy_that_works():
    x = parameter((1.0, -2.0))
    optimizer, scaler = AdaHessian([x], lr=0.25, eps=0.0), scaler_of()
    scaler.scale(bowl(x)).backward(create_graph=True)
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"call optimizer\.accumulate_curvature\(scaler\.get_scale\(\)\) after each"):
        scaler.step(optimizer)
    assert x.tolist() == [1.0, -2.0]
    assert not optimizer.state
    scaler.update()
    optimizer.zero_grad()
    scaler.scale(bowl(x)).backward(create_graph=True)
    optimizer.accumulate_curvature(scaler.get_scale())
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert x.tolist() == [0.75, -1.5]


def test_a_step_that_fails_does_not_count_the_scale_twice_afterwards():
    x = parameter((1.0, -2.0))
    optimizer, scaler = AdaHessian([x], lr=0.25, eps=0.0), scaler_of()
    scaler.scale(bowl(x)).backward()
    with pytest.raises(RuntimeError, match="gradients are differentiated once more"):
        scaler.step(optimizer)
    optimizer.zero_grad()
    scaler.scale(bowl(x)).backward(create_graph=True)
    scaler.step(optimizer)
    assert x.tolist() == [0.75, -1.5]


def test_an_overflow_frees_the_graph_and_forgets_the_curvature():
    x = parameter((1.0, -2.0))
    optimizer, scaler = AdaHessian([x], lr=0.25, eps=0.0), scaler_of()
    scaler.scale(bowl(x) * math.inf).backward(create_graph=True)
    optimizer.accumulate_curvature(scaler.get_scale())
    assert scaler.step(optimizer) is None
    scaler.update()
    assert x.grad.grad_fn is None
    x.grad = None  # by hand: the optimizer does not hear of it
    scaler.scale(bowl(x)).backward(create_graph=True)
    scaler.step(optimizer)
    assert x.tolist() == [0.75, -1.5]


def test_curvature_that_overflows_alone_is_refused():
    x = parameter([0.0, 1.0])
    optimizer, scaler = AdaHessian([("x", x)]), scaler_of()
    scaler.scale((x.abs() ** 1.5).sum()).backward(create_graph=True)
    with pytest.raises(
        RuntimeError, match=r"diagonal of parameter 'x' is not finite under a loss scale of 65536: lower"
    ):
        scaler.step(optimizer)
    assert x.tolist() == [0.0, 1.0]
    assert not optimizer.state


def test_what_cannot_be_is_named():
    x = parameter((1.0, -2.0))
    optimizer, scaler = AdaHessian([x]), scaler_of()
    with pytest.raises(
        RuntimeError, match=r"before the closure has computed them: .* scaler\.step\(optimizer\) without"
    ):
        scaler.step(optimizer, lambda: bowl(x))
    for scale, error, message in ((0.0, ValueError, "loss_scale=0.0"), ("high", TypeError, "loss_scale='high'")):
        with pytest.raises(error, match=message):
            optimizer.accumulate_curvature(scale)
    bowl(x).backward(create_graph=True)
    optimizer.accumulate_curvature(2.0)
    with pytest.raises(ValueError, match=r"loss_scale=4.0, and 2.0 before"):
        optimizer.accumulate_curvature(4.0)
    optimizer.zero_grad()
    optimizer.accumulate_curvature(4.0)  # of another step
