"""Optimizers that train with other weights than they are evaluated with."""

import copy

import schedulefree
import torch

from tests.lab.toy import session
from trimtab.optim import CoordinateClip


def schedule_free(model):
    return schedulefree.AdamWScheduleFree(model.parameters(), lr=0.05)


def test_the_averaged_weights_are_evaluated_and_the_run_does_not_notice():
    run, undisturbed = session(optimizer=schedule_free), session(optimizer=schedule_free)
    for _ in range(5):
        run.step()
        undisturbed.step()
        found = run.evaluate()
    by_hand = copy.deepcopy(run.model)
    trained = [param.detach().clone() for param in run.model.parameters()]
    run.optimizer.eval()
    averaged = [param.detach().clone() for param in run.model.parameters()]
    for param, value in zip(by_hand.parameters(), averaged, strict=True):
        param.data.copy_(value)
    assert found == run.task.evaluate(by_hand, "validation")
    assert any(not torch.equal(a, b) for a, b in zip(trained, averaged, strict=True))
    for ours, theirs in zip(trained, undisturbed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_it_resumes_bit_for_bit():
    whole, begun, resumed = (session(optimizer=schedule_free) for _ in range(3))
    losses = [whole.step() for _ in range(8)]
    first = [begun.step() for _ in range(4)]
    begun.evaluate()
    resumed.restore(begun.snapshot())
    assert first + [resumed.step() for _ in range(4)] == losses


def test_it_works_inside_of_a_wrapper():
    run = session(optimizer=lambda model: CoordinateClip(schedule_free(model)))
    run.step()
    before = [param.detach().clone() for param in run.model.parameters()]
    run.evaluate()
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
