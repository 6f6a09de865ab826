"""A model goes back to what it was."""

import torch

from tests.lab.toy import session


def test_what_was_frozen_then_is_frozen_again():
    run = session()
    run.model[0].requires_grad_(False)
    run.step()
    saved = run.snapshot()
    run.model[0].requires_grad_(True)
    run.model[4].requires_grad_(False)
    before = run.model[0].weight.detach().clone()
    run.step()
    assert not torch.equal(run.model[0].weight, before)
    run.restore(saved)
    run.step()
    assert torch.equal(run.model[0].weight, before)
    assert [param.requires_grad for param in run.model.parameters()] == [False, False, True, True, True, True]
