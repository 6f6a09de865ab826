"""What trainers say of how a model is trained, as options of a comparison."""

import re
from functools import partial
from typing import ClassVar

import pytest
import torch
from lightning.pytorch import Trainer as LightningTrainer
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Subset
from transformers import ResNetConfig, ResNetForImageClassification, Trainer, TrainingArguments

from tests.lab.adapters.test_huggingface import bert, classes, llama, some_tokens, t5
from tests.lab.adapters.test_huggingface import make as make  # noqa: PLC0414  # a fixture
from tests.lab.adapters.test_lightning import ACCURACY, QUIET, Net, data
from trimtab import LightningTask, Session, TrainerTask
from trimtab.catalog.recipes import Recipe
from trimtab.compare.options import Options
from trimtab.lab.adapters.recipes import decayed_otherwise, lightning_recipe, trainer_recipe
from trimtab.schedule import cosine_with_warmup, linear_decay_with_warmup, one_cycle_with_warmup
from trimtab.study.errors import InputError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


def arguments(tmp_path, **given):
    return TrainingArguments(str(tmp_path), use_cpu=True, **given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"schedule": "linear", "no_decay": True, "clip_norm": 1.0}),
        ({"lr_scheduler_type": "cosine", "warmup_steps": 10}, {"schedule": "cosine", "warmup": 0.1}),
        ({"lr_scheduler_type": "cosine", "warmup_steps": 0.05}, {"schedule": "cosine", "warmup": 0.05}),
        ({"lr_scheduler_type": "constant", "max_grad_norm": 0.0}, {"schedule": "none"}),
        ({"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 20}, {"schedule": "none", "warmup": 0.2}),
        ({"lr_scheduler_type": "inverse_sqrt", "warmup_steps": 20}, {"schedule": "inverse-sqrt", "warmup": 0.2}),
    ],
)
def test_what_training_arguments_say(tmp_path, given, expected):
    found = trainer_recipe(arguments(tmp_path, **given), 100)
    assert found == {"clip_norm": 1.0, "no_decay": True, **expected} or "max_grad_norm" in given
    assert ("clip_norm" in found) == (given.get("max_grad_norm") != 0.0)
    assert Recipe(**found).schedule == expected["schedule"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lr_scheduler_type": "polynomial"}, "lr_scheduler_type='polynomial' cannot be taken over, as linear, cosine"),
        ({"lr_scheduler_kwargs": {"num_cycles": 2}}, "lr_scheduler_kwargs=.* cannot be taken over"),
        ({"warmup_steps": 100}, "warmup_steps=100: a run has 100 steps"),
        ({"lr_scheduler_type": "inverse_sqrt"}, "'inverse_sqrt' without warmup_steps"),
        ({"bf16_full_eval": True}, "bf16_full_eval=True cannot be taken over: .* in the precision that it is trained"),
        ({"fp16_full_eval": True}, "fp16_full_eval=True cannot be taken over"),
    ],
)
def test_training_arguments_that_cannot_be_taken_over(tmp_path, given, words):
    with pytest.raises(InputError, match=words):
        trainer_recipe(arguments(tmp_path, **given), 100)


def test_fp16_is_refused(tmp_path):
    given = arguments(tmp_path)
    given.fp16 = True
    with pytest.raises(InputError, match="fp16=True cannot be taken over, as bf16=True can"):
        trainer_recipe(given, 100)


def test_a_trainers_task_has_its_recipe_and_precision(make):
    task = TrainerTask(make(lr_scheduler_type="cosine", warmup_steps=1, bf16=True), as_trained=True)
    assert task.recipe == {"schedule": "cosine", "warmup": 0.2, "clip_norm": 1.0, "no_decay": True}
    plain = TrainerTask(make(lr_scheduler_type="cosine", warmup_steps=1, bf16=True))
    assert plain.recipe == {}
    ends = []
    for each in (task, plain):
        session = Session(each, lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2), seed=0)
        ends.append([session.step() for _ in range(3)])
    assert ends[0] != ends[1]  # rounded to eight bits
    assert ends[0] == pytest.approx(ends[1], rel=0.05)


def test_a_trainers_model_is_evaluated_in_the_precision_that_it_is_trained_in(make):
    seen = []

    def model():
        net = bert()
        net.classifier.register_forward_hook(
            lambda module, inputs, output: seen.append((module.training, output.dtype))
        )
        return net

    for halved in (True, False):
        session = Session(
            TrainerTask(make(model, bf16=halved), as_trained=True),
            lambda net: torch.optim.AdamW(net.parameters(), lr=1e-2),
            seed=0,
        )
        seen.clear()
        session.step()
        session.evaluate()
        dtype = torch.bfloat16 if halved else torch.float32
        assert set(seen) == {(True, dtype), (False, dtype)}


def test_the_groups_are_the_trainers_own(make):
    """Biases and norms go without weight decay there and here."""
    from trimtab.optim import parameter_groups

    trainer = make()()
    theirs = set(trainer.get_decay_parameter_names(trainer.model))
    names = {param: name for name, param in trainer.model.named_parameters()}
    decayed, _ = parameter_groups(trainer.model, 0.1)
    assert {names[param] for param in decayed["params"]} == theirs


class Stepped(Trainer):
    def create_scheduler(self, num_training_steps, optimizer=None):
        self.lr_scheduler = lr_scheduler.StepLR(optimizer or self.optimizer, 3)
        return self.lr_scheduler


class SteppedInGroups(Stepped):
    def create_optimizer(self, model=None):
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        return self.optimizer

    def get_decay_parameter_names(self, model):
        return ["classifier.weight"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Stepped, r"Stepped\.create_scheduler is not called in a comparison, .*, or leave as_trained out, and"),
        (SteppedInGroups, r"\.create_scheduler, create_optimizer and get_decay_parameter_names are not called"),
    ],
)
def test_a_trainer_that_makes_schedule_or_groups_by_itself_is_refused_by_name(make, kind, words):
    with pytest.raises(InputError, match=words):
        TrainerTask(make(kind=kind), as_trained=True)
    TrainerTask(make(kind=kind))


def resnet():
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return ResNetForImageClassification(config)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (bert, ""),
        (llama, ""),
        (
            t5,
            "Weight decay is not quite the Trainer's, which leaves out 2 parameters (encoder.block.0.layer.0."
            "SelfAttention.relative_attention_bias.weight and decoder.block.0.layer.0.SelfAttention."
            "relative_attention_bias.weight), decayed here.",
        ),
        (
            resnet,
            "Weight decay is not quite the Trainer's, which decays 6 parameters (resnet.embedder.embedder."
            "normalization.weight, resnet.encoder.stages.0.layers.0.layer.0.normalization.weight, "
            "resnet.encoder.stages.0.layers.0.layer.1.normalization.weight and 3 more), without decay here.",
        ),
    ],
)
def test_what_decays_otherwise_is_said(make, model, words):
    assert decayed_otherwise(make(model)()) == words


def test_what_decays_otherwise_stands_before_a_comparison_and_in_its_report(make):
    for model, labels, there in ((t5, some_tokens, True), (bert, classes, False)):
        task = TrainerTask(make(model, labels), as_trained=True)
        assert task.introduction == decayed_otherwise(make(model)())
        paragraphs = dict(task.facts("", [], None).paragraphs)
        assert paragraphs.get("Weight decay", "") == task.introduction
        assert bool(task.introduction) == there
    assert TrainerTask(make(t5, some_tokens)).introduction == ""


def loaders():
    return DataLoader(Subset(data(), range(64)), 16), DataLoader(Subset(data(), range(64, 100)), 16)


class Scheduled(Net):
    schedule = staticmethod(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=10))
    stretch: ClassVar = {"interval": "step"}

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.schedule(optimizer), **self.stretch}}


def scheduled(schedule, interval="step", **stretch):
    stretch["interval"] = interval
    return type("Mine", (Scheduled,), {"schedule": staticmethod(schedule), "stretch": stretch})()


class SteppedOtherwise(Scheduled):
    def lr_scheduler_step(self, scheduler, metric):
        scheduler.step(self.global_step // 2)


class Slower(lr_scheduler.CosineAnnealingLR):
    """One of somebody's own."""

    def __init__(self, optimizer):
        super().__init__(optimizer, 10)

    def get_lr(self):
        return [rate**0.5 for rate in super().get_lr()]


def trainer(**given):
    return LightningTrainer(max_steps=10, **QUIET, **given)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=10), {"schedule": "cosine"}),
        (lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=10), {"schedule": "linear"}),
        (
            lambda o: lr_scheduler.OneCycleLR(o, 1e-3, total_steps=10, cycle_momentum=False),
            {"schedule": "onecycle", "warmup": 0.3},
        ),
    ],
)
def test_what_a_lightning_module_says(schedule, expected):
    found = lightning_recipe(trainer(gradient_clip_val=0.5), scheduled(schedule), 10)
    assert found == {"clip_norm": 0.5, **expected}
    Recipe(**found)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {},
            "cycle_momentum=True, its default, cannot be taken over.* as OneCycleLR(..., cycle_momentum=False) it can",
        ),
        ({"cycle_momentum": False, "anneal_strategy": "linear"}, "anneal_strategy='linear' cannot be taken over"),
        ({"anneal_strategy": "linear"}, "as OneCycleLR(..., anneal_strategy='cos', cycle_momentum=False) it can"),
    ],
)
def test_a_cycle_of_other_rates_or_of_momentum_is_refused(given, words):
    module = scheduled(lambda o: lr_scheduler.OneCycleLR(o, 1e-3, total_steps=10, **given))
    with pytest.raises(InputError, match=re.escape(words).replace(r"\.\*", ".*")):
        lightning_recipe(trainer(), module, 10)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, Recipe("onecycle", 0.3)),
        ({"schedule": "onecycle"}, Recipe("onecycle", 0.3)),
        ({"schedule": "cosine"}, Recipe("cosine")),
        ({"schedule": "none"}, Recipe()),
        ({"schedule": "linear", "warmup": "5%"}, Recipe("linear", 0.05)),
        ({"schedule": "linear(warmup=5%)"}, Recipe("linear", 0.05)),
    ],
)
def test_the_peak_of_a_cycle_is_no_warm_up_of_another_schedule(asked, expected):
    module = scheduled(lambda o: lr_scheduler.OneCycleLR(o, 1e-3, total_steps=10, cycle_momentum=False))
    own = lightning_recipe(trainer(), module, 10)
    assert Options(**asked).recipe(asked.get("schedule"), None, own) == expected
    assert Options(schedule="wsd").recipe("wsd", None, {"schedule": "cosine", "warmup": 0.3}) == Recipe("wsd", 0.3)


@pytest.mark.parametrize(
    ("schedule", "made"),
    [
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 20), lambda o: cosine_with_warmup(o, 20, 0)),
        (lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 20), lambda o: linear_decay_with_warmup(o, 20, 0)),
        (
            lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20, cycle_momentum=False),
            lambda o: one_cycle_with_warmup(o, 20),
        ),
    ],
)
def test_what_is_taken_over_has_the_same_rates_and_momentum(schedule, made):
    courses = []
    for begin in (schedule, made):
        optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=0.1)
        scheduler, course = begin(optimizer), []
        for step in range(20):
            (group,) = optimizer.param_groups
            course.append((group["lr"], *group["betas"]))
            optimizer.step()
            if step < 19:
                scheduler.step()
        courses.append(course)
    assert torch.allclose(*map(torch.tensor, courses), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("module", "given", "words"),
    [
        (lambda: scheduled(lambda o: lr_scheduler.StepLR(o, 3)), {}, "StepLR cannot be taken over: CosineAnnealingLR"),
        (lambda: scheduled(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=7)), {}, "all of 10 steps"),
        (lambda: scheduled(lambda o: lr_scheduler.CosineAnnealingLR(o, 10), "epoch"), {}, "is stepped every epoch"),
        (
            lambda: scheduled(lambda o: lr_scheduler.CosineAnnealingLR(o, 10), frequency=5),
            {},
            "CosineAnnealingLR is stepped every 5 steps, .*'interval': 'step', 'frequency': 1",
        ),
        (lambda: scheduled(Slower), {}, "Slower cannot be taken over: CosineAnnealingLR"),
        (SteppedOtherwise, {}, r"SteppedOtherwise\.lr_scheduler_step is not called in a comparison"),
        (Scheduled, {"gradient_clip_val": 1.0, "gradient_clip_algorithm": "value"}, "gradient_clip_algorithm='value'"),
        (Scheduled, {"accumulate_grad_batches": 2}, "accumulate_grad_batches=2 cannot be taken over"),
    ],
)
def test_what_of_lightning_cannot_be_taken_over(module, given, words):
    with pytest.raises(InputError, match=words):
        lightning_recipe(trainer(**given), module(), 10)


def test_a_lightning_task_has_its_recipe_and_length():
    task = LightningTask(
        Scheduled, loaders, metric=ACCURACY, trainer=lambda: trainer(gradient_clip_val=1.0, precision="bf16-mixed")
    )
    assert task.steps == 10
    assert task.recipe == {"clip_norm": 1.0, "schedule": "cosine"}
    session = Session(task, lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2), seed=0)
    assert session.step() > 0
    with pytest.raises(InputError, match="precision='64-true' cannot be taken over"):
        LightningTask(Net, loaders, metric=ACCURACY, trainer=lambda: trainer(precision="64-true"))


def test_a_lightning_module_is_validated_in_the_precision_that_it_is_trained_in():
    seen = []

    class Seen(Scheduled):
        def forward(self, inputs):
            found = super().forward(inputs)
            seen.append((self.training, found.dtype))
            return found

    for precision, dtype in (("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)):
        task = LightningTask(Seen, loaders, metric=ACCURACY, trainer=partial(trainer, precision=precision))
        session = Session(task, lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2), seed=0)
        seen.clear()
        session.step()
        session.evaluate()
        assert set(seen) == {(True, dtype), (False, dtype)}


def test_without_configure_optimizers_there_is_no_schedule():
    class Plain(nn.Module):
        def configure_optimizers(self):
            return torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)

    assert lightning_recipe(trainer(), Plain(), 10) == {}
