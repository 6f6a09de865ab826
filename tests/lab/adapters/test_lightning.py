"""A Lightning module as a task: losses, steps and scores are Lightning's own."""

import copy
import importlib
import random

import numpy as np
import pytest
import torch
import torchmetrics
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset, WeightedRandomSampler, random_split

from trimtab import LightningTask, Metric, Session
from trimtab.lab.task import select, take_rows
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

ACCURACY = Metric("val_acc", "max")
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(100, 6, generator=generator)
    return TensorDataset(inputs, (inputs @ torch.randn(6, 3, generator=generator)).argmax(1))


class Net(LightningModule):
    dropout = 0.0

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.ReLU(), nn.Dropout(self.dropout))
        self.head = nn.Linear(16, 3)

    def forward(self, inputs):
        return self.head(self.net(inputs))

    def training_step(self, batch, batch_idx):
        loss = functional.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        outputs = self(batch[0])
        self.log("val_loss", functional.cross_entropy(outputs, batch[1]))
        self.log("val_acc", (outputs.argmax(1) == batch[1]).float().mean())


class Dropped(Net):
    dropout = 0.5


class Normalised(Net):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU())


class Counted(Net):
    """Has a metric with a state, for training and for validation."""

    def __init__(self):
        super().__init__()
        self.seen, self.hits = (torchmetrics.Accuracy("multiclass", num_classes=3) for _ in range(2))

    def training_step(self, batch, batch_idx):
        self.seen(self(batch[0]), batch[1])
        return {"loss": super().training_step(batch, batch_idx)}

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.hits(self(batch[0]), batch[1])
        self.log("val_hits", self.hits)


class Split(LightningDataModule):
    """Draws its split without a seed."""

    def setup(self, stage):
        self.parts = random_split(data(), [60, 23, 17])

    def train_dataloader(self):
        return DataLoader(self.parts[0], batch_size=10, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], batch_size=7, num_workers=2)


class SplitInThree(Split):
    def test_dataloader(self):
        return [DataLoader(self.parts[2], batch_size=7)]


def loaders():
    whole = data()
    parts = Subset(whole, range(60)), Subset(whole, range(60, 83)), Subset(whole, range(83, 100))
    return tuple(DataLoader(part, batch_size=size) for part, size in zip(parts, (10, 7, 7), strict=True))


def sample_losses(module, batch):
    return functional.cross_entropy(module(batch[0]), batch[1], reduction="none")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((Net, loaders), "metric=None: LightningTask needs one .*Metric\\('val_acc', 'max'\\)"),
        ((Net, loaders, ACCURACY), "steps is missing: .* such as steps=2000"),
        ((Net, loaders, ACCURACY, 2.5), "steps=2.5: a whole number is needed"),
        (
            (Net(), loaders, ACCURACY, 6),
            "make_module is a Net: a function that makes the module, .* without calling it",
        ),
        ((Net, loaders(), ACCURACY, 6), "make_data is a tuple: a function that makes the data module or the DataL"),
    ],
    ids=["no metric", "no steps", "half a step", "a module", "loaders"],
)
def test_what_is_missing_or_made_already_is_said_with_what_to_do(given, message):
    values = dict(zip(("make_module", "make_data", "metric", "steps"), given, strict=False))
    with pytest.raises(InputError, match=message):
        LightningTask(**values)


def made(module=Net, make_data=loaders, metric=ACCURACY, steps=6, **more):
    return LightningTask(module, make_data, metric=metric, steps=steps, **more)


def adamw(net):
    return torch.optim.AdamW(net.parameters(), lr=1e-2)


@pytest.mark.parametrize("rows", [slice(None), [7, 0, 3]], ids=["a batch", "a part"])
def test_losses_are_those_of_the_samples(rows):
    task = made()
    check_task(task, "here")
    net = task.model(torch.Generator().manual_seed(0))
    batch = select(take_rows(task.train, torch.arange(10), task.collate), rows)
    found = task.losses(task.outputs(net, batch), batch)
    expected = sample_losses(net, batch)
    torch.testing.assert_close(found, expected)
    ours, theirs = (torch.autograd.grad(loss.mean(), net.parameters()) for loss in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_dropout_differs_between_samples():
    task = made(Dropped)
    net = task.model(torch.Generator().manual_seed(0))
    batch = [tensor.expand(10, *tensor.shape) for tensor in task.train[0]]
    assert len(task.losses(task.outputs(net, batch), batch).unique()) > 5


def test_second_derivatives_pass_through():
    task = made()
    net = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.train, torch.arange(10), task.collate)
    found = []
    for losses in (task.losses(task.outputs(net, batch), batch), sample_losses(net, batch)):
        (gradient,) = torch.autograd.grad(losses.mean(), net.head.weight, create_graph=True)
        found += torch.autograd.grad(gradient.square().sum(), net.head.weight)
    torch.testing.assert_close(*found)
    assert found[0].abs().sum() > 0


class ByHand(Net):
    def training_step(self, batch, batch_idx):
        return -self(batch[0]).log_softmax(1).gather(1, batch[1][:, None]).mean()


@pytest.mark.parametrize(
    ("module", "losses"),
    [(Net, None), (ByHand, None), (Net, sample_losses), (Normalised, None), (Counted, None)],
    ids=["recorded", "vectorised", "given", "batch normalisation", "a metric"],
)
def test_steps_are_lightnings_on_the_same_batches(module, losses):
    task = made(module, losses=losses)
    session = Session(task, adamw, seed=3)
    start = copy.deepcopy(session.model)
    rows, taken = [], []
    for _ in range(task.steps):
        taken.append(session.step())
        rows += session._stream.rows.tolist()
    assert len(rows) == 60 == len(set(rows))
    logged = []
    start.configure_optimizers = lambda: adamw(start)
    start.on_train_batch_end = lambda outputs, *_: logged.append(float(outputs["loss"]))
    ordered = DataLoader(Subset(task.train, rows), batch_size=10)
    Trainer(max_epochs=1, log_every_n_steps=1, **QUIET).fit(start, ordered)
    assert taken == pytest.approx(logged, rel=1e-5)
    for ours, theirs in zip(session.model.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(session.model.buffers(), start.buffers(), strict=True):  # running statistics
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("module", "metric", "losses"), [(Net, "val_acc", None), (Counted, "val_hits", sample_losses)])
def test_scores_are_those_of_validate(module, metric, losses):
    task = made(module, metric=Metric(metric, "max"), losses=losses)
    session = Session(task, adamw, seed=0)
    session.step()
    modes = [part.training for part in session.model.modules()]
    state = copy.deepcopy(session.snapshot())
    for split, loader in zip(("validation", "test"), loaders()[1:], strict=True):
        found = session.evaluate(split)
        (expected,) = Trainer(**QUIET).validate(copy.deepcopy(session.model), loader, verbose=False)
        assert found.loss == pytest.approx(expected["val_loss"], rel=1e-6)
        assert found.metric == pytest.approx(expected[metric], rel=1e-6)
    assert [part.training for part in session.model.modules()] == modes
    assert all(torch.equal(state["model"][name], tensor) for name, tensor in session.snapshot()["model"].items())
    session.step()  # is attached to no Trainer


class Written(Normalised):
    """Writes its loss out, so that nobody can see the samples in it."""

    def training_step(self, batch, batch_idx):
        return -self(batch[0]).log_softmax(1)[range(len(batch[1])), batch[1]].mean()


def test_a_step_of_which_nobody_can_tell_the_samples_needs_losses():
    with pytest.raises(
        InputError, match=r"the loss of each sample could not be had(.|\n)*LightningTask\(losses=\.\.\.\)"
    ):
        made(Written)
    check_task(made(Written, losses=sample_losses), "here")


def test_losses_with_another_mean_are_refused():
    with pytest.raises(InputError, match=r"the mean of the samples' losses is .* training_step's loss is"):
        made(losses=lambda module, batch: 1.001 * sample_losses(module, batch))
    with pytest.raises(InputError, match=r"losses of shape \(\) for 10 samples"):
        made(losses=lambda module, batch: module.training_step(batch, 0))


class Attached(Net):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * self.trainer.num_training_batches


class Manual(Net):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


class Clipped(Net):
    def configure_gradient_clipping(self, *arguments, **more):
        pass


class Augmented(SplitInThree):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch


class Skipped(Net):
    def training_step(self, batch, batch_idx):
        return None


class Stream(IterableDataset):
    def __iter__(self):
        return iter(data())


def test_losses_stand_in_for_a_step_that_needs_a_trainer():
    check_task(made(Attached, losses=sample_losses), "here")


def with_training_loader(loader):
    return lambda: (loader, *loaders()[1:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": Attached}, "Attached is not attached to a `Trainer`"),
        ({"module": Manual}, "Manual optimises by itself"),
        ({"module": Clipped}, "Clipped.configure_gradient_clipping is not called"),
        ({"module": Skipped}, "training_step returned None"),
        ({"module": lambda: nn.Linear(6, 3)}, "make_module returned a Linear, expected a LightningModule"),
        ({"make_data": Augmented}, "Augmented.on_after_batch_transfer is not called"),
        ({"make_data": lambda: loaders()[:1]}, "make_data returned 1 loaders"),
        ({"make_data": data}, "make_data returned a TensorDataset, expected a LightningDataModule"),
        ({"make_data": with_training_loader(DataLoader(Stream(), batch_size=3))}, "Stream is an iterable data set"),
        ({"make_data": with_training_loader(data())}, "training data: one DataLoader is needed, got"),
        ({"make_data": with_training_loader(DataLoader(data(), batch_sampler=[[0, 1]]))}, "has a batch sampler"),
        (
            {"make_data": with_training_loader(DataLoader(data(), 4, sampler=WeightedRandomSampler([1.0] * 100, 100)))},
            "the order of WeightedRandomSampler cannot be kept",
        ),
        ({"metric": Metric("val_f1", "max")}, "metric='val_f1' is not what validation_step logs, .*val_loss, val_acc"),
        ({"loss": "loss"}, "loss='loss' is not what validation_step logs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_taken_over_is_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        made(**changes)


def test_a_split_without_a_seed_is_the_same_in_every_process():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    one, other = made(make_data=SplitInThree), made(make_data=SplitInThree)
    for split in ("train", "validation", "test"):
        assert getattr(one, split).indices == getattr(other, split).indices
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]  # noqa: NPY002
    assert (one.batch_size, one.steps, one.name) == (10, 6, "Net")


def test_without_test_data_half_of_the_validation_data_is_set_aside():
    task = made(make_data=Split)
    assert (len(task.train), len(task.validation), len(task.test)) == (60, 12, 11)
    assert sorted(task.validation.indices + task.test.indices) == list(range(23))


def test_modules_are_the_same_from_a_seed():
    task = made()
    one, same, other = (task.model(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_a_collate_function_is_taken_over():
    def doubled(rows):
        inputs, targets = zip(*rows, strict=True)
        return {"x": torch.stack(inputs) * 2, "y": torch.stack(targets)}

    class Named(Net):
        def training_step(self, batch):
            return super().training_step((batch["x"], batch["y"]), 0)

        def validation_step(self, batch, batch_idx):
            super().validation_step((batch["x"], batch["y"]), batch_idx)

    parts = [data(), Subset(data(), range(20))]
    task = made(Named, lambda: [DataLoader(part, batch_size=10, collate_fn=doubled) for part in parts])
    check_task(task, "here")
    session = Session(task, adamw, seed=0)
    batch = session.next_batch()
    assert torch.equal(batch["x"], data().tensors[0][session._stream.rows] * 2)


def test_the_other_package_of_lightning_will_do():
    package = importlib.import_module("pytorch_lightning")
    body = {name: value for name, value in vars(Net).items() if name.endswith("_step") or name == "forward"}

    def build(self):
        package.LightningModule.__init__(self)
        self.net, self.head = nn.Linear(6, 16), nn.Linear(16, 3)

    other = type("Other", (package.LightningModule,), {**body, "__init__": build})
    task = made(other)
    check_task(task, "here")
    assert isinstance(task.model(torch.Generator()), package.LightningModule)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("trimtab.lab.adapters.lightning.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'trimtab\[lightning\]'"):
        made()
