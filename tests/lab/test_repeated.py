import pytest
import torch

from tests.lab.test_session import everything, same
from tests.lab.toy import session
from trimtab.lab.repeated import repeatable_closure


def gradients(run):
    return [param.grad.clone() for param in run.model.parameters()]


def test_it_is_the_same_function_each_time_and_leaves_the_run_as_a_closure_would():
    run, twin = session(3), session(3)
    run.next_batch()
    twin.next_batch()
    closure = repeatable_closure(run)
    loss = closure()
    first = gradients(run)
    assert closure() == loss  # with dropout, batch statistics and all
    assert same(first, gradients(run))
    assert run.meter.used == 20
    assert twin.closure()() == loss
    assert same(first, gradients(twin))
    assert same(everything(run), everything(twin))
    assert [run.step() for _ in range(3)] == [twin.step() for _ in range(3)]


def test_a_large_batch_passes_in_pieces_of_the_tasks_size_which_draw_each_their_own():
    run = session(3)
    run.next_batch(24)
    seen = []
    run.model[3].register_forward_hook(lambda layer, inputs, outputs: seen.append((outputs != 0).clone()))
    closure = repeatable_closure(run)
    loss = closure()
    first = gradients(run)
    assert [len(each) for each in seen] == [10, 10, 4]
    assert not torch.equal(seen[0], seen[1])
    assert closure() == loss
    assert same(seen[:3], seen[3:])
    assert same(first, gradients(run))
    assert run.meter.used == 48


def test_pieces_make_the_gradient_of_the_whole():
    run = session(3)
    run.model.eval()  # no dropout, and no statistics of a piece
    run.next_batch(24)
    assert repeatable_closure(run)().item() == pytest.approx(run.closure()().item(), rel=1e-5)
    whole = gradients(run)
    repeatable_closure(run)()
    for one, other in zip(gradients(run), whole, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)


def test_it_needs_a_batch():
    with pytest.raises(RuntimeError, match="next_batch"):
        repeatable_closure(session())
