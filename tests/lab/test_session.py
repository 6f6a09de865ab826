import copy
import io
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy, session, sgd
from tests.new_process import in_a_new_process
from trimtab.study.errors import DivergedError, InputError


def parameters(run):
    return torch.cat([p.detach().reshape(-1) for p in run.model.parameters()])


def everything(run):
    return parameters(run), torch.cat([b.double().reshape(-1) for b in run.model.buffers()])


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_run_is_a_function_of_its_seed():
    first, second, other = session(3), session(3), session(4)
    losses = [[run.step() for _ in range(9)] for run in (first, second, other)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert same(everything(first), everything(second))


def test_two_runs_in_one_process_do_not_disturb_each_other_nor_the_global_generator():
    alone = session(1)
    expected = [alone.step() for _ in range(6)]
    torch.manual_seed(99)
    before = torch.get_rng_state()
    first, second = session(1), session(2)
    losses = []
    for _ in range(6):
        losses.append(first.step())
        second.step()
        second.evaluate()
    assert losses == expected
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "LBFGS"])
@pytest.mark.parametrize("steps_before", [0, 1, 8])  # eight steps are more than an epoch: the order is drawn anew
def test_a_restored_run_equals_one_that_never_left(optimizer, steps_before):
    def make(model):
        return getattr(torch.optim, optimizer)(model.parameters(), lr=0.05)

    run = session(5, optimizer=make)
    for _ in range(steps_before):
        run.step()
    snapshot = run.snapshot()
    first = [run.step() for _ in range(9)]
    end = everything(run)
    run.restore(snapshot)
    assert run.steps == steps_before
    assert [run.step() for _ in range(9)] == first
    assert same(everything(run), end)


def test_a_snapshot_is_a_copy_and_survives_being_restored_twice():
    run = session(5)
    run.step()
    snapshot = run.snapshot()
    kept = copy.deepcopy(snapshot)
    first = [run.step() for _ in range(3)]
    run.restore(snapshot)
    assert [run.step() for _ in range(3)] == first
    run.restore(snapshot)
    assert [run.step() for _ in range(3)] == first
    assert torch.equal(snapshot["permutation"], kept["permutation"])
    assert all(torch.equal(snapshot["model"][name], kept["model"][name]) for name in kept["model"])


def test_exploration_stays_charged_unless_it_is_refunded():
    run = session()
    run.step()
    snapshot = run.snapshot()
    run.step()
    run.restore(snapshot)
    assert run.meter.used == 20
    run.restore(snapshot, refund=True)
    assert run.meter.used == 10


ROOT = Path(__file__).parents[2]


def go_on_from(file):
    run = session(7)
    run.restore(torch.load(file, weights_only=True), refund=True)
    return [run.step() for _ in range(5)], run.meter.used


def test_a_run_resumes_bit_for_bit_in_a_new_process(tmp_path):
    run = session(7)
    for _ in range(5):
        run.step()
    file = tmp_path / "snapshot.pt"
    torch.save(run.snapshot(), file)
    expected = [run.step() for _ in range(5)], run.meter.used
    assert in_a_new_process(go_on_from, file) == expected


def test_the_snapshot_loads_from_a_file_without_pickled_code():
    run = session()
    run.step()
    buffer = io.BytesIO()
    torch.save(run.snapshot(), buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True)["steps"] == 1


def test_the_closure_computes_the_mean_loss_and_its_gradient_and_charges_for_it():
    run = session()
    inputs, targets = run.next_batch()
    run.model.eval()  # no dropout, so that the gradient can be computed a second time
    loss = run.closure()()
    expected = nn.functional.cross_entropy(run.model(inputs), targets)
    gradients = torch.autograd.grad(expected, list(run.model.parameters()))
    assert loss.item() == expected.item()
    assert all(torch.equal(p.grad, g) for p, g in zip(run.model.parameters(), gradients, strict=True))
    assert run.meter.used == 10


def test_two_halves_average_to_the_whole_gradient():
    run = session()
    run.next_batch()
    run.model.eval()
    gradients = []
    for rows in (slice(None), slice(0, 5), slice(5, 10)):
        run.closure(rows=rows)()
        gradients.append(torch.cat([p.grad.reshape(-1) for p in run.model.parameters()]))
    torch.testing.assert_close(gradients[0], (gradients[1] + gradients[2]) / 2)


def test_create_graph_lets_gradients_be_differentiated_again():
    run = session()
    run.next_batch()
    run.closure(create_graph=True)()
    weight = run.model[0].weight
    (second,) = torch.autograd.grad(weight.grad.pow(2).sum(), weight)
    assert second.abs().sum() > 0


def test_an_optimizer_that_evaluates_more_pays_more():
    run = session(optimizer=lambda model: torch.optim.LBFGS(model.parameters(), max_iter=4))
    run.step()
    assert run.meter.used > 10
    assert run.meter.used % 10 == 0


class Frozen(Toy):
    """Its statistics stay as they are."""

    def model(self, generator):
        model = super().model(generator)
        model[1].eval()
        return model


class OwnEvaluation(Frozen):
    """As scripts have it."""

    def evaluate(self, model, split="validation"):
        model.eval()
        found = super().evaluate(model, split)
        model.train()
        return found


@pytest.mark.parametrize("task", [Frozen(), OwnEvaluation()])
def test_what_a_model_keeps_in_evaluation_mode_does_not_train_after_an_evaluation(task):
    run, other = session(task=task), session(task=task)
    run.evaluate()
    assert [run.step() for _ in range(5)] == [other.step() for _ in range(5)]
    assert [part.training for part in run.model] == [True, False, True, True, True]
    assert run.model[1].num_batches_tracked == 0


def test_evaluation_has_no_effect_on_the_run():
    first, second = session(), session()
    for _ in range(4):
        first.step()
        first.evaluate()
        second.step()
    assert same(everything(first), everything(second))
    assert first.meter.used == second.meter.used == 40
    assert first.model.training


def test_a_loss_that_is_not_finite_is_divergence():
    run = session(optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1e30))

    def run_on():
        for _ in range(20):
            run.step()

    with pytest.raises(DivergedError, match=r"at step \d+"):
        run_on()


class ReturnsNothing(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)


def test_a_step_that_returns_nothing_is_named():
    run = session(optimizer=lambda model: ReturnsNothing(model.parameters(), lr=0.1))
    with pytest.raises(TypeError, match=r"ReturnsNothing.step\(closure\) returned nothing: it has to return what"):
        run.step()


def test_bytes_of_state_are_counted():
    run = session(optimizer=lambda model: torch.optim.AdamW(model.parameters()))
    assert run.optimizer_state_bytes() == 0
    run.step()
    tensors = len(list(run.model.parameters()))
    assert run.optimizer_state_bytes() == 2 * 4 * parameters(run).numel() + 4 * tensors  # and a step count each


@pytest.mark.parametrize(
    ("arguments", "message"), [({"seed": -1}, "seed=-1"), ({"budget": 0}, "budget=0"), ({"budget": -5}, "budget=-5")]
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        session(**arguments)


def test_the_default_budget_is_the_tasks():
    assert session().meter.budget == Toy.steps * Toy.batch_size
    assert session(optimizer=sgd, budget=7).meter.budget == 7


def test_outputs_are_the_same_function_however_often_and_leave_the_run_as_a_closure_would():
    run, twin = session(3), session(3)
    run.next_batch()
    twin.next_batch()
    outputs = run.outputs()
    first = outputs()
    with torch.no_grad():
        again = outputs()
    assert torch.equal(first, again)  # with dropout, batch statistics and all
    assert run.meter.used == 10 + 4
    loss = run.losses(first).mean()
    assert loss.item() == twin.closure()().item()
    assert same(everything(run), everything(twin))
    assert [run.step() for _ in range(3)] == [twin.step() for _ in range(3)]


def test_outputs_draw_anew_for_the_next_step():
    run = session(3)
    run.next_batch()
    before = run.outputs()()
    assert not torch.equal(before, run.outputs()())
    with pytest.raises(RuntimeError, match="next_batch"):
        session().outputs()


def test_steps_that_are_taken_back_stay_paid():
    run = session()
    before = run.snapshot()
    for _ in range(3):
        run.step()
    seconds = run.seconds
    run.restore(before)
    assert (run.steps, run.steps_paid, run.seconds) == (0, 3, seconds)
    run.restore(before, refund=True)
    assert (run.steps, run.steps_paid, run.seconds) == (0, 0, 0.0)
