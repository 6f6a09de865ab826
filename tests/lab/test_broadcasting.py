"""A loss or a score that compares every output with every target is noticed, and no other one is."""

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss, normalize
from torch.utils.data import TensorDataset

from trimtab import Metric, Task
from trimtab.lab.broadcasting import scores_pairs
from trimtab.lab.task import select
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

SAMPLES = 40


class Regression(Task):
    """One number from five, with batch statistics and dropout in the model."""

    name, metric, batch_size, steps = "numbers", Metric("error", "min"), 8, 5
    targets = torch.randn(SAMPLES, generator=torch.Generator().manual_seed(1))

    def __init__(self):
        inputs = torch.randn(SAMPLES, 5, generator=torch.Generator().manual_seed(0))
        self.train = self.validation = self.test = TensorDataset(inputs, self.targets)

    def model(self, generator):
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))

    def losses(self, outputs, batch):
        return (outputs.squeeze(1) - batch[1]).square()

    def score(self, outputs, batch):
        return self.losses(outputs, batch).mean()


def task(losses, targets=Regression.targets, **parts):
    parts = {"losses": lambda self, outputs, batch: losses(outputs, batch[1]), "targets": targets, **parts}
    return type("Changed", (Regression,), parts)()


SORTED = (torch.arange(SAMPLES) >= SAMPLES // 2).float()


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
@pytest.mark.parametrize(
    ("losses", "targets"),
    [
        (lambda outputs, targets: (outputs - targets).square().mean(1), Regression.targets),
        (lambda outputs, targets: (outputs - targets).square().mean(0), Regression.targets),
        (lambda outputs, targets: (outputs - targets).abs().sum(1), Regression.targets),
        (lambda outputs, targets: mse_loss(outputs, targets, reduction="none").mean(-1), Regression.targets),
        (
            lambda outputs, targets: (nn.functional.softplus(outputs) - outputs * targets).mean(1),
            SORTED,
        ),
        (lambda outputs, targets: (outputs - targets).square().mean(1), 1e6 * Regression.targets),
    ],
    ids=["rows", "columns", "sum", "torch's own", "classes in order", "giant"],
)
def test_a_broadcast_loss_is_refused(losses, targets):
    with pytest.raises(
        InputError, match=r"here\.losses compares every sample's output with the targets of all.*squeeze"
    ):
        check_task(task(losses, targets), "here")


ONE = {"batch_size": 1, "model": lambda self, generator: nn.Linear(5, 1)}
"""Where batches are of one sample, and cannot be normalised."""


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
def test_a_broadcast_loss_is_refused_where_a_batch_is_one_sample():
    with pytest.raises(InputError, match=r"here\.losses compares every sample's output with the targets of all"):
        check_task(task(lambda outputs, targets: (outputs - targets).square().mean(1), **ONE), "here")


def contrastive(outputs, targets):
    """Each sample against all others of the batch, as in CLIP."""
    both = normalize(torch.cat([outputs, outputs.square() + 0.1, outputs.cos()], 1), dim=1)
    return cross_entropy(both @ both.T / 0.1 + 0 * targets, torch.arange(len(both)), reduction="none")


def over_labels(outputs, targets):
    """Divided by how many labels the whole batch has, as language models' losses are."""
    counted = targets > 0
    return (outputs.squeeze(1) - targets).square() * counted * len(targets) / counted.sum().clamp(min=1)


@pytest.mark.parametrize(
    ("losses", "parts"),
    [
        (lambda outputs, targets: (outputs.squeeze(1) - targets).square(), {}),
        (lambda outputs, targets: (outputs - targets.unsqueeze(1)).square().mean(1), {}),
        (lambda outputs, targets: (outputs.squeeze() - targets).square(), {}),
        (
            lambda outputs, targets: binary_cross_entropy_with_logits(
                outputs[:, 0], (targets > 0).float(), reduction="none"
            ),
            {},
        ),
        (contrastive, {}),
        (over_labels, {}),
        (lambda outputs, targets: (outputs.squeeze(1) - targets).square() / outputs.std(), {}),
        (lambda outputs, targets: (outputs.squeeze(1) - targets).square() + outputs.mean(), {}),
        (lambda outputs, targets: (outputs.squeeze(1) - targets).square() * torch.rand(len(outputs)), {}),
        (lambda outputs, targets: (outputs.squeeze(1) - targets).square(), {"batch_size": 2}),
        (lambda outputs, targets: (outputs - targets).square().mean(1), {"targets": torch.zeros(SAMPLES)}),
    ],
    ids=[
        *("plain", "both of rank two", "not for one sample", "classes", "contrastive", "over labels", "scaled"),
        *("penalised", "random", "batches of two", "all targets are the same, and nothing is wrong yet"),
    ],
)
def test_any_other_loss_passes(losses, parts):
    check_task(task(losses, **parts), "here")


def right(outputs, targets):
    return (outputs > 0) == (targets > 0)


@pytest.mark.parametrize(
    "score",
    [
        lambda outputs, targets: right(outputs, targets).float().mean(),
        lambda outputs, targets: right(outputs, targets).sum() / len(targets),
        lambda outputs, targets: int(right(outputs, targets).sum()),
        lambda outputs, targets: (outputs - targets).abs().mean(),
        lambda outputs, targets: float(right(outputs.numpy(force=True), targets.numpy()).mean()),
    ],
    ids=["accuracy", "sum over count", "sum", "error", "numpy"],
)
@pytest.mark.parametrize("size", [ONE, {}], ids=["one", "eight"])
def test_a_broadcast_score_is_refused(score, size):
    parts = {"score": lambda self, outputs, batch: score(outputs, batch[1]), **size}
    with pytest.raises(
        InputError, match=r"here\.score compares every sample's output with the targets of all.*squeeze"
    ):
        check_task(task(lambda outputs, targets: (outputs.squeeze(1) - targets).square(), **parts), "here")


def r2(outputs, targets):
    return 1 - (outputs[:, 0] - targets).square().mean() / targets.var()


@pytest.mark.parametrize(
    "score",
    [
        lambda outputs, targets: right(outputs[:, 0], targets).float().mean(),
        lambda outputs, targets: right(outputs[:, 0], targets).sum(),
        lambda outputs, targets: f1_score(targets > 0, outputs[:, 0] > 0, zero_division=0),
        lambda outputs, targets: balanced_accuracy_score(targets > 0, outputs[:, 0] > 0),
        lambda outputs, targets: (outputs.mean() - targets.mean()).abs(),
        lambda outputs, targets: outputs.mean(),
        lambda outputs, targets: outputs.max(),
        lambda outputs, targets: len(targets),
        lambda outputs, targets: targets.std(),
        r2,
    ],
    ids=["accuracy", "sum", "F1", "balanced", "bias", "mean", "largest", "count", "spread", "R2"],
)
@pytest.mark.parametrize("targets", [Regression.targets, torch.zeros(SAMPLES), SORTED])
@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning", "ignore:A single label:UserWarning")
def test_any_other_score_passes(score, targets):
    kept = task(lambda outputs, targets: (outputs.squeeze(1) - targets).square(), targets)
    samples = 12
    outputs = torch.randn(samples, 1, generator=torch.Generator().manual_seed(2))
    batch = (None, kept.validation.tensors[1][:: SAMPLES // samples][:samples])
    assert not scores_pairs(lambda o, b: score(o, b[1]), outputs, batch, samples, select)
