"""What takes part in Lightning's training and in no comparison is refused, and taken once the remedy is followed."""

import re
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule

from tests.lab.adapters.test_lightning import Net, SplitInThree, made, sample_losses
from trimtab import Metric
from trimtab.lab.adapters.module_checks import HOOKS
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_in_training_is_refused_and_its_absence_is_not(hook):
    kind = type("Hooked", (Net,), {hook: lambda self, *arguments: None})
    with pytest.raises(InputError, match=rf"class Plain\(Hooked\): {hook} = LightningModule\.{hook}"):
        made(kind)
    plain = type("Plain", (kind,), {hook: getattr(LightningModule, hook)})
    check_task(made(plain), "here")


def test_all_hooks_are_named_at_once():
    hooks = {name: lambda self, *arguments: None for name in ("on_train_start", "on_train_batch_end", "backward")}
    kind = type("Hooked", (Net,), hooks)
    with pytest.raises(InputError, match=r"Hooked\.on_train_start and .* are not called") as caught:
        made(kind)
    remedy = str(caught.value).partition("class Plain(Hooked): ")[2]
    lines = dict(line.split(" = LightningModule.") for line in remedy.split("; "))
    assert lines == {name: name for name in hooks}


def test_a_hook_of_the_data_is_refused_and_its_absence_is_not():
    kind = type("Augmented", (SplitInThree,), {"on_after_batch_transfer": lambda self, batch, index: batch})
    with pytest.raises(InputError, match=r"Augmented\.on_after_batch_transfer is not called in a comparison"):
        made(make_data=kind)
    made(make_data=SplitInThree)


class Validated(Net):
    """Has hooks of validation, which Lightning calls, and logs at its end alone."""

    def on_validation_epoch_start(self):
        self.right = []

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.right.append((self(batch[0]).argmax(1) == batch[1]).float())

    def on_validation_epoch_end(self):
        self.log("right", torch.cat(self.right).mean())


def test_hooks_of_validation_are_called():
    task = made(Validated, metric=Metric("right", "max"))
    net = task.model(torch.Generator().manual_seed(0))
    assert task.evaluate(net).metric == pytest.approx(made().evaluate(net.eval()).metric, rel=1e-6)


class Manual(Net):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


def automatic():
    module = Manual()
    module.automatic_optimization = True
    return module


def test_manual_optimisation_is_refused_unless_one_loss_will_do():
    with pytest.raises(InputError, match=r"Manual optimises by itself(.|\n)*automatic_optimization=True(.|\n)*losses="):
        made(Manual)
    with pytest.raises(InputError, match=r'trimtab compare --candidates \.\.\. --command "python train\.py'):
        made(Manual)
    with pytest.raises(InputError, match=r"Give LightningTask\(losses=\.\.\.\)"):
        made(automatic)
    check_task(made(automatic, losses=sample_losses), "here")


def configured(function, frozen=()):
    def build(self):
        Net.__init__(self)
        for name in frozen:
            getattr(self, name).requires_grad_(False)

    return type("Configured", (Net,), {"__init__": build, "configure_optimizers": function})


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def scheduled(self):
    optimizer = sgd(self.parameters())
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1)}}


def lists(self):
    optimizer = sgd(self.parameters())
    return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


def groups(self):
    return sgd([{"params": self.net.parameters()}, {"params": self.head.parameters(), "lr": 1.0}])


def attached(self):
    return torch.optim.lr_scheduler.LinearLR(sgd(self.head.parameters()), self.trainer.estimated_stepping_batches)


@pytest.mark.parametrize("function", [scheduled, lists, groups, attached, lambda self: None])
def test_optimizers_and_schedules_are_left_out(function):
    made(configured(function))


def test_several_optimizers_are_refused():
    with pytest.raises(InputError, match=r"Configured\.configure_optimizers makes 2 optimizers; a candidate is one"):
        made(configured(lambda self: [sgd(self.net.parameters()), sgd(self.head.parameters())]))
    made(configured(lambda self: [sgd(self.parameters())]))


def test_parameters_that_only_the_optimizer_leaves_out_are_refused_unless_they_are_frozen():
    def head(self):
        return sgd(self.head.parameters())

    names = r"net\.0\.weight, net\.0\.bias, net\.1\.weight and 1 other,"
    with pytest.raises(InputError, match=rf"leaves out {names} .* freeze them in __init__, by requires_grad_\(False\)"):
        made(configured(head))
    task = made(configured(head, frozen=["net"]))
    net = task.model(torch.Generator().manual_seed(0))
    assert [name for name, param in net.named_parameters() if param.requires_grad] == ["head.weight", "head.bias"]


class SetUp(Net):
    def setup(self, stage):
        self.length = self.trainer.estimated_stepping_batches


class Guarded(SetUp):
    def setup(self, stage):
        if self._trainer is not None and stage == "fit":
            super().setup(stage)


class Unvalidated(Net):
    validation_step = LightningModule.validation_step


def test_what_lightning_cannot_do_without_a_trainer_or_a_step_is_told():
    with pytest.raises(
        InputError, match=r"SetUp's configure_model and setup.* without a Trainer, and raised RuntimeError"
    ):
        made(SetUp)
    check_task(made(Guarded), "here")
    with pytest.raises(InputError, match="Unvalidated has no validation_step: one is needed that logs 'val_loss'"):
        made(Unvalidated)


def test_the_page_names_the_hooks():
    page = (Path(__file__).parents[3] / "docs" / "adapters.md").read_text()
    sentence = page.split("Hooks of validation are called. These are not: ")[1].split(". One")[0]
    assert tuple(re.findall(r"`(\w+)`", sentence)) == HOOKS
