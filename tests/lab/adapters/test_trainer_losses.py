"""Losses of a Trainer's samples: their mean is its loss and their training its training, for every kind of model."""

import copy
import re
from itertools import takewhile
from pathlib import Path

import pytest
import torch
import transformers
from torch.nn import functional
from torch.utils.data import Subset

from tests.lab.adapters import tiny_models as tiny
from tests.lab.adapters.tiny_models import TAKEN, InOrder, data, train, trainer_of
from trimtab import Session, TrainerTask
from trimtab.lab.task import select, take_rows
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

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
    mask = batch["bool_masked_pos"].view(-1, 1, 2, 2).float().repeat_interleave(8, 2).repeat_interleave(8, 3)
    each = (outputs.reconstruction - batch["pixel_values"]).abs() * mask
    return each.flatten(1).sum(1) * len(mask) / (mask.sum() + 1e-5) / 3


REFUSED = {
    "ElectraForPreTraining": (
        tiny.made("ElectraForPreTraining", {**tiny.BERT, "embedding_size": 8}), tiny.replaced, electra, "whose",
    ),
    "ProphetNetForConditionalGeneration": (
        tiny.made("ProphetNetForConditionalGeneration", tiny.PROPHETNET), tiny.masked, prophetnet, "another order",
    ),
    "ViTForMaskedImageModeling": (
        tiny.made("ViTForMaskedImageModeling", {**tiny.WIDTHS, **tiny.IMAGE}), tiny.patches, masked_patches, "whose",
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


def table_of(head):
    """Returns the rows of a table on the page: the class names in their second cell, and the third."""
    page = (Path(__file__).parents[3] / "docs" / "adapters.md").read_text()
    lines = page.split(f"| {head} | for example |", 1)[1].splitlines()[2:]
    rows = [line.strip("| ").split(" | ") for line in takewhile(lambda line: line.startswith("|"), lines)]
    return [
        ({name for name in re.findall(r"`(\w+)`", cells[1]) if hasattr(transformers, name)}, cells[-1])
        for cells in rows
    ]


def test_the_page_names_what_is_taken_and_what_is_refused():
    rows = table_of("loss")
    taken = set().union(*(names for names, verdict in rows if verdict == "taken"))
    refused = set().union(*(names for names, verdict in rows if verdict.startswith("refused: ")))
    assert taken == {case.name for case in TAKEN.values()}
    assert refused == {*REFUSED, "YolosForObjectDetection"}
    assert all(len(names) > 0 for names, _ in rows)


def test_the_page_says_what_accumulation_does():
    rows = table_of("the Trainer divides by")
    found = {(case.counted, case.coupled != ""): set() for case in TAKEN.values()}
    for case in TAKEN.values():
        found[case.counted, case.coupled != ""].add(case.name)
    step, ignored, parts, total, coupled = (names for names, _ in rows)
    assert step <= found["step", False]
    assert ignored <= found["ignored", False]
    assert parts <= found["parts", False]
    assert total == found["sum", False]
    assert coupled == found["parts", True] | found["ignored", True]
    assert [verdict.split(":")[0] for _, verdict in rows] == [
        "the same",
        "`k` times as long",
        "the same",
        "the same",
        "refused",
    ]


def test_lists_of_objects_are_refused(tmp_path):
    config = {**tiny.WIDTHS, "image_size": [16, 16], "patch_size": 8, "num_detection_tokens": 4, "num_labels": 3}
    objects = [{"class_labels": torch.tensor([1] * n), "boxes": torch.rand(n, 4)} for n in (1, 2, 3, 1, 2, 3, 1, 2)]
    pixels = torch.randn(8, 3, 16, 16)
    rows = [{"pixel_values": pixels[row], "labels": objects[row]} for row in range(8)]

    def listed(rows):
        return {
            "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
            "labels": [r["labels"] for r in rows],
        }

    maker = trainer_of(tmp_path, tiny.made("YolosForObjectDetection", config), rows, parts={"data_collator": listed})
    trainer = maker()
    assert trainer.compute_loss(trainer.model, listed(rows)).isfinite()
    with pytest.raises(InputError, match=r"\['labels'\]\[0\]\['class_labels'\] has shape \(1,\) for 8 samples"):
        TrainerTask(maker)


def test_an_infinite_loss_is_told(tmp_path):
    def too_many(draw):
        return {"input_values": draw.real(40), "labels": draw.whole(1, tiny.TOKENS, 5)}

    maker = trainer_of(tmp_path, TAKEN["speech"].model, data(too_many, 8, 0))
    with pytest.raises(InputError, match="the Trainer's loss is inf on 8 training samples, before any training"):
        TrainerTask(maker)
