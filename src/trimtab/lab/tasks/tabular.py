"""Small tables: a perceptron that trains in a fraction of a second."""

from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from trimtab.lab.task import Batch, Task
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.splits import Rows, stratified_split, subsets
from trimtab.study.metric import Evaluation, Metric, Split


class BreastCancer(Task):
    """Is a tumour benign? 569 samples with 30 measurements of cell nuclei, which come with scikit-learn.

    A fixed, stratified split gives 341 samples to training and 114 each to validation and test. The measurements are
    standardised with the mean and standard deviation of the training samples.

    The data are those of W. N. Street, W. H. Wolberg and O. L. Mangasarian, *Nuclear feature extraction for breast
    tumor diagnosis*, 1993; UCI Machine Learning Repository, doi:10.24432/C5DW2B.
    """

    name = "breast-cancer"
    metric = Metric("accuracy", "max", target=0.97)
    batch_size = 32
    steps = 100
    seeds = 10
    tuning_seeds = 3

    def __init__(self) -> None:
        measurements, benign = _breast_cancer()
        parts = stratified_split(benign, (341, 114, 114))
        inputs = standardised(measurements, parts[0])
        self.train, self.validation, self.test = subsets((inputs, benign.to(torch.float32)), parts)

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds a perceptron with one hidden layer; its output is a logit."""
        return seeded(generator, lambda: _perceptron(30, 16))

    def losses(self, outputs: Float[Tensor, " batch"], batch: Batch) -> Float[Tensor, " batch"]:
        """Returns the binary cross-entropy of each sample."""
        return functional.binary_cross_entropy_with_logits(outputs, batch[1], reduction="none")

    def score(self, outputs: Float[Tensor, " batch"], batch: Batch) -> Float[Tensor, ""]:
        """Returns the accuracy."""
        return torch.eq(outputs > 0, batch[1] > 0.5).to(torch.float32).mean()


class Diabetes(Task):
    """How far will a patient's diabetes have progressed in a year? 442 patients, ten measurements each.

    The data come with scikit-learn and are used unscaled. A fixed split, stratified by fifths of the target, gives 266
    patients to training and 88 each to validation and test. Measurements and target are standardised with the mean and
    standard deviation of the training samples, so that a loss of 1 is what guessing their mean costs. Linear regression
    explains 0.42 of the validation targets' variance, and a network hardly more: what tells methods apart is how much
    noise they learn by heart.

    The data are those of B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, *Least angle regression*, Annals of
    Statistics 32(2), 2004.
    """

    name = "diabetes"
    metric = Metric("R²", "max", target=0.4)
    batch_size = 32
    steps = 100
    seeds = 10
    tuning_seeds = 3

    def __init__(self) -> None:
        measurements, progression = _diabetes()
        parts = stratified_split(fifths(progression), (266, 88, 88))
        tensors = (standardised(measurements, parts[0]), standardised(progression, parts[0]))
        self.train, self.validation, self.test = subsets(tensors, parts)

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds a perceptron with one hidden layer."""
        return seeded(generator, lambda: _perceptron(10, 32))

    def losses(self, outputs: Float[Tensor, " batch"], batch: Batch) -> Float[Tensor, " batch"]:
        """Returns the squared error of each sample, in units of the training targets' variance."""
        return functional.mse_loss(outputs, batch[1], reduction="none")

    def score(self, outputs: Float[Tensor, " batch"], batch: Batch) -> Float[Tensor, ""]:
        """Returns R² with the training targets' variance, which is one, in place of the batch's.

        On a few samples their own variance would say little, and on one it would be zero.
        """
        return 1 - self.losses(outputs, batch).mean()

    def evaluate(self, model: nn.Module, split: Split = "validation") -> Evaluation:
        """Scores a model on a whole split; the metric is R² with the split's own variance."""
        loss = super().evaluate(model, split).loss
        targets: Float[Tensor, " samples"] = getattr(self, split).tensors[1]
        return Evaluation(loss, 1 - loss / float(targets.double().var(correction=0)))


def standardised(values: Float[Tensor, "samples *columns"], rows: Rows) -> Float[Tensor, "samples *columns"]:
    """Shifts and scales each column so that the given rows have mean zero and variance one."""
    return ((values - values[rows].mean(0)) / values[rows].std(0, correction=0)).to(torch.float32)


def fifths(values: Float[Tensor, " samples"]) -> Int[Tensor, " samples"]:
    """Returns which fifth of the values each belongs to: 0 for the smallest."""
    ranks = values.argsort(stable=True).argsort()
    return ranks * 5 // len(values)


def _perceptron(inputs: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0))


@cache
def _breast_cancer() -> tuple[Float[Tensor, "samples 30"], Int[Tensor, " samples"]]:
    from sklearn.datasets import load_breast_cancer

    return _float64(load_breast_cancer(return_X_y=True), torch.int64)


@cache
def _diabetes() -> tuple[Float[Tensor, "samples 10"], Float[Tensor, " samples"]]:
    from sklearn.datasets import load_diabetes

    return _float64(load_diabetes(return_X_y=True, scaled=False), torch.float64)


def _float64(arrays: tuple[Any, Any], targets: torch.dtype) -> tuple[Tensor, Tensor]:
    return torch.tensor(arrays[0], dtype=torch.float64), torch.tensor(arrays[1], dtype=targets)
