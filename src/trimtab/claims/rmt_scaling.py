"""Learning rates go with the batch or its root up to a knee that curvature foretells (Granziol et al., 2020)."""

import copy
import math
import statistics
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from trimtab.claims.claim import AnyArm, Arm, Chosen, Claim, Contest, OwnTrial, Panel, Run, Statement, numbered, seeds
from trimtab.claims.tasks import budgeted
from trimtab.lab.session import Session
from trimtab.lab.task import Task, samples_in
from trimtab.lab.tasks.digits import Digits
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.splits import subsets
from trimtab.schedule.rmt_scaling.in_session import LearnedByLanczos
from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur
from trimtab.schedule.rmt_scaling.task_curvature import task_curvature
from trimtab.study.errors import DivergedError
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter

BATCHES = (1, 2, 4, 8, 16, 32, 128, 512)
STEPS = 300
THRESHOLD = "threshold"
THRESHOLD_SEEDS = seeds(1000, 8)
SGD_SLOPE, ADAM_SLOPE = (0.75, 1.25), (0.35, 0.65)
KNEE_FACTOR = 4.0
NOISY_LABELS = 0.2

EPOCHS, BATCH = 40, 50
SAMPLES = EPOCHS * 1000
LEARNED, GRID = "learned, digits", "sgd, digits"
LOSS = "training loss"
CLAIMED_RATIO, MARGIN = 1.2, 1.0
TUNING_SEEDS, TEST_SEEDS = seeds(0, 2), seeds(1000, 10)


class Perceptron(Digits):
    """The images of :class:`~trimtab.lab.tasks.digits.Digits` for a network 64-256-10, without smoothing."""

    name = "digits-perceptron"
    label_smoothing = 0.0

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, lambda: _perceptron(64))


class NoisyLabels(Perceptron):
    """The same with a fifth of the training labels drawn anew."""

    name = "digits-noisy-labels"

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        images, labels = (tensor.clone() for tensor in self.train.tensors)  # type: ignore[attr-defined]  # a TensorDataset
        drawn = torch.rand(len(labels), generator=generator) < NOISY_LABELS
        labels[drawn] = torch.randint(0, 10, (int(drawn.sum()),), generator=generator)
        self.train = torch.utils.data.TensorDataset(images, labels)


class Teacher(Perceptron):
    """Ten classes of 20,000 normal vectors of 100 numbers, told apart by a random linear map."""

    name = "teacher"

    def __init__(self) -> None:
        inputs, targets = _taught()
        parts = torch.split(torch.arange(len(inputs)), [20_000, 500, 500])
        self.train, self.validation, self.test = subsets((inputs, targets), parts)

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, lambda: _perceptron(100))


@cache
def _taught() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(21_000, 100, generator=generator)
    return inputs, (inputs @ torch.randn(100, 10, generator=generator)).argmax(1)


def _perceptron(inputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 256), nn.Tanh(), nn.Linear(256, 10))


def largest_stable_rate(rule: Callable[..., Optimizer], task: Task, seed: int) -> float:
    """Returns the largest rate, in steps of the root of 2, after which the training loss is lower than at the start.

    It is sought upwards, by factors of 2 first: what is stable again beyond a rate that is not, does not count.
    """

    def is_stable(exponent: float) -> bool:
        run = Session(task, lambda model: rule(model.parameters(), lr=2.0**exponent), seed=seed, budget=10**9)
        before = run.evaluate("train").loss
        try:
            for _ in range(STEPS):
                run.step()
        except DivergedError:
            return False
        return run.evaluate("train").loss < before

    exponent = -4.0 if rule is SGD else -6.0
    while not is_stable(exponent):
        exponent -= 1
    while is_stable(exponent + 1):
        exponent += 1
    half = 0.5 if is_stable(exponent + 0.5) else 0.0
    return math.pow(2.0, exponent + half)


def foretold_knee(task: Task, seed: int) -> float:
    """Returns the batch size of the knee by Marchenko and Pastur's law, at initialisation."""
    fresh = Session(task, lambda model: SGD(model.parameters(), lr=0.1), seed=seed)
    size, samples = 1000, samples_in(task.train)
    return MarchenkoPastur.fitted(task_curvature(fresh, size, seed).gauss_newton, size, samples).knee


def measured_knee(rates: tuple[float, ...]) -> float:
    """Returns the K with which a / (1 + K / B) comes closest to the rates, by their logarithms."""

    def error(knee: float) -> float:
        return statistics.pvariance(
            [math.log(rate * (1 + knee / batch)) for rate, batch in zip(rates, BATCHES, strict=True)]
        )

    return min((math.exp2(k / 8) for k in range(-16, 113)), key=error)


def slope(rates: tuple[float, ...], knee: float) -> float:
    """Returns the slope of rates over batch sizes up to a knee, of the three smallest at least, by their logarithms."""
    count = max(3, sum(batch <= knee for batch in BATCHES))
    x = [math.log(batch) for batch in BATCHES[:count]]
    y = [math.log(rate) for rate in rates[:count]]
    middle, height = sum(x) / count, sum(y) / count
    return sum((a - middle) * (b - height) for a, b in zip(x, y, strict=True)) / sum((a - middle) ** 2 for a in x)


def sgd_slope(sign: int, bound: float, *rates: float) -> float:
    """Returns how far the slope of SGD's rates is on the right side of a bound."""
    return sign * (slope(rates, measured_knee(rates)) - bound)


def adam_slope(sign: int, bound: float, *rates: float) -> float:
    """The same of Adam's rates, which are the second half, up to the knee of SGD's, which are the first."""
    plain, adaptive = rates[: len(BATCHES)], rates[len(BATCHES) :]
    return sign * (slope(adaptive, measured_knee(plain)) - bound)


def knee_factor(sign: int, foretold: float, *rates: float) -> float:
    """Returns how many doublings the foretold knee is within the allowed factor of the measured one."""
    return math.log2(KNEE_FACTOR) - sign * math.log2(foretold / measured_knee(rates))


def below_ratio(own: float, best: float) -> float:
    """Returns by how many doublings a loss over another is below the allowed ratio; losses span decades."""
    return math.log2(CLAIMED_RATIO) - math.log2(own / best)


def above_margin(own: float, best: float) -> float:
    """Returns an accuracy less another in points, with the margin added."""
    return 100 * (own - best) + MARGIN


def final_loss(session: Session) -> Mapping[str, float]:
    """Returns the loss on all training data."""
    return {LOSS: session.evaluate("train").loss}


def learned(model: nn.Module, _: Chosen, run: Run) -> LearnedByLanczos:
    """Builds SGD whose rate and momentum are learned, a refresh every fifth epoch."""
    return LearnedByLanczos(SGD(model.parameters(), lr=0.01, momentum=0.9), every=100, seed=run.seed)


def tuned(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds SGD with momentum."""
    return SGD(model.parameters(), **settings)


TASKS: dict[str, type[Task]] = {"noisy digits": NoisyLabels, "teacher": Teacher}
RULES: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "adam": Adam}


def threshold(
    measured: Callable[[Task, int], float], task: type[Task], batch: int, point: Point, _report: Reporter
) -> Outcome:
    """Measures something of a task with a batch size, at the seed of a point."""
    sized = copy.copy(_made(task))
    sized.batch_size = batch
    return Outcome("complete", measures={THRESHOLD: measured(sized, point.seed)})


@cache
def _made(task: type[Task]) -> Task:
    return task()


def _name(rule: str, task: str, batch: int) -> str:
    return f"{rule}, {task}, batch {batch}"


def _arms() -> tuple[AnyArm, ...]:
    def arm(name: str, task: type[Task], batch: int, measured: Callable[[Task, int], float]) -> OwnTrial:
        return OwnTrial(name, partial(threshold, measured, task, batch), THRESHOLD_SEEDS)

    thresholds = [
        arm(_name(name, place, batch), task, batch, partial(largest_stable_rate, rule))
        for place, task in TASKS.items()
        for name, rule in RULES.items()
        for batch in BATCHES
    ]
    laws = [arm(f"law, {place}", task, 32, foretold_knee) for place, task in TASKS.items()]
    grid: dict[str, Any] = {"lr": numbered(4e-3, 10**0.5, 7), "momentum": (0, 0.5, 0.9, 0.98)}
    digits = partial(_digits, SAMPLES)
    return (
        *thresholds,
        *laws,
        Arm(LEARNED, digits, learned, {"lr": (0.01,)}, TUNING_SEEDS, TEST_SEEDS, probe=final_loss),
        Arm(GRID, digits, tuned, grid, TUNING_SEEDS, TEST_SEEDS, probe=final_loss),
    )


def _digits(samples: int) -> Task:
    return budgeted(Perceptron(), BATCH, samples)


def _comparisons(place: str) -> tuple[Statement, ...]:
    plain, adaptive = (tuple(_name(rule, place, batch) for batch in BATCHES) for rule in RULES)
    law = (f"law, {place}", *plain)

    def compared(name: str, arms: tuple[str, ...], improvement: Callable[..., float], unit: str) -> Statement:
        return Statement(f"{name}, {place}", THRESHOLD, arms, improvement, 0.0, unit)

    return (
        compared(f"SGD's slope above {SGD_SLOPE[0]}", plain, partial(sgd_slope, 1, SGD_SLOPE[0]), "of slope"),
        compared(f"SGD's slope below {SGD_SLOPE[1]}", plain, partial(sgd_slope, -1, SGD_SLOPE[1]), "of slope"),
        compared(
            f"Adam's slope above {ADAM_SLOPE[0]}", plain + adaptive, partial(adam_slope, 1, ADAM_SLOPE[0]), "of slope"
        ),
        compared(
            f"Adam's slope below {ADAM_SLOPE[1]}", plain + adaptive, partial(adam_slope, -1, ADAM_SLOPE[1]), "of slope"
        ),
        compared("knee not foretold too large", law, partial(knee_factor, 1), "doublings"),
        compared("knee not foretold too small", law, partial(knee_factor, -1), "doublings"),
    )


CLAIM = Claim(
    id="rmt_scaling",
    paper=(
        "By random matrix theory the largest learning rate goes with the batch size for SGD, and with its square root "
        "for Adam; a learner of rate and momentum by stochastic Lanczos quadrature does well without tuning."
    ),
    reported=(
        "No numbers in the abstract: the rules are validated with VGG and WideResNets on CIFAR-100 and ImageNet, and "
        "the learner shows good preliminary results on CIFAR-100. Rates of its code: for SGD 0.05, 0.1 and 0.2 at "
        "batches of 128, 256 and 512; for Adam 4e-4 and 5.6e-4 at 128 and 256."
    ),
    statement=(
        f"Below the knee, the slope of the largest stable rate over the batch size is in [{SGD_SLOPE[0]}, "
        f"{SGD_SLOPE[1]}] for SGD and in [{ADAM_SLOPE[0]}, {ADAM_SLOPE[1]}] for Adam; the knee that the curvature at "
        f"initialisation foretells is within a factor of {KNEE_FACTOR:g} of the measured one, on two tasks; and SGD "
        f"with learned rate and momentum ends, after as many gradients, with a training loss of at most "
        f"{CLAIMED_RATIO:g} times that of SGD tuned over 28 settings, and a test accuracy at most {MARGIN:g} point "
        "below."
    ),
    protocol=(
        f"A network of 64 (or 100), 256 and 10 units with tanh, on scikit-learn's digits with {NOISY_LABELS:.0%} of "
        "the training labels drawn anew, and on 20,000 normal vectors of 100 numbers in ten classes by a random "
        "linear map.",
        f"The largest stable rate: {STEPS} steps end with a lower training loss than they began with; in steps of the "
        f"root of 2, at batches of {', '.join(map(str, BATCHES))}, for plain SGD and for Adam, {len(THRESHOLD_SEEDS)} "
        "seeds.",
        "The measured knee is the K with which a / (1 + K/B) fits SGD's rates best. Slopes are taken up to it, over "
        "the three smallest batches at least, in logarithms; Adam's up to SGD's knee. All this by seed.",
        "The foretold knee is Marchenko and Pastur's, of the Gauss-Newton matrix at initialisation on 1,000 samples.",
        f"The learner: heavy ball, batches of {BATCH}, a refresh of 20 Lanczos steps on a batch every 100 steps, "
        f"which is charged like the steps; {EPOCHS} epochs' worth of gradients. SGD has as many, 7 rates two a decade "
        f"and 4 momenta, {len(TUNING_SEEDS)} seeds to tune and {len(TEST_SEEDS)} fresh ones, on digits as they are.",
        "Each bound is a comparison of its own.",
    ),
    cut=(
        "Least squares with 400 inputs, whose exact curve is known: a test of the library.",
        "Batches of 64, 256 and 1,024.",
        "Processor time as the measure of equal cost for the learner: the meter's gradients are used instead.",
        "One standard error of the test accuracy is taken as one point, which is about that of 397 images.",
    ),
    full_scale=(
        "Pre-ResNet-164 on CIFAR-100, 300 epochs, weight decay 5e-4, curvature of 32 samples, a refresh every epoch; "
        "WRN-28-10 and VGG-16 at batches from 64 to 8,192, and on ImageNet with 32x32 pixels.",
        "Missing here: CIFAR-100, ImageNet, these networks and graphics cards.",
    ),
    arms=_arms(),
    comparisons=(
        *(each for place in TASKS for each in _comparisons(place)),
        Statement("learned against tuned", LOSS, (LEARNED, GRID), below_ratio, 0.0, "doublings"),
        Statement("learned against tuned, accuracy", "test metric", (LEARNED, GRID), above_margin, 0.0, "points"),
    ),
    measures=(THRESHOLD,),
    panels=(
        Panel(
            "Largest stable rate by batch size",
            THRESHOLD,
            "learning rate",
            tuple(map(str, BATCHES)),
            {
                f"{rule}, {place}": tuple(_name(rule, place, batch) for batch in BATCHES)
                for place in TASKS
                for rule in RULES
            },
            ordered=True,
        ),
        Panel("Training loss", LOSS, "nats", ("digits",), {"learned": (LEARNED,), "tuned": (GRID,)}),
    ),
    gist="curvature foretells how rates grow with the batch, and learned ones match tuned ones",
    contests=(
        Contest(
            "rmt_scaling",
            "tuned SGD",
            {"": f"learned against tuned, {LOSS}"},
            allowance=f"{100 * CLAIMED_RATIO - 100:.0f} %",
        ),
    ),
)
