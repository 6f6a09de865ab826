import pytest
import pytorch_optimizer
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from tests.optim.peers.runs import charges, require_resumption, run_of
from trimtab.optim.peers.sam import SAM


def test_two_gradients_are_charged_and_the_batch_is_seen_twice_as_the_same_function():
    run = run_of("sam")
    inputs, masks = [], []
    run.model.register_forward_pre_hook(lambda model, given: inputs.append(given[0]))
    run.model[3].register_forward_hook(lambda layer, given, outputs: masks.append(outputs == 0))
    assert charges(run, 2) == [20, 20]
    assert torch.equal(inputs[0], inputs[1])
    assert not torch.equal(inputs[0], inputs[2])
    assert int(run.model[1].num_batches_tracked) == 2
    dropped = [mask & ~other for mask, other in zip(masks[::2], masks[1::2], strict=True)]
    assert all(each.float().mean() < 0.1 for each in dropped)  # the same were dropped; dead ones may differ


def test_a_step_is_sgds_with_the_gradient_from_where_the_loss_is_larger():
    start = torch.tensor([3.0, 4.0], dtype=torch.float64)
    scales = torch.tensor([1.0, 10.0], dtype=torch.float64)
    param = torch.nn.Parameter(start.clone())
    optimizer = SAM([param], lr=0.1, momentum=0.0, nesterov=False, rho=0.5)

    def closure():
        optimizer.zero_grad()
        loss = 0.5 * (scales * param.square()).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0.5 * (9 + 160)
    ascent = scales * start
    expected = start - 0.1 * scales * (start + 0.5 * ascent / ascent.norm())
    assert torch.allclose(param, expected, rtol=1e-6)  # its package takes norms in float32


def test_a_run_of_steps_is_the_packages():
    params = [torch.nn.Parameter(torch.tensor([3.0, 4.0])) for _ in range(2)]
    ours = SAM(params[:1], lr=1e-3)
    theirs = pytorch_optimizer.SAM(params[1:], torch.optim.SGD, lr=1e-3, momentum=0.9, nesterov=True)
    for _ in range(4):
        for param, optimizer in zip(params, (ours, theirs), strict=True):

            def closure(param=param, optimizer=optimizer):
                optimizer.zero_grad()
                param.pow(4).sum().backward()
                return torch.zeros(())

            if optimizer is theirs:
                closure()
            optimizer.step(closure)
    assert torch.equal(*params)


def test_hooks_around_a_step_are_called_once_and_without_a_closure_it_says_what_to_do():
    pytorch_optimizer.SAM([torch.nn.Parameter(torch.ones(1))], torch.optim.SGD, lr=0.1)  # torch hooks the class above
    param = torch.nn.Parameter(torch.ones(1))
    optimizer, calls = SAM([param], lr=0.1), []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))

    def closure():
        param.grad = torch.ones(1)
        return torch.zeros(())

    everywhere = [
        register_optimizer_step_pre_hook(lambda it, *_: calls.append(type(it))),
        register_optimizer_step_post_hook(lambda it, *_: calls.append(type(it))),
    ]
    optimizer.base_optimizer.register_step_post_hook(lambda *_: calls.append(2))
    optimizer.step(closure)
    for each in everywhere:
        each.remove()
    assert calls == [SAM, 2, 1, SAM]
    with pytest.raises(TypeError, match="give step"):
        optimizer.step()


def test_runs_resume():
    require_resumption("sam")
