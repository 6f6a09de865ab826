"""AdaBelief beats Adam (Zhuang et al., 2020, arXiv:2010.07468), by its belief and not by the floor of its root."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from trimtab.claims.claim import (
    Arm,
    Builder,
    Chosen,
    Claim,
    Contest,
    Panel,
    Run,
    Statement,
    less,
    more_points,
    numbered,
    seeds,
)
from trimtab.claims.tasks import PlainDigits, RecurrentLM, budgeted
from trimtab.lab.task import Task
from trimtab.optim import AdaBelief
from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION, REPRESENTABLE, pair
from trimtab.study.tunable import Value

EPOCHS = 8
BATCH, WINDOWS = 32, 4800
RATES = numbered(1e-4, 10**0.5, 7)
TUNING_SEEDS = seeds(0, 2)
DIGITS_SEEDS = seeds(1000, 120)
TEXT_SEEDS = seeds(1000, 20)
CLAIMED_POINTS = 0.3
CLAIMED_NATS = 0.01

SMALL_EPS = (1e-16, 1e-12, 1e-8)
ADAM_EPS = (1e-8, 1e-6, 1e-4)
GRIDS: dict[str, Mapping[str, tuple[Value, ...]]] = {
    "adabelief": {"lr": RATES, "eps": SMALL_EPS},
    "adam": {"lr": RATES, "eps": ADAM_EPS},
    "adam with floor": {"lr": RATES, "eps": SMALL_EPS},
    "sgd": {"lr": numbered(1e-3, 10**0.5, 7), "momentum": (0.8, 0.9, 0.95)},
}


class FloorAdam(FlatOptimizer):
    r"""Adam with AdaBelief's floor and without its belief.

    .. math:: \theta_t = \theta_{t-1} - \alpha\, \hat m_t / \sqrt{\hat v_t + \epsilon / (1 - \beta_2)}

    AdaBelief adds :math:`\epsilon` to its stored average at every step, which after bias correction is
    :math:`\epsilon / (1 - \beta_2) = 1000\,\epsilon` from the first step on.
    """

    state_names = ("exp_avg", "exp_avg_sq")
    hyperparameters: ClassVar = {"betas": pair(FRACTION), "eps": REPRESENTABLE}

    @staticmethod
    def scalars(step: int, /, *, betas: tuple[float, float], eps: float) -> dict[str, float]:
        """Returns the coefficients of ``scale * m / sqrt(correction * v + floor)``."""
        beta1, beta2 = betas
        scale, correction = 1 / (1 - beta1**step), 1 / (1 - beta2**step)
        return {"beta1": beta1, "beta2": beta2, "scale": scale, "correction": correction, "floor": eps / (1 - beta2)}

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        exp_avg: Float[Tensor, "..."],
        exp_avg_sq: Float[Tensor, "..."],
        *,
        beta1: float,
        beta2: float,
        scale: float,
        correction: float,
        floor: float,
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Returns the direction and the averages."""
        m = beta1 * exp_avg + (1 - beta1) * grad
        v = beta2 * exp_avg_sq + (1 - beta2) * grad**2
        return scale * m / (correction * v + floor).sqrt(), m, v


def adabelief(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds AdaBelief without rectification, as in the paper's experiments."""
    return AdaBelief(model.parameters(), compile=False, **settings)


def adam(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds Adam."""
    return Adam(model.parameters(), **settings)


def adam_with_floor(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds Adam with AdaBelief's floor."""
    fixed: dict[str, Any] = {"betas": (0.9, 0.999), "weight_decay": 0.0, "maximize": False, "compile": False}
    return FloorAdam(model.parameters(), **fixed, **settings)


def sgd(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds SGD with momentum."""
    return SGD(model.parameters(), **settings)


RULES: dict[str, Builder] = {"adabelief": adabelief, "adam": adam, "adam with floor": adam_with_floor, "sgd": sgd}


def text() -> Task:
    """Returns the recurrent language model."""
    return budgeted(RecurrentLM(), BATCH, WINDOWS)


def _arms() -> tuple[Arm, ...]:
    tasks = (("digits", partial(PlainDigits, EPOCHS), DIGITS_SEEDS), ("text", text, TEXT_SEEDS))
    return tuple(
        Arm(f"{name}, {place}", task, build, GRIDS[name], TUNING_SEEDS, test_seeds)
        for place, task, test_seeds in tasks
        for name, build in RULES.items()
    )


def _on_digits(baseline: str, claimed: float, *, decides: bool = True) -> Statement:
    arms = ("adabelief, digits", f"{baseline}, digits")
    name = f"adabelief against {baseline}, digits"
    return Statement(name, "test metric", arms, more_points, claimed, "points of accuracy", decides=decides)


def _on_text(baseline: str, claimed: float, *, decides: bool = True) -> Statement:
    arms = ("adabelief, text", f"{baseline}, text")
    return Statement(
        f"adabelief against {baseline}, text", "test loss", arms, less, claimed, "nats per byte", decides=decides
    )


CLAIM = Claim(
    id="adabelief",
    paper="AdaBelief is as fast as Adam, and generalises as well as SGD, because it trusts foreseen gradients.",
    reported=(
        "Test accuracy on CIFAR-10, mean of the last ten epochs: 95.3 % with ResNet-34 against Adam's 92.6 %, 95.3 % "
        "with DenseNet-121 against 92.9 %, 91.2 % with VGG-11 against 88.1 %; ImageNet with ResNet-18: 70.1 % against "
        "63.8 %, SGD 70.2 %."
    ),
    statement=(
        f"Tuned, AdaBelief beats tuned Adam by at least {CLAIMED_POINTS} points of test accuracy with a small network "
        f"for digits, and by at least {CLAIMED_NATS} nats per byte of test loss with a small recurrent language model; "
        "and on both it beats Adam with the same floor under the root, which shares all but the belief."
    ),
    protocol=(
        f"Digits: two convolutions and two linear layers (9,802 parameters), {EPOCHS} epochs of 20 batches of 50. "
        f"Text: an LSTM of width 64 on Python's standard library, {WINDOWS // BATCH} batches of {BATCH} windows of 64. "
        "Constant rates.",
        f"Each optimizer is tuned on each: 7 rates, two a decade, times 3 values of epsilon (SGD: of momentum), each "
        f"with {len(TUNING_SEEDS)} seeds.",
        "Adam with floor divides by the root of v + 1000 ε, which is what AdaBelief's inner epsilon amounts to.",
        f"{len(DIGITS_SEEDS)} fresh seeds for digits, {len(TEXT_SEEDS)} for text; test data at the end.",
    ),
    cut=(
        "The stability of GANs.",
        "Seeds were added, 120 and 20 instead of 8, because accuracies differ by about a point by luck.",
    ),
    full_scale=(
        "CIFAR-10 and CIFAR-100 with VGG-11, ResNet-34 and DenseNet-121, 200 epochs, batch 128, rate 1e-3, divided by "
        "10 at epoch 150, epsilon 1e-8, coupled weight decay 5e-4; ImageNet with ResNet-18, 90 epochs, decoupled decay "
        "1e-2; WGAN and SN-GAN on CIFAR-10.",
        "Missing here: CIFAR, ImageNet, these networks and a graphics card.",
    ),
    arms=_arms(),
    comparisons=(
        _on_digits("adam", CLAIMED_POINTS),
        _on_text("adam", CLAIMED_NATS),
        _on_digits("adam with floor", 0.0),
        _on_text("adam with floor", 0.0),
        _on_digits("sgd", 0.0, decides=False),
        _on_text("sgd", 0.0, decides=False),
    ),
    panels=(
        Panel("Digits", "test metric", "accuracy", ("digits",), {name: (f"{name}, digits",) for name in RULES}),
        Panel("Text", "test loss", "nats per byte", ("text",), {name: (f"{name}, text",) for name in RULES}),
    ),
    gist="it beats tuned Adam on digits and on text, by its belief alone",
    contests=(
        Contest(
            "adabelief",
            "Adam",
            {"on digits": "adabelief against adam, digits", "on text": "adabelief against adam, text, test loss"},
        ),
        Contest(
            "adabelief",
            "SGD",
            {"on digits": "adabelief against sgd, digits", "on text": "adabelief against sgd, text, test loss"},
        ),
    ),
)
