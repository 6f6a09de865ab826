"""AdAdaGrad gets the accuracy of small batches in a fraction of their steps (Lau, Liu & Kolar, 2024)."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import Adagrad, Optimizer

from trimtab.claims.claim import (
    Arm,
    Builder,
    Chosen,
    Claim,
    Contest,
    Panel,
    Run,
    Statement,
    more_points,
    numbered,
    seeds,
)
from trimtab.lab.problem import Workplace
from trimtab.lab.session import Session
from trimtab.lab.task import Task
from trimtab.lab.tasks.digits import Digits
from trimtab.lab.tasks.seeding import seeded
from trimtab.optim import AdaGradNorm
from trimtab.primitives.joint import norm_of
from trimtab.schedule.adadagrad.adaptive_batch import AdaptiveBatch

SAMPLES = 40_000
"""Of a run: 40 epochs of 1,000 images."""

FIRST = 4
BATCHES = (FIRST, 32, 256, 1000)
ETA, THETA, NU = 0.5, 0.5, 1.0
TUNING_SEEDS = seeds(0, 2)
TEST_SEEDS = seeds(1000, 20)
MARGIN = 1.0
CLAIMED_RATIO = 3.0
CLAIMED_SLOPE = 0.8
NOTED = frozenset(round(2 ** (k / 4)) for k in range(60))
"""Steps before which the whole gradient is taken."""

STEPS, SLOPE = "steps", "slope of the squared gradient norm"


class FlatDigits(Digits):
    """The images of :class:`~trimtab.lab.tasks.digits.Digits` as 64 numbers, without smoothed labels.

    Args:
        layers: makes the model.
        batch_size: of the first batch.
        run: what a run is.
    """

    name = "flat-digits"
    label_smoothing = 0.0

    def __init__(self, layers: Callable[[], nn.Module], batch_size: int, run: type[Session] = Session) -> None:
        super().__init__()
        self.layers, self.run = layers, run
        self.batch_size, self.steps = batch_size, SAMPLES // batch_size

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the model."""
        return seeded(generator, self.layers)

    def start(
        self, build: Callable[[nn.Module], Optimizer], *, seed: int, budget: int | None, place: Workplace
    ) -> Session:
        """Begins a run."""
        return self.run(self, build, seed=seed, budget=budget, device=place.device)


def regression() -> nn.Module:
    """Softmax regression."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def network() -> nn.Module:
    """A layer of 128 units more."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


MODELS = {"softmax regression": regression, "network": network}


class DoubledByHand(Session):
    """A run whose batch doubles whenever a fifth of the samples is used."""

    def step(self) -> float:
        """Takes one step, and sets the size of the next batch."""
        loss = super().step()
        self.batch_size = self.task.batch_size * 2 ** min(4, int(5 * self.progress))
        return loss


class Watched(Session):
    """A run that notes the squared norm of the whole training loss's gradient before the steps in ``NOTED``.

    What is noted is not charged, because it is no part of any method.

    Attributes:
        squared_norms: pairs of a step and the squared norm before it.
    """

    squared_norms: tuple[tuple[int, float], ...] = ()

    def step(self) -> float:
        """Takes one step."""
        step = self.steps + 1
        if step in NOTED:
            self.squared_norms += ((step, _whole_squared_norm(self)),)
        return super().step()


def _whole_squared_norm(session: Session) -> float:
    task, batch = session.task, session.task.train[:]  # a TensorDataset
    loss = task.losses(task.outputs(session.model, batch), batch).mean()
    return norm_of(torch.autograd.grad(loss, list(session.model.parameters()))) ** 2


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Returns the slope of the logarithm of the least value so far over that of the step, from the eighth step on."""
    least, xs, ys = math.inf, [], []
    for step, value in points:
        least = min(least, value)
        if step >= 8:
            xs.append(math.log(step))
            ys.append(math.log(least))
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def measured(session: Session) -> Mapping[str, float]:
    """Returns how many steps the run took, its last batch and, where it was watched, how fast the gradient vanished."""
    found = {STEPS: float(session.steps), "last batch": float(session.samples)}
    if isinstance(session, Watched):
        points = session.squared_norms
        found |= {SLOPE: slope(points), "least squared gradient norm": min(value for _, value in points)}
    return found


def adagrad(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds Adagrad."""
    return Adagrad(model.parameters(), lr=settings["lr"])


def adadagrad(test: Any, model: nn.Module, settings: Chosen, run: Run) -> AdaptiveBatch:
    """Builds Adagrad with a batch that a test sets."""
    return AdaptiveBatch(adagrad(model, settings, run), test=test, eta=ETA, theta=THETA, nu=NU)


def adagradnorm(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds AdaGrad-Norm."""
    return AdaGradNorm(model.parameters(), lr=settings["lr"])


def adadagradnorm(model: nn.Module, settings: Chosen, run: Run) -> AdaptiveBatch:
    """Builds AdaGrad-Norm with a batch that the norm test sets."""
    return AdaptiveBatch(adagradnorm(model, settings, run), eta=ETA)


RATES = {"lr": numbered(0.003, 3, 6)}
NORM_RATES = {"lr": numbered(0.1, 3, 6)}
TESTS = {"adadagrad": "norm", "adadagrad, augmented test": "augmented", "adadagrad, coordinate test": "coordinate"}


class Side(NamedTuple):
    """What runs, with batches of which size at first, and in what kind of run."""

    fill: Builder
    batch: int = FIRST
    run: type[Session] = Session


SIDES = {
    **{name: Side(partial(adadagrad, test)) for name, test in TESTS.items()},
    **{f"adagrad, batch {batch}": Side(adagrad, batch) for batch in BATCHES},
    "adagrad, doubled by hand": Side(adagrad, run=DoubledByHand),
}
WATCHED = {
    "adadagradnorm": Side(adadagradnorm, run=Watched),
    f"adagradnorm, batch {FIRST}": Side(adagradnorm, run=Watched),
}


def _task(model: str, side: Side) -> Task:
    return FlatDigits(MODELS[model], side.batch, side.run)


def _arm(name: str, model: str, side: Side, grid: Mapping[str, tuple[float, ...]]) -> Arm:
    task = partial(_task, model, side)
    return Arm(f"{name}, {model}", task, side.fill, grid, TUNING_SEEDS, TEST_SEEDS, evaluations=5, probe=measured)


def _arms() -> tuple[Arm, ...]:
    sides = [_arm(name, model, side, RATES) for model in MODELS for name, side in SIDES.items()]
    return (*sides, *(_arm(name, "softmax regression", side, NORM_RATES) for name, side in WATCHED.items()))


def at_most_a_margin_below(method: float, baseline: float) -> float:
    """Returns by how many points an accuracy stays above a margin below another."""
    return more_points(method, baseline) + MARGIN


def times_fewer(method: float, baseline: float) -> float:
    """Returns how many times as many steps the baseline takes."""
    return baseline / method


def steeper(method: float) -> float:
    """Returns by how much a slope is below zero."""
    return -method


def _comparisons(model: str) -> tuple[Statement, ...]:
    def against(
        what: str, baseline: str, measure: str, *, improvement: Callable[..., float], claimed: float, unit: str
    ) -> Statement:
        arms = (f"adadagrad, {model}", f"{baseline}, {model}")
        name = f"{what} {baseline.removeprefix('adagrad, ')}, {model}"
        return Statement(name, measure, arms, improvement, claimed, unit, decides="hand" not in baseline)

    points = partial(against, measure="test metric", unit="points")
    fewer = partial(against, measure=STEPS, improvement=times_fewer, unit="times fewer")
    first, last = (f"adagrad, batch {batch}" for batch in (FIRST, BATCHES[-1]))
    by_hand = "adagrad, doubled by hand"
    return (
        points(f"accuracy at most {MARGIN:g} point below", first, improvement=at_most_a_margin_below, claimed=0.0),
        fewer("steps beside", first, claimed=CLAIMED_RATIO),
        points("accuracy above", last, improvement=more_points, claimed=0.0),
        points("accuracy beside", by_hand, improvement=more_points, claimed=0.0),
        fewer("steps beside", by_hand, claimed=1.0),
    )


def _panel(title: str, measure: str, unit: str) -> Panel:
    series = {name: tuple(f"{name}, {model}" for model in MODELS) for name in SIDES}
    return Panel(title, measure, unit, tuple(MODELS), series)


CLAIM = Claim(
    id="adadagrad",
    paper=(
        "Batches that grow when the noise in their gradient outweighs it keep the generalisation of small batches and "
        "have the efficiency of large ones; AdAdaGrad-Norm's squared gradient norm falls as O(1/K) over K steps."
    ),
    reported=(
        "The rate is a theorem, for smooth losses, with high probability. The experiments on images are told in "
        "figures; no accuracies that could be checked."
    ),
    statement=(
        f"For softmax regression and a small network on digits, with as many samples seen: from batches of {FIRST} on, "
        f"Adagrad whose batch the norm test sets takes at least {CLAIMED_RATIO:g} times fewer steps than with batches "
        f"of {FIRST}, with a test accuracy at most {MARGIN:g} point below, and above that of batches of all "
        f"{BATCHES[-1]:,} samples. For softmax regression with AdaGrad-Norm and the norm test, the least squared norm "
        f"of the whole loss's gradient falls with a slope of -{CLAIMED_SLOPE:g} or steeper over the number of steps, "
        "on logarithmic scales."
    ),
    protocol=(
        "scikit-learn's digits, 1,000 images for training: softmax regression (650 parameters) and a network "
        f"64-128-10. A run sees {SAMPLES:,} samples; a test's gradients count once: their mean is the step's.",
        f"The norm and the coordinate test have eta = {ETA:g}, the augmented test theta = {THETA:g} and nu = {NU:g}, "
        "official settings for CIFAR; every step is tested, until the batch is all data. Only the norm test decides.",
        f"Baselines: Adagrad with batches of {', '.join(map(str, BATCHES))}, and with batches of {FIRST} that double "
        "after each fifth of the samples.",
        "Each side is tuned over six learning rates, a factor of 3 apart and further at the ends, with "
        f"{len(TUNING_SEEDS)} seeds; then {len(TEST_SEEDS)} fresh ones. Learning rates are constant.",
        "The whole loss's gradient is taken four times in each doubling of the steps; a line is fitted to its least "
        f"squared norm so far, from the eighth step on. With batches of {FIRST} the slope is reported beside it.",
    ),
    cut=(
        "Synthetic data of 20,000 samples. Seeds were added, 20 instead of five.",
        "Batches of all samples are compared after as many samples, not after as many steps, which would take fifty "
        "times the samples and more.",
        "Being dominated by the schedule by hand does not decide; both measures are reported beside it.",
    ),
    full_scale=(
        "Logistic regression and a small convolutional network on MNIST; ResNet-18 and ResNet-50 on CIFAR-10 and "
        "CIFAR-100, 10 million samples; ResNet-101 on ImageNet, 256 million; several accelerators with accumulation.",
        "Missing here: the data sets and the accelerators.",
    ),
    arms=_arms(),
    comparisons=(
        *(each for model in MODELS for each in _comparisons(model)),
        Statement(
            "slope of the squared gradient norm, adadagradnorm",
            SLOPE,
            ("adadagradnorm, softmax regression",),
            steeper,
            CLAIMED_SLOPE,
            "of slope, downwards",
        ),
        Statement(
            f"slope of the squared gradient norm, adagradnorm with batch {FIRST}",
            SLOPE,
            (f"adagradnorm, batch {FIRST}, softmax regression",),
            steeper,
            0.0,
            "of slope, downwards",
            decides=False,
        ),
    ),
    panels=(
        _panel("Test accuracy after as many samples", "test metric", "accuracy"),
        _panel("Steps", STEPS, "steps"),
    ),
    measures=(STEPS, SLOPE),
    gist="a third of the steps of small batches, hardly less accurate, and more than large ones",
    contests=(
        Contest(
            "adadagrad",
            f"Adagrad with batches of {FIRST}",
            {f"for a {model}": f"accuracy at most {MARGIN:g} point below batch {FIRST}, {model}" for model in MODELS},
            allowance=f"{MARGIN:g} point of accuracy",
        ),
        Contest(
            "adadagrad",
            f"Adagrad with batches of {BATCHES[-1]:,}",
            {f"for a {model}": f"accuracy above batch {BATCHES[-1]}, {model}" for model in MODELS},
        ),
    ),
)
