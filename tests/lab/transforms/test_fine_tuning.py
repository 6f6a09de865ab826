"""Fine-tuning is charged step by step, and goes on where it was."""

import copy

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.stream import BatchStream
from trimtab.lab.transforms.fine_tuning import DryFineTuning, FineTuning
from trimtab.study.errors import DivergedError, InputError


def made(kind=FineTuning, budget=60, lr=0.01, log=None):
    task, device = Toy(), torch.device("cpu")
    randomness = OwnedRandomness(1, device)
    log = [] if log is None else log
    return kind(
        task,
        lr=lr,
        budget=budget,
        stream=BatchStream(task, 2, device, randomness),
        randomness=randomness,
        begins=lambda model: log.append(("begins", model.training)),
        stepped=lambda model, loss: log.append(("stepped", model.training)),
    )


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Toy().model(None).eval()


def test_every_step_is_charged():
    log, model = [], network()
    finetune = made(log=log)
    assert finetune.left == 6
    finetune(model, 2)
    assert (finetune.meter.used, finetune.steps, finetune.left) == (20, 2, 4)
    finetune(model)
    assert (finetune.meter.used, finetune.steps, finetune.left) == (60, 6, 0)
    assert log == [("begins", False), *[("stepped", True)] * 2, ("begins", False), *[("stepped", True)] * 4]
    assert not model.training
    assert all(param.grad is None for param in model.parameters())


def test_every_part_goes_back_into_its_mode():
    model = network().train()
    model[1].eval()
    made()(model, 1)
    assert [part.training for part in model] == [True, False, True, True, True]


def test_beyond_the_budget_it_stops():
    finetune, model = made(), network()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InputError, match="steps=7: of the 6 steps of fine-tuning that a run has, 6 are left"):
        finetune(model, 7)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    finetune(model)
    finetune(model)  # nothing is left, and nothing was asked for
    with pytest.raises(InputError, match="steps=1: of the 6 steps"):
        finetune(model, 1)
    assert finetune.meter.used == 60


def test_in_several_calls_it_is_the_same_as_in_one():
    one, other = network(), network()
    made()(one)
    finetune = made()
    for steps in (1, 0, 3, 2):
        finetune(other, steps)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_another_network_has_an_optimizer_of_its_own():
    one, other = network(), network()
    finetune = made()
    finetune(one, 3)
    finetune(other, 3)
    alone = network()
    fresh = made()
    fresh(network(), 3)  # the same batches go by
    fresh(alone, 3)
    assert all(torch.equal(value, alone.state_dict()[name]) for name, value in other.state_dict().items())


def test_the_global_generators_are_left_alone():
    before = torch.get_rng_state()
    made()(network())
    assert torch.equal(torch.get_rng_state(), before)


def test_it_trains_where_gradients_are_disabled():
    model = network()
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        made()(model)
    assert not torch.equal(model[0].weight, before["0.weight"])


def test_what_is_frozen_stays_and_with_everything_frozen_it_is_refused():
    model = network()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    made()(model)
    assert torch.equal(model[0].weight, before["0.weight"])
    assert not torch.equal(model[4].weight, before["4.weight"])
    with pytest.raises(InputError, match="no parameter that requires a gradient"):
        made()(model.requires_grad_(False))


@pytest.mark.parametrize(("arguments", "message"), [((network(), 1.5), "steps=1.5"), (({},), "model=dict")])
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        made()(*arguments)


def test_a_loss_that_is_not_finite_ends_it():
    model = network()
    with torch.no_grad():
        model[4].bias.fill_(float("inf"))
    with pytest.raises(DivergedError, match="at step 1"):
        made()(model)


def test_a_dry_one_counts_and_trains_nothing():
    model = network()
    before = copy.deepcopy(model.state_dict())
    finetune = made(DryFineTuning)
    finetune(model, 4)
    assert (finetune.left, finetune.steps) == (2, 4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(InputError, match="2 are left"):
        finetune(model, 3)


def test_masks_hold():
    from trimtab.primitives.masks import set_masks

    model = nn.Sequential(*network())
    keep = torch.arange(96).reshape(16, 6) >= 90
    set_masks(model, {"0.weight": keep})
    made()(model)
    assert torch.equal(model[0].weight != 0, keep)
