"""Losses of a Trainer's samples: their mean is its loss and their training its training, for every kind of model."""

import copy

import pytest
import torch
import transformers
from torch.nn import functional
from torch.utils.data import Subset
from transformers import Trainer

from tests.lab.adapters import tiny_models as tiny
from tests.lab.adapters.tiny_models import TAKEN, InOrder, data, train, trainer_of
from trimtab import Session, TrainerTask
from trimtab.lab.errors import InputError
from trimtab.lab.task import check_task, select, take_rows

pytestmark = pytest.mark.filterwarnings("ignore:Version v4.12.0 introduces:FutureWarning")  # of encoders and decoders

CASES = pytest.mark.parametrize("case", TAKEN.values(), ids=TAKEN.keys())


def sgd(net):
    return torch.optim.SGD(net.parameters(), lr=0.05)


def trainers_loss(trainer, net, batch):
    items = trainer.get_batch_samples(iter([batch]), 1, torch.device("cpu"))[1]
    return trainer.compute_loss(net, dict(batch), num_items_in_batch=items)


def gradients(loss, net):
    trained = [param for param in net.parameters() if param.requires_grad]
    return torch.autograd.grad(loss, trained, allow_unused=True)


@CASES
def test_the_mean_and_its_gradient_are_the_trainers(tmp_path, case):
    maker = trainer_of(tmp_path, case.model, data(case.columns, 16, 0))
    task = TrainerTask(maker, test=data(case.columns, 4, 1))
    check_task(task, "here")
    net, trainer = task.model(torch.Generator().manual_seed(0)).eval(), maker()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    for rows in (slice(None), [5, 0, 3]):
        part = select(batch, rows)
        expected = trainers_loss(trainer, net, part)
        found = task.losses(task.outputs(net, part), part)
        torch.testing.assert_close(found.mean(), expected)
        ours, theirs = gradients(found.mean(), net), gradients(expected, net)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    "case", [case for case in TAKEN.values() if case.coupled != "loss"], ids=lambda case: case.name
)
def test_a_sample_has_its_own_loss_among_others_with_as_many_labels(tmp_path, case):
    maker = trainer_of(tmp_path, case.model, data(case.columns, 8, 0, period=1))
    task = TrainerTask(maker, test=data(case.columns, 4, 1))
    net, trainer = task.model(torch.Generator().manual_seed(0)).eval(), maker()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    alone = torch.stack([trainers_loss(trainer, net, select(batch, [row])) for row in range(8)])
    factor = 8 if case.counted == "sum" else 1
    torch.testing.assert_close(task.losses(task.outputs(net, batch), batch), factor * alone)
    assert alone.unique().numel() == 8


@CASES
def test_training_is_the_trainers(tmp_path, case):
    rows = data(case.columns, 16, 0)
    task = TrainerTask(trainer_of(tmp_path, case.model, rows), test=data(case.columns, 4, 1))
    session = Session(task, lambda net: torch.optim.AdamW(net.parameters(), lr=1e-2), seed=3)
    start, order = copy.deepcopy(session.model), []
    before = copy.deepcopy(start)
    for _ in range(2):
        session.step()
        order += session._stream.rows.tolist()
    arguments = {"lr_scheduler_type": "constant", "max_grad_norm": 0.0}
    trainer = trainer_of(tmp_path, case.model, Subset(rows, order), InOrder, **arguments)()
    train(trainer, start, torch.optim.AdamW(start.parameters(), lr=1e-2))
    for ours, theirs in zip(session.model.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3)
    moved = [not torch.equal(*pair) for pair in zip(before.parameters(), start.parameters(), strict=True)]
    assert sum(moved) > len(moved) / 2


@pytest.mark.parametrize("case", [case for case in TAKEN.values() if not case.coupled], ids=lambda case: case.name)
def test_under_accumulation_a_step_is_the_trainers_or_as_many_times_shorter_as_it_has_parts(tmp_path, case):
    """Parts have unequal numbers of labels where the Trainer counts them over the step, equal ones elsewhere."""
    rows = data(case.columns, 8, 0, period=5 if case.counted in ("step", "sum") else 4)
    halves = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "max_steps": 1}
    arguments = {**halves, "lr_scheduler_type": "constant", "max_grad_norm": 0.0}
    maker = trainer_of(tmp_path, case.model, rows, InOrder, **arguments)
    task = TrainerTask(maker, test=data(case.columns, 4, 1))
    assert task.batch_size == 8
    net = task.model(torch.Generator().manual_seed(0))
    theirs, before = copy.deepcopy(net), copy.deepcopy(net)
    train(maker(), theirs, sgd(theirs))
    batch = take_rows(task.train, torch.arange(8), task.collate)
    task.losses(task.outputs(net, batch), batch).mean().backward()
    sgd(net).step()
    times = 2 if case.counted == "ignored" else 1
    for own, other, first in zip(net.parameters(), theirs.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(times * (own - first), other - first, atol=1e-6, rtol=1e-3)


SMOOTHED = ("next token, labels counted unshifted", "next token", "next token, own head", "masked", "tags", "classes",
            "images, of the parts", "choices")  # fmt: skip


@pytest.mark.parametrize("name", SMOOTHED)
def test_label_smoothing_is_the_trainers(tmp_path, name):
    case = TAKEN[name]
    maker = trainer_of(tmp_path, case.model, data(case.columns, 16, 0), label_smoothing_factor=0.2)
    task = TrainerTask(maker, test=data(case.columns, 4, 1))
    net, trainer = task.model(torch.Generator().manual_seed(0)).eval(), maker()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    expected, found = trainers_loss(trainer, net, batch), task.losses(task.outputs(net, batch), batch)
    torch.testing.assert_close(found.mean(), expected)
    torch.testing.assert_close(gradients(found.mean(), net), gradients(expected, net), atol=1e-6, rtol=1e-4)
    plain = TrainerTask(trainer_of(tmp_path, case.model, data(case.columns, 16, 0)))
    assert (plain.losses(plain.outputs(net, batch), batch).mean() - expected).abs() > 1e-4


@pytest.mark.parametrize("case", [case for case in TAKEN.values() if case.coupled], ids=lambda case: case.name)
def test_accumulation_is_refused_where_samples_have_to_do_with_each_other(tmp_path, case):
    rows = data(case.columns, 16, 0)
    halves = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    with pytest.raises(InputError, match=r"4 samples at once, a comparison all 8 .*gradient_accumulation_steps=1"):
        TrainerTask(trainer_of(tmp_path, case.model, rows, **halves))
    whole = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    check_task(TrainerTask(trainer_of(tmp_path, case.model, rows, **whole)), "here")


def electra(outputs, batch):
    mask = batch["attention_mask"]
    each = functional.binary_cross_entropy_with_logits(outputs.logits, batch["labels"].float(), reduction="none")
    return (each * mask).sum(1) * len(mask) / mask.sum()


def prophetnet(outputs, batch):
    logits, labels = torch.cat([outputs.logits[:, None], outputs.logits_ngram], 1), batch["labels"]
    labels = labels[:, None].expand(logits.shape[:3])
    each = functional.cross_entropy(logits.permute(0, 3, 1, 2), labels, reduction="none")
    return each.flatten(1).sum(1) * len(labels) / (labels != -100).sum()


def with_router_loss(outputs, batch):
    labels = batch["labels"][:, 1:]
    each = functional.cross_entropy(outputs.logits[:, :-1].transpose(1, 2), labels, reduction="none")
    return each.sum(1) * len(labels) / (labels != -100).sum() + 0.001 * outputs.aux_loss


def masked_patches(outputs, batch):
    size = outputs.logits.shape[1]
    patches = functional.unfold(batch["pixel_values"], 8, stride=8).unflatten(1, (3, 64)).permute(0, 3, 2, 1).flatten(2)
    assert patches.shape[1] == size
    each = (outputs.logits - patches).square().mean(2) * outputs.mask
    return each.sum(1) * len(each) / outputs.mask.sum()


REFUSED = {
    "ElectraForPreTraining": (
        tiny.made("ElectraForPreTraining", {**tiny.BERT, "embedding_size": 8}), tiny.replaced, electra, "whose",
    ),
    "ProphetNetForConditionalGeneration": (
        tiny.made("ProphetNetForConditionalGeneration", tiny.PROPHETNET), tiny.masked, prophetnet, "another order",
    ),
    "MixtralForCausalLM": (
        tiny.made("MixtralForCausalLM", {**tiny.LLAMA, "num_key_value_heads": 2, "num_local_experts": 2},
                  output_router_logits=True, router_aux_loss_coef=0.001),
        tiny.tokens, with_router_loss, "auxiliary loss.*output_router_logits=False",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_taken_with_the_losses_that_the_message_asks_for(tmp_path, name):
    model, columns, losses, message = REFUSED[name]
    maker = trainer_of(tmp_path, model, data(columns, 16, 0))
    with pytest.raises(InputError, match=rf"{message}(.|\n)*Give TrainerTask\(losses=\.\.\.\)"):
        TrainerTask(maker)
    task = TrainerTask(maker, test=data(columns, 4, 1), losses=losses)
    check_task(task, "here")
    net, trainer = task.model(torch.Generator().manual_seed(0)).eval(), maker()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    expected, found = trainers_loss(trainer, net, batch), task.losses(task.outputs(net, batch), batch)
    torch.testing.assert_close(found.mean(), expected)
    torch.testing.assert_close(gradients(found.mean(), net), gradients(expected, net), atol=1e-6, rtol=1e-4)


def test_losses_of_routers_are_taken_once_they_are_switched_off(tmp_path):
    case = TAKEN["next token, experts"]
    with_routers = REFUSED["MixtralForCausalLM"][0]

    def switched_off():
        net = with_routers()
        net.config.output_router_logits = False
        return net

    task = TrainerTask(trainer_of(tmp_path, switched_off, data(case.columns, 16, 0)))
    check_task(task, "here")
