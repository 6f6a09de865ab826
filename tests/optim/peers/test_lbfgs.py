import torch

from tests.optim.peers.runs import Regression, charges, require_resumption, run_of


def counted(run):
    """Counts evaluations of the closure, each of which is a forward pass of the model."""
    seen = []
    run.model.register_forward_hook(lambda model, inputs, outputs: seen.append(len(outputs)))
    return seen


def test_every_evaluation_is_charged_on_all_training_data():
    run = run_of("lbfgs", Regression(), budget=64 * 30)
    seen = counted(run)
    before = run.step()
    assert run.samples == 64
    assert run.batch_size == 0
    assert run.meter.used == sum(seen)
    assert 2 * 64 <= run.meter.used <= 9 * 64  # one gradient, and searches within max_eval and one
    rows = run.batch[0]
    assert run.step() < before
    assert run.batch[0] is rows
    assert run.meter.used == sum(seen)


def test_a_step_is_torchs_own():
    run = run_of("lbfgs", Regression(), budget=64 * 100)
    run.step()
    twin = run_of("lbfgs", Regression(), budget=64 * 100)
    twin.next_batch()
    twin.next_batch(64)
    theirs = torch.optim.LBFGS(twin.model.parameters(), **run.optimizer.defaults)

    def closure():
        theirs.zero_grad()
        loss = twin.losses(twin.outputs()()).mean()
        loss.backward()
        return loss

    theirs.step(closure)
    for one, other in zip(run.model.parameters(), twin.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    assert run.optimizer.param_groups[0]["max_eval"] == theirs.param_groups[0]["max_eval"] == 8


def test_a_batch_leaves_ten_gradients_and_a_run_ends_with_the_one_that_ends_the_budget():
    run = run_of("lbfgs", Regression(), budget=300)
    while not run.meter.exhausted:
        run.step()
    assert run.samples == 30
    assert run.meter.used == 300
    small = run_of("lbfgs", Regression(), budget=25)
    assert charges(small, 1) == [20]  # the task's ten samples, and two evaluations of them
    before = [param.detach().clone() for param in small.model.parameters()]
    assert charges(small, 1) == [10]
    assert all(map(torch.equal, small.model.parameters(), before))
    assert small.optimizer.param_groups[0]["max_iter"] == 4


def test_runs_resume():
    require_resumption("lbfgs")
