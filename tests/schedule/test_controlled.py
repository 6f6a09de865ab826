"""Controllers around optimizers, and around each other."""

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab import Session
from trimtab.catalog.parsing import parse_expression


class Plain(Toy):
    """Without what couples samples."""

    batch_size = 4
    steps = 40

    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def session_of(text):
    return Session(Plain(), lambda model: parse_expression(text).build(model, {"lr": 0.1}), seed=5)


@pytest.mark.parametrize("text", ["sgd+adadagrad(eta=0.5)+rmt_scaling(every=3)", "adagrad+adadagrad(eta=0.5)+cosine"])
def test_two_controllers_resume_bit_for_bit(text):
    whole, begun, resumed = session_of(text), session_of(text), session_of(text)
    losses = [whole.step() for _ in range(8)]
    first = [begun.step() for _ in range(4)]
    resumed.restore(begun.snapshot(), refund=True)
    assert first + [resumed.step() for _ in range(4)] == losses
    assert resumed.batch_size == whole.batch_size > 4
    ours, theirs = (run.optimizer.param_groups[0] for run in (resumed, whole))
    assert ours["lr"] == theirs["lr"] != 0.1
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
