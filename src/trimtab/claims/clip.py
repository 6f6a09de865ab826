"""SGD is slow on transformers because its direction is sharp, and clipping coordinates mends it (Pan & Li, 2023)."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
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
from trimtab.claims.tasks import PlainDigits
from trimtab.lab.session import Session
from trimtab.lab.task import samples_in, take_rows
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.optim import ClippedAdam, CoordinateClip, Lion, NormClip, PseudoUpdates
from trimtab.primitives.local_model import local_models
from trimtab.study.tunable import Value

WIDTH, WINDOW, BATCH = 32, 32, 16
STEPS = 600
EPOCHS = 8
FRACTIONS = (0.01, 0.1, 0.5)
SGD_RATES = numbered(10**-2.5, 10**0.5, 7)
ADAM_RATES = numbered(1e-4, 10**0.5, 7)
TUNING_SEEDS = seeds(0, 1)
TEST_SEEDS = seeds(1000, 8)
DIGITS_SEEDS = seeds(1000, 40)

MEASURED_AT = (20, 100, 300, 1000)
FROM = 100
BATCHES = 8
TRAJECTORY_RATE = 3e-3

CLAIMED_SHARE_OF_SHARPNESS = 0.5
CLAIMED_SHARE_OF_GAP = 0.4
CLAIMED_NATS = 0.05
MARGIN = 1.0


class SmallLM(PythonLM):
    """The text of :class:`~trimtab.lab.tasks.python_lm.PythonLM` in windows of 32, with a transformer of width 32.

    Args:
        steps: length of a run.
    """

    window = WINDOW
    batch_size = BATCH

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, lambda: ByteTransformer(self.window, width=WIDTH))


def sgd(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds SGD with momentum."""
    return SGD(model.parameters(), lr=settings["lr"], momentum=settings["momentum"])


def norm_clip(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds SGD with momentum, its gradient clipped by its norm."""
    return NormClip(SGD(model.parameters(), lr=settings["lr"], momentum=0.9), settings["max_norm"])


def clip(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds SGD with momentum, its gradient clipped by coordinates."""
    return CoordinateClip(SGD(model.parameters(), lr=settings["lr"], momentum=0.9), settings["fraction"])


def adam(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds Adam."""
    return Adam(model.parameters(), lr=settings["lr"], betas=(0.9, settings["beta2"]))


def clipped_adam(model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Builds Adam with a clipped numerator."""
    return ClippedAdam(model.parameters(), lr=settings["lr"], fraction=settings["fraction"], compile=False)


Grid = Mapping[str, tuple[Value, ...]]
RULES: dict[str, tuple[Builder, Grid]] = {
    "sgd": (sgd, {"lr": SGD_RATES, "momentum": (0.8, 0.9, 0.95)}),
    "norm clip": (norm_clip, {"lr": SGD_RATES, "max_norm": (0.1, 0.3, 1.0)}),
    "clip": (clip, {"lr": SGD_RATES, "fraction": FRACTIONS}),
    "adam": (adam, {"lr": ADAM_RATES, "beta2": (0.95, 0.99, 0.999)}),
    "clipped adam": (clipped_adam, {"lr": ADAM_RATES, "fraction": FRACTIONS}),
}


def plain_sgd(model: nn.Module) -> Optimizer:
    """Builds what goes against the gradient; its length does not matter here."""
    return SGD(model.parameters(), lr=1.0)


def clipped_sgd(fraction: float, model: nn.Module) -> Optimizer:
    """Builds what goes against the clipped gradient."""
    return CoordinateClip(plain_sgd(model), fraction)


def sign(model: nn.Module) -> Optimizer:
    """Builds what goes against the gradient's sign."""
    return Lion(model.parameters(), lr=1.0, betas=(0.0, 0.0), compile=False)


def unit_adam(model: nn.Module) -> Optimizer:
    """Builds Adam."""
    return Adam(model.parameters(), lr=1.0)


DIRECTIONS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "sgd": plain_sgd,
    **{f"clip {fraction:g}": partial(clipped_sgd, fraction) for fraction in FRACTIONS},
    "sign": sign,
    "adam": unit_adam,
}
FALLING = tuple(name for name in DIRECTIONS if name != "adam")
"""From the direction that should be the sharpest to the one that should be the least sharp."""

REDUCTION = "share of sharpness taken away by clipping a tenth, at the step where it is least"
ORDER = "share by which each direction is less sharp than the one before, where it is least"


class WatchedAdam(Adam):
    """Adam, with a look at others' directions from where it is.

    Args:
        model: to train.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), lr=TRAJECTORY_RATE)
        self.pseudo = PseudoUpdates(model, DIRECTIONS)
        self.seen = 0
        self.sharpness: dict[int, dict[str, float]] = {}

    def step_on(self, session: Session) -> Tensor:
        """Takes one step."""
        evaluate = session.closure()

        def watched() -> Tensor:
            loss = evaluate()
            self.pseudo.observe()
            self.seen += 1
            if self.seen in MEASURED_AT:
                self.sharpness[self.seen] = self._measured(session)
            return loss

        return cast("Tensor", self.step(watched))

    def _measured(self, session: Session) -> dict[str, float]:
        task, model = session.task, session.model
        generator = torch.Generator().manual_seed(0)
        rows = torch.randperm(samples_in(task.train), generator=generator)[: BATCHES * BATCH].reshape(BATCHES, BATCH)

        def loss(batch: Any) -> Tensor:
            return task.losses(task.outputs(model, batch), batch).mean()

        directions = [self.pseudo.direction(name) for name in self.pseudo.names]
        batches = [take_rows(task.train, own, task.collate) for own in rows]
        found = local_models(loss, self.pseudo.params, directions, batches)
        return dict(zip(self.pseudo.names, (each.sharpness for each in found), strict=True))


def watched_adam(model: nn.Module, _: Chosen, __: Run) -> Optimizer:
    """Builds Adam that looks at others' directions."""
    return WatchedAdam(model)


def share_less(more: float, few: float) -> float:
    """Returns by which share a sharpness is below another one, which need not be positive."""
    largest = max(abs(more), abs(few))
    return (more - few) / largest if largest else 0.0


def sharpness(session: Session) -> Mapping[str, float]:
    """Returns every sharpness, and what is claimed of them, at the steps from ``FROM`` on."""
    optimizer = session.optimizer
    if not isinstance(optimizer, WatchedAdam):
        raise TypeError(f"the session's optimizer is a {type(optimizer).__name__}, not WatchedAdam")
    found = optimizer.sharpness
    late = [found[step] for step in found if step >= FROM]
    return {
        REDUCTION: min(share_less(each["sgd"], each["clip 0.1"]) for each in late),
        ORDER: min(share_less(each[more], each[few]) for each in late for more, few in pairwise(FALLING)),
        **{f"{name}, step {step}": value for step, own in found.items() for name, value in own.items()},
    }


def as_measured(value: float) -> float:
    """Returns its argument: what a probe measured is the improvement."""
    return value


def recovered(sgd_loss: float, clip_loss: float, adam_loss: float) -> float:
    """Returns which share of the way from SGD's loss to Adam's clipping covers."""
    return (sgd_loss - clip_loss) / (sgd_loss - adam_loss)


def below_margin(clip_accuracy: float, sgd_accuracy: float) -> float:
    """Returns by how many points clipping gains less than the margin."""
    return MARGIN - more_points(clip_accuracy, sgd_accuracy)


WATCHED = "adam, watched"
CONTROL = ("sgd", "clip")


def _arms() -> tuple[Arm, ...]:
    text = tuple(
        Arm(f"{name}, text", partial(SmallLM, STEPS), build, grid, TUNING_SEEDS, TEST_SEEDS, evaluations=5)
        for name, (build, grid) in RULES.items()
    )
    digits = tuple(
        Arm(f"{name}, digits", partial(PlainDigits, EPOCHS), *RULES[name], TUNING_SEEDS, DIGITS_SEEDS, evaluations=1)
        for name in CONTROL
    )
    watched = Arm(
        WATCHED,
        partial(SmallLM, max(MEASURED_AT)),
        watched_adam,
        {},
        TUNING_SEEDS,
        TEST_SEEDS,
        evaluations=1,
        probe=sharpness,
    )
    return (watched, *text, *digits)


CLAIM = Claim(
    id="clip",
    paper=(
        "SGD is slow on transformers because a few coordinates make its direction sharp; clipping coordinates makes "
        "directions less sharp, and SGD and others faster."
    ),
    reported=(
        "The abstract has no numbers. A later paper (APOLLO) measured a directional sharpness of 1.96 for SGD and "
        "0.0092 for Adam after two epochs; Orvieto and Gower (2025), with a language model of 160 M parameters: "
        "perplexity 53.6 for SGD, 33.4 with coordinates clipped, 37.8 with its norm clipped, 21.9 for Adam (secondary "
        "sources)."
    ),
    statement=(
        "Along Adam's trajectory with a small language model, at every one of three steps from "
        f"{FROM} on, clipping a tenth of the coordinates takes away at least {CLAIMED_SHARE_OF_SHARPNESS:.0%} of the "
        "gradient's directional sharpness, and sharpness falls from the gradient over clipping 1, 10 and 50 % of the "
        "coordinates to the sign. "
        f"Tuned, SGD with clipped coordinates covers at least {CLAIMED_SHARE_OF_GAP:.0%} of the way from SGD's test "
        f"loss to Adam's, and is at least {CLAIMED_NATS} nats below SGD with a clipped norm."
    ),
    protocol=(
        f"A transformer of two layers of width {WIDTH} (34,560 parameters), with attention written out, learns the "
        f"next byte of Python's standard library, in batches of {BATCH} windows of {WINDOW}. Constant rates.",
        f"Sharpness: Adam with rate {TRAJECTORY_RATE:g} runs {max(MEASURED_AT):,} steps. At steps "
        f"{', '.join(map(str, MEASURED_AT))}, directions that follow from the same gradient at the same weights are "
        f"measured by Hessian-vector products on {BATCHES} batches of training data, always the same. The gradient of "
        "one batch, without momentum, is what is clipped; Adam is measured beside it.",
        "A share taken away of one half is a ratio of two between the sharpnesses. The share counts at the step where "
        "it is least, and so does the order.",
        f"Speed: {STEPS} steps. Each of five optimizers is tuned over 7 rates, two a decade, times 3 values with seed "
        "0: of momentum for SGD, of the norm for the clipped norm, of the share for clipped coordinates, of beta2 for "
        "Adam, of the share for Adam with a clipped numerator. Momentum is 0.9 wherever something is clipped.",
        f"Negative control, which does not decide: SGD with and without clipped coordinates on digits, {EPOCHS} epochs "
        f"of a network of 9,802 parameters with convolutions, where less than {MARGIN:g} point of accuracy should be "
        "gained.",
        f"{len(TEST_SEEDS)} fresh seeds for text, {len(DIGITS_SEEDS)} for digits; test data at the end.",
    ),
    cut=(
        f"{STEPS} steps instead of 1,500: 145 runs or more of the whole length would take more than 15 minutes by "
        "themselves.",
        "Sharpness with momentum, as in the paper's figures, and of normalised SGD and Adafactor: without momentum "
        "clipping leads from the gradient to its sign, which is the order that is claimed.",
        "The fuller protocol called a ratio below 1.3, and a tenth of the gap, refuted; here the rules of all claims "
        "judge: refuted if the interval lies below what is claimed.",
        "Adam with a clipped numerator is reported beside Adam and decides nothing.",
        "Seeds were added, 8 instead of 3.",
    ),
    full_scale=(
        "Transformers for translation and language models; sharpness every epoch on 10 batches, shares of 1, 10 and "
        "50 %, and the loss along each direction.",
        "Missing here: the paper's data and models, and the graphics cards.",
    ),
    arms=_arms(),
    comparisons=(
        Statement(
            "sharpness that clipping a tenth takes away",
            REDUCTION,
            (WATCHED,),
            as_measured,
            CLAIMED_SHARE_OF_SHARPNESS,
            "of the gradient's",
        ),
        Statement("sharpness falls with the share that is clipped", ORDER, (WATCHED,), as_measured, 0.0, "of it"),
        Statement(
            "clip covers the way from sgd to adam",
            "test loss",
            ("sgd, text", "clip, text", "adam, text"),
            recovered,
            CLAIMED_SHARE_OF_GAP,
            "of the way",
        ),
        Statement(
            "clip against norm clip",
            "test loss",
            ("clip, text", "norm clip, text"),
            less,
            CLAIMED_NATS,
            "nats per byte",
        ),
        Statement(
            "clipped adam against adam",
            "test loss",
            ("clipped adam, text", "adam, text"),
            less,
            0.0,
            "nats per byte",
            decides=False,
        ),
        Statement(
            f"clip gains less than {MARGIN:g} point on digits",
            "test metric",
            ("clip, digits", "sgd, digits"),
            below_margin,
            0.0,
            "points",
            decides=False,
        ),
    ),
    panels=(
        Panel("Text", "test loss", "nats per byte", ("text",), {name: (f"{name}, text",) for name in RULES}),
        Panel(
            "Digits", "test metric", "accuracy", ("digits",), {name: (f"{name}, digits",) for name in ("sgd", "clip")}
        ),
    ),
    measures=(REDUCTION, ORDER),
    gist="clipped directions are much less sharp, which closes much of SGD's gap to Adam",
    contests=(
        Contest("clip", "SGD", {"on text": "clip covers the way from sgd to adam, test loss"}),
        Contest("clip", "SGD with a clipped norm", {"on text": "clip against norm clip, test loss"}),
        Contest("clipped_adam", "Adam", {"on text": "clipped adam against adam, test loss"}),
    ),
)
