"""Linear decay is the schedule to beat, and its refinement from gradient norms beats it (Defazio et al., 2023)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from trimtab.claims.claim import Arm, Builder, Chosen, Claim, Contest, Panel, Run, Statement, less, numbered, seeds
from trimtab.claims.schedules import scheduled
from trimtab.claims.tasks import budgeted
from trimtab.lab.task import Task
from trimtab.lab.tasks.digits import Digits
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.lab.tasks.seeding import seeded
from trimtab.schedule.refined.in_session import Refined

TUNING_SEEDS = seeds(0, 2)
TEST_SEEDS = seeds(1000, 10)
WARM_UP = 0.05
CLAIMED = 0.02


class Pixels(Digits):
    """The images of :class:`~trimtab.lab.tasks.digits.Digits` as 64 numbers, without smoothed labels.

    Args:
        hidden: units of a hidden layer; without one it is softmax regression.
    """

    name = "digits-pixels"
    label_smoothing = 0.0

    def __init__(self, hidden: int | None) -> None:
        super().__init__()
        self.hidden = hidden

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the model."""
        return seeded(generator, self._layers)

    def _layers(self) -> nn.Module:
        if self.hidden is None:
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        return nn.Sequential(nn.Flatten(), nn.Linear(64, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 10))


def pixels(hidden: int | None, share: float) -> Task:
    """Returns a task with images, for 400 batches of 50, or a share of them."""
    return budgeted(Pixels(hidden), 50, round(20_000 * share))


def text(share: float) -> Task:
    """Returns the language model, for 120 batches of 16, or a share of them."""
    return budgeted(PythonLM(), 16, round(1920 * share))


def momentum(model: nn.Module, settings: Chosen) -> Optimizer:
    """Builds gradient descent with momentum."""
    return SGD(model.parameters(), lr=settings["lr"], momentum=0.9)


def adamw(model: nn.Module, settings: Chosen) -> Optimizer:
    """Builds AdamW."""
    return AdamW(model.parameters(), lr=settings["lr"])


@dataclass(frozen=True)
class Problem:
    """Something to learn, and how.

    Args:
        task: makes the task, for a share of the budget.
        build: makes the optimizer.
        rates: learning rates that are tried.
        warm_up: of every schedule, as a share of the run.
    """

    task: Callable[[float], Task]
    build: Callable[[nn.Module, Chosen], Optimizer]
    rates: tuple[float, ...]
    warm_up: float


PROBLEMS: Mapping[str, Problem] = {
    "regression, momentum": Problem(partial(pixels, None), momentum, numbered(0.01, 2, 7), 0.0),
    "network, momentum": Problem(partial(pixels, 128), momentum, numbered(0.005, 2, 7), 0.0),
    "network, adamw": Problem(partial(pixels, 128), adamw, numbered(5e-4, 2, 7), WARM_UP),
    "transformer, adamw": Problem(text, adamw, numbered(6.25e-4, 2, 7), WARM_UP),
}


def constant(_progress: float, _step: int) -> float:
    """Stays."""
    return 1.0


def inverse_root(_progress: float, step: int) -> float:
    """Falls with the root of the step's number."""
    return 1 / math.sqrt(1 + step)


def steps_down(progress: float, _step: int) -> float:
    """Falls by ten at a half and at three quarters of the run."""
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01


def cosine(progress: float, _step: int) -> float:
    """Falls to zero along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def linear(progress: float, _step: int) -> float:
    """Falls to zero in a straight line."""
    return 1 - progress


SHAPES: Mapping[str, Callable[[float, int], float]] = {
    "constant": constant,
    "inverse root": inverse_root,
    "step": steps_down,
    "cosine": cosine,
    "linear": linear,
}


def factor(shape: Callable[[float, int], float], steps: int, warm_up: float) -> Callable[[int], float]:
    """Returns a factor that rises linearly over the warm-up, and then follows the shape."""
    rising = round(warm_up * steps)

    def of_step(taken: int) -> float:
        if taken < rising:
            return (taken + 1) / rising
        return shape(min(1.0, (taken - rising) / (steps - rising)), taken - rising)

    return of_step


def fixed(problem: str, schedule: str, model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds a problem's optimizer with a schedule that is known before the run."""
    posed = PROBLEMS[problem]
    return scheduled(posed.build(model, settings), factor(SHAPES[schedule], run.steps, posed.warm_up))


def refined(problem: str, model: nn.Module, settings: Chosen, _: Run) -> Refined:
    """Builds a problem's optimizer with a schedule for which half of the budget pays."""
    posed = PROBLEMS[problem]
    return Refined(posed.build(model, settings), warmup=posed.warm_up)


def _arm(problem: str, schedule: str, build: Builder, share: float = 1.0) -> Arm:
    posed, name = PROBLEMS[problem], f"{schedule}, {problem}"
    task, grid = partial(posed.task, share), {"lr": posed.rates}
    return Arm(name, task, build, grid, TUNING_SEEDS, TEST_SEEDS, evaluations=1)


def _arms() -> tuple[Arm, ...]:
    arms = []
    for problem in PROBLEMS:
        arms += [_arm(problem, schedule, partial(fixed, problem, schedule)) for schedule in SHAPES]
        arms.append(_arm(problem, "linear for half as long", partial(fixed, problem, "linear"), 0.5))
        arms.append(_arm(problem, "refined", partial(refined, problem)))
    return tuple(arms)


def mean_ratio(*losses: float) -> float:
    """Returns by which share the method's losses, the first half, are lower, as the mean of logarithms of ratios."""
    half = len(losses) // 2
    return sum(math.log(losses[half + i] / losses[i]) for i in range(half)) / half


def not_much_worse(*losses: float) -> float:
    """Returns how far the method stays from being worse by the margin."""
    return mean_ratio(*losses) + CLAIMED


def _over_all(
    method: str,
    baseline: str,
    claimed: float,
    improvement: Callable[..., float] = mean_ratio,
    *,
    decides: bool = True,
) -> Statement:
    name = f"{method} against {baseline}"
    if improvement is not_much_worse:
        name = f"{method} against {1 + CLAIMED:g} times {baseline}"
    arms = tuple(f"{schedule}, {problem}" for schedule in (method, baseline) for problem in PROBLEMS)
    return Statement(name, "test loss", arms, improvement, claimed, "mean log ratio of losses", decides=decides)


def _on(problem: str, method: str, baseline: str) -> Statement:
    arms = (f"{method}, {problem}", f"{baseline}, {problem}")
    return Statement(f"{method} against {baseline}, {problem}", "test loss", arms, less, 0.0, "nats", decides=False)


CLAIM = Claim(
    id="refined",
    paper=(
        "Linear decay matches or outperforms all common schedules, cosine decay among them; schedules that are refined "
        "from an earlier run's gradient norms do better still."
    ),
    reported=(
        "Ten deep-learning problems, several large language models and logistic regressions; the tables could not be "
        "checked. A review names a case, extended training for 30 epochs, in which a cosine was better than a line."
    ),
    statement=(
        f"Over four small problems with tuned learning rates, linear decay has a test loss at least {CLAIMED:.0%} "
        f"below that of a constant rate and not more than {CLAIMED:.0%} above that of a cosine; and a refined schedule "
        "has a lower one than linear decay in a run of the same length, and than linear decay for the same budget, of "
        "which half pays for the run whose norms it needs."
    ),
    protocol=(
        "Softmax regression and a network with 128 hidden units learn scikit-learn's digits from their 64 pixels, 400 "
        "batches of 50, with momentum 0.9, the network also with AdamW; a transformer of two layers of width 64 learns "
        "the next byte of Python's standard library, 120 batches of 16 windows of 64, with AdamW.",
        "Schedules: constant, inverse root of the step, a tenth at a half and again at three quarters, cosine, linear, "
        f"refined. With AdamW all of them warm up over {WARM_UP:.0%} of the steps, a refined one in its first run.",
        "Refined: half of the budget is a run with linear decay, whose norms are recorded (l2 for momentum, l1 for "
        "AdamW); then a run from the same start has the schedule that they make, with a median filter over a tenth of "
        "the run, and the other half of the budget. Both runs have the same learning rate as their peak.",
        "Each schedule on each problem: 7 learning rates, a factor of 2 apart, with "
        f"{len(TUNING_SEEDS)} seeds; then {len(TEST_SEEDS)} fresh seeds, the test loss at the end.",
        "Losses of four problems are put together as the mean of the logarithms of their ratios, seed by seed.",
        "A refined run is compared with linear decay of the same length, half of the budget, as in the paper, and with "
        "linear decay for all of the budget. Either alone would not do: where a network overfits, a shorter run is "
        "better whatever its schedule.",
    ),
    cut=(
        "Of four data sets for regression one; the transformer's run has 120 steps instead of 1,500, which takes 2 s "
        "of a processor, and there are some 170 of them.",
        "The training loss of the regression: rates are chosen by the validation loss, and so all are judged by the "
        "test loss.",
        "A second comparison in which baselines get twice as many learning rates: here the first run is charged.",
        "Seeds were added, 10 instead of 5.",
    ),
    full_scale=(
        "CIFAR-10 and CIFAR-100, ImageNet with ResNet-50, IWSLT14, GPT and RoBERTa, DLRM, MRI, RCNN, ViT: a first run "
        "with warm-up and linear decay, its norms, a second run; several seeds.",
        "Missing here: the data sets, the models and the accelerators.",
    ),
    arms=_arms(),
    comparisons=(
        _over_all("linear", "constant", CLAIMED),
        _over_all("linear", "cosine", 0.0, not_much_worse),
        _over_all("refined", "linear for half as long", 0.0),
        _over_all("refined", "linear", 0.0),
        _over_all("linear", "step", 0.0, decides=False),
        _over_all("linear", "inverse root", 0.0, decides=False),
        *(_on(problem, "linear", "cosine") for problem in PROBLEMS),
        *(_on(problem, "refined", "linear") for problem in PROBLEMS),
        *(_on(problem, "refined", "linear for half as long") for problem in PROBLEMS),
    ),
    panels=tuple(
        Panel(
            f"Test loss, {problem}",
            "test loss",
            "nats",
            (*SHAPES, "linear for half as long", "refined"),
            {problem: tuple(f"{name}, {problem}" for name in (*SHAPES, "linear for half as long", "refined"))},
        )
        for problem in PROBLEMS
    ),
    gist="linear decay is as good as any schedule, and a refined one is better",
    contests=(
        Contest("linear", "a constant rate", {"over four problems": "linear against constant, test loss"}),
        Contest(
            "linear",
            "a cosine",
            {
                f"on a {problem.replace(', ', ' with ')}": f"linear against cosine, {problem}, test loss"
                for problem in PROBLEMS
            },
        ),
        Contest(
            "refined",
            "linear decay",
            {
                "in a run of the same length": "refined against linear for half as long, test loss",
                "for the same budget": "refined against linear, test loss",
            },
        ),
    ),
)
