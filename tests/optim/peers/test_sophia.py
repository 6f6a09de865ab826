import pytest
import torch

from tests.optim.peers.runs import charges, require_resumption, run_of
from trimtab.optim.peers.sophia import SophiaH

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")


def test_every_tenth_step_is_charged_a_product_with_the_hessian():
    assert charges(run_of("sophia"), 12) == [20, *[10] * 9, 20, 10]
    assert charges(run_of("sophia(num_samples=3, update_period=2)"), 4) == [40, 10, 40, 10]


def test_a_quadratics_curvature_is_found_and_steps_are_newtons_up_to_a_bound():
    param = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    scales = torch.tensor([4.0, 9.0], dtype=torch.float64)
    optimizer = SophiaH([param], lr=0.1, betas=(0.0, 0.0), p=1.5, hessian_distribution="rademacher")
    (0.5 * scales * param.square()).sum().backward(create_graph=optimizer.needs_graph)
    optimizer.step()
    assert torch.allclose(optimizer.state[param]["hessian"], scales)
    assert torch.allclose(param, torch.tensor([1.0 - 0.1, 2.0 - 0.15], dtype=torch.float64))
    assert not optimizer.needs_graph


def test_the_first_group_may_be_empty():
    param = torch.nn.Parameter(torch.ones(3))
    optimizer = SophiaH([{"params": []}, {"params": [param]}], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        param.square().sum().backward(create_graph=optimizer.needs_graph)
        optimizer.step()
    assert (param < 1).all()


def test_a_plain_backward_pass_is_told_what_is_missing():
    param = torch.nn.Parameter(torch.ones(3))
    optimizer = SophiaH([param], lr=0.1)
    param.square().sum().backward()
    with pytest.raises(RuntimeError, match=r"call loss.backward\(create_graph=optimizer.needs_graph\)"):
        optimizer.step()
    assert torch.equal(param.detach(), torch.ones(3))
    optimizer.step(hessian=[torch.full((3,), 2.0)])  # no graph is needed for what is known
    assert (param < 1).all()
    param.grad = param.detach().clone()
    optimizer.step()  # nor for steps that keep the curvature


def test_a_scaler_is_refused_and_runs_resume():
    param = torch.nn.Parameter(torch.ones(2))
    optimizer, scaler = SophiaH([param]), torch.amp.GradScaler("cpu")
    scaler.scale(param.square().sum()).backward(create_graph=True)
    with pytest.raises(RuntimeError, match=r"SophiaH .* scaler"):
        scaler.step(optimizer)
    assert torch.equal(param.detach(), torch.ones(2))
    require_resumption("sophia")
