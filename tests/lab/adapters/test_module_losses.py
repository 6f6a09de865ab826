"""Losses of a Lightning module's samples, whatever training_step returns, reads and counts."""

import pytest
import torch
import torchmetrics
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from tests.lab.adapters.test_lightning import Counted, Net, adamw, data, made, sample_losses
from trimtab import Session
from trimtab.lab.task import take_rows
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Trying to infer the `batch_size`"),
    pytest.mark.filterwarnings("ignore:You are trying to `self.log"),
]


class Named(Net):
    def training_step(self, batch):
        return {"loss": functional.cross_entropy(self(batch[0]), batch[1]), "outputs": None}


class Varied(Net):
    def training_step(self, *arguments):
        batch, _index = arguments
        return functional.cross_entropy(self(batch[0]), batch[1])


class Summed(Net):
    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self(batch[0]), batch[1], reduction="sum")


class Weighted(Net):
    weights = torch.tensor([1.0, 2.0, 5.0])

    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self(batch[0]), batch[1], weight=self.weights)


class Decayed(Net):
    """Adds a penalty, which every sample bears alike."""

    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self(batch[0]), batch[1]) + 0.1 * self.head.weight.square().sum()


class Logged(Net):
    """Logs in every way that there is, also a metric that it calls."""

    def __init__(self):
        super().__init__()
        self.seen = torchmetrics.Accuracy("multiclass", num_classes=3)

    def training_step(self, batch, batch_idx):
        outputs = self(batch[0])
        loss = functional.cross_entropy(outputs, batch[1])
        self.log_dict({"a": loss, "b": 2 * loss}, on_step=True, on_epoch=True, prog_bar=True)
        self.log("seen", self.seen(outputs, batch[1]))
        return loss


def weighted(module, batch):
    weights = module.weights[batch[1]]
    return sample_losses(module, batch) * weights / weights.mean()


RETURNED = {
    Named: sample_losses,
    Varied: sample_losses,
    Summed: lambda module, batch: len(batch[1]) * sample_losses(module, batch),
    Weighted: weighted,
    Decayed: lambda module, batch: sample_losses(module, batch) + 0.1 * module.head.weight.square().sum(),
    Logged: sample_losses,
}


@pytest.mark.parametrize(("module", "expected"), RETURNED.items(), ids=lambda value: value.__name__)
def test_losses_are_those_of_the_samples_whatever_is_returned(module, expected):
    task = made(module)
    check_task(task, "here")
    net = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.train, torch.arange(10), task.collate)
    found = task.losses(task.outputs(net, batch), batch)
    torch.testing.assert_close(found, expected(net, batch))
    mean = net.training_step(batch) if module is Named else net.training_step(batch, 0)
    torch.testing.assert_close(found.mean(), mean["loss"] if module is Named else mean)


def test_a_metric_keeps_nothing_of_a_step():
    session = Session(made(Counted), adamw, seed=0)
    session.step()
    assert not session.model.seen.update_called


def reshaped(rows):
    inputs, targets = torch.utils.data.default_collate(rows)
    return {"inputs": [inputs, {"twice": 2 * inputs}], "targets": targets, "factor": 0.5}


class Nested(Net):
    def training_step(self, batch, batch_idx):
        inputs, more = batch["inputs"]
        return functional.cross_entropy(self(inputs + more["twice"]), batch["targets"]) * batch["factor"]

    def validation_step(self, batch, batch_idx):
        return super().validation_step((batch["inputs"][0], batch["targets"]), batch_idx)


def collated(collate):
    parts = [data(), Subset(data(), range(20))]
    return lambda: [DataLoader(part, batch_size=10, collate_fn=collate) for part in parts]


def test_batches_are_dictionaries_and_lists_in_each_other():
    task = made(Nested, collated(reshaped))
    check_task(task, "here")
    net = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.train, torch.arange(10), task.collate)
    inputs, targets = torch.utils.data.default_collate([task.train[row] for row in range(10)])
    expected = functional.cross_entropy(net(3 * inputs), targets, reduction="none") / 2
    torch.testing.assert_close(task.losses(task.outputs(net, batch), batch), expected)


class Graph:
    def __init__(self, rows):
        self.inputs, self.targets = torch.utils.data.default_collate(rows)


def with_names(rows):
    return [*torch.utils.data.default_collate(rows), ["a name"] * len(rows)]


@pytest.mark.parametrize(
    ("collate", "message"),
    [
        (Graph, "the training data's batch is a Graph; a batch is made of tensors in tuples, lists and dictionaries"),
        (with_names, r"the training data's batch\[2\]\[0\] is a str"),
    ],
)
def test_batches_of_which_no_part_can_be_taken_are_refused(collate, message):
    with pytest.raises(InputError, match=message):
        made(make_data=collated(collate))


class Annealed(Net):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * min(1.0, self.global_step / 10)


class ByEpoch(Net):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * 0.9**self.current_epoch


class Alternating(Net):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * (1 + batch_idx % 2)


class Nothing(Net):
    def training_step(self, batch, batch_idx):
        return {"loss_of_mine": super().training_step(batch, batch_idx)}


class Read(Net):
    """Reads the loss as a number."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.last = loss.item()
        return loss


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Annealed, "training_step reads self.global_step, which stays 0 in a comparison"),
        (ByEpoch, "training_step reads self.current_epoch"),
        (Alternating, "training_step's loss depends on batch_idx: .* with 0, .* with 1"),
        (Nothing, "training_step returned {'loss_of_mine': tensor"),
        (Read, "the loss of each sample could not be had: RuntimeError"),
    ],
)
def test_a_step_that_is_no_function_of_weights_and_batch_is_taken_with_losses(module, message):
    with pytest.raises(InputError, match=rf"{message}(.|\n)*Give LightningTask\(losses=\.\.\.\)"):
        made(module)
    task = made(module, losses=sample_losses)
    check_task(task, "here")
    net = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.train, torch.arange(10), task.collate)
    torch.testing.assert_close(task.losses(task.outputs(net, batch), batch), sample_losses(net, batch))


def test_given_losses_do_not_know_how_long_training_has_gone_on_either():
    with pytest.raises(InputError, match=r"losses reads self\.global_step"):
        made(losses=lambda module, batch: sample_losses(module, batch) * min(1, module.global_step))


class Counting(Net):
    """Counts for itself, as the message about ``global_step`` says."""

    def __init__(self):
        super().__init__()
        self.register_buffer("taken", torch.zeros(()))

    def training_step(self, batch, batch_idx):
        self.taken += 1
        return super().training_step(batch, batch_idx) * torch.clamp(self.taken / 10, max=1.0)


def test_a_module_that_counts_for_itself_is_taken():
    session = Session(made(Counting), adamw, seed=0)
    losses = [session.step() for _ in range(3)]
    assert session.model.taken == 3
    plain = Session(made(Net), adamw, seed=0)
    assert losses[0] == pytest.approx(plain.step() / 10, rel=1e-5)
