"""AutoLRS finds in one run what schedules are tuned for over many (Jin et al., 2021, arXiv:2105.10762)."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.utils.data import TensorDataset

from trimtab.claims.claim import Arm, Builder, Chosen, Claim, Contest, Panel, Run, Statement, numbered, seeds
from trimtab.claims.schedules import cosine, scheduled
from trimtab.lab.session import Session
from trimtab.lab.task import Task
from trimtab.lab.tasks.digits import Digits
from trimtab.lab.tasks.seeding import seeded
from trimtab.schedule.autolrs.autolrs import AutoLRS
from trimtab.schedule.autolrs.in_session import SearchedRate
from trimtab.study.tunable import Value

STEPS = 4000
CANDIDATES = 6
TUNING_SEEDS = seeds(0, 1)
TEST_SEEDS = seeds(1000, 8)
MARGIN = 2.0
WRONG_LABELS = 0.1
MEASURE = "test loss"


class NoisyDigits(Digits):
    """The images of :class:`~trimtab.lab.tasks.digits.Digits`, a tenth of whose training labels are wrong.

    The network is Linear(64→256) - BatchNorm - ReLU - Linear(256→256) - BatchNorm - ReLU - Linear(256→10).
    """

    name = "noisy-digits"
    label_smoothing = 0.0
    steps = STEPS

    def __init__(self) -> None:
        super().__init__()
        images, digits = self.train[:]
        generator = torch.Generator().manual_seed(0)
        wrong = torch.rand(len(digits), generator=generator) < WRONG_LABELS
        others = (digits + torch.randint(1, 10, digits.shape, generator=generator)) % 10
        self.train = TensorDataset(images, torch.where(wrong, others, digits))

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the network."""
        return seeded(generator, _network)


def _network() -> nn.Module:
    hidden = (nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU())
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), *hidden, nn.Linear(256, 10))


class LastLoss(AutoLRS):
    """Chooses by the last loss of a trial, without a forecast."""

    def _forecast(self, every: int) -> float:  # noqa: ARG002 - the overridden method's signature
        return self._losses[-1]


class SearchedByLastLoss(SearchedRate):
    """The same in a session."""

    searches = LastLoss


def momentum(model: nn.Module, rate: float) -> Optimizer:
    """Builds gradient descent with momentum."""
    return SGD(model.parameters(), lr=rate, momentum=0.9)


def adam(model: nn.Module, rate: float) -> Optimizer:
    """Builds Adam."""
    return Adam(model.parameters(), lr=rate)


Made = Callable[[nn.Module, float], Optimizer]
OPTIMIZERS: Mapping[str, tuple[Made, tuple[float, float], tuple[float, ...]]] = {
    "momentum": (momentum, (1e-3, 1.0), numbered(2.5e-3, 2, 8)),
    "adam": (adam, (1e-4, 0.1), numbered(1.25e-4, 2, 8)),
}
"""What makes it, the bounds that AutoLRS has, and the rates that schedules are tuned over."""

DROPS = {"in halves": (0.5, 0.75), "in thirds": (1 / 3, 2 / 3)}
"""When a step decay divides the rate by ten, in lengths of the run."""


def constant(make: Made, model: nn.Module, settings: Chosen, _: Run) -> Optimizer:
    """Leaves the rate as it is."""
    return make(model, settings["lr"])


def cosine_decay(make: Made, model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Takes the rate down to zero along half a cosine."""
    return scheduled(make(model, settings["lr"]), cosine(run.steps))


def step_decay(make: Made, model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Divides the rate by ten, twice."""
    drops = [share * run.steps for share in DROPS[settings["drops"]]]
    return scheduled(make(model, settings["lr"]), lambda taken: 0.1 ** sum(taken >= drop for drop in drops))


def searched(
    make: Made, bounds: tuple[float, float], kind: type[SearchedRate], model: nn.Module, _: Chosen, run: Run
) -> SearchedRate:
    """Searches the rate in the run."""
    return kind(make(model, bounds[0]), *bounds, candidates=CANDIDATES, seed=run.seed)


def steps_kept(session: Session) -> Mapping[str, float]:
    """Returns how many steps the model has in it, of all that were taken."""
    return {"steps kept": session.steps, "steps taken": session.meter.used / session.task.batch_size}


def percent_less(method: float, baseline: float) -> float:
    """Returns by how many percent a loss is below another."""
    return 100 * (1 - method / baseline)


def percent_above_margin(method: float, *baselines: float) -> float:
    """Returns by how many percent a loss is below the lowest of the others, plus the margin."""
    return percent_less(method, min(baselines)) + MARGIN


BASELINES = ("constant", "cosine", "step decay")


def _arms_of(name: str) -> tuple[Arm, ...]:
    make, bounds, rates = OPTIMIZERS[name]
    grids: dict[str, tuple[Builder, Mapping[str, tuple[Value, ...]]]] = {
        "constant": (partial(constant, make), {"lr": rates}),
        "cosine": (partial(cosine_decay, make), {"lr": rates}),
        "step decay": (partial(step_decay, make), {"lr": rates[1::2], "drops": tuple(DROPS)}),
        "autolrs": (partial(searched, make, bounds, SearchedRate), {"candidates": (CANDIDATES,)}),
        "last loss": (partial(searched, make, bounds, SearchedByLastLoss), {"candidates": (CANDIDATES,)}),
    }
    return tuple(
        Arm(f"{kind}, {name}", _task, build, grid, TUNING_SEEDS, TEST_SEEDS, evaluations=10, probe=steps_kept)
        for kind, (build, grid) in grids.items()
    )


def _task() -> Task:
    return NoisyDigits()


def _comparisons(name: str) -> tuple[Statement, ...]:
    def arms(*kinds: str) -> tuple[str, ...]:
        return tuple(f"{kind}, {name}" for kind in kinds)

    best = arms("autolrs", *BASELINES)
    return (
        Statement(
            f"one run of autolrs against {MARGIN:g} % above the best tuned schedule, {name}",
            MEASURE,
            best,
            percent_above_margin,
            0.0,
            "percent of its loss",
        ),
        Statement(
            f"autolrs against the best constant rate, {name}",
            MEASURE,
            arms("autolrs", "constant"),
            percent_less,
            0.0,
            "percent of its loss",
        ),
        Statement(
            f"forecasts against the last losses of trials, {name}",
            MEASURE,
            arms("autolrs", "last loss"),
            percent_less,
            0.0,
            "percent of its loss",
        ),
    )


CLAIM = Claim(
    id="autolrs",
    paper="A schedule that is found during one run trains faster than schedules that were tuned by hand.",
    reported=(
        "1.22, 1.43 and 1.5 times as fast as the original schedules of ResNet-50, Transformer and BERT, 1.31 times as "
        "fast as heavily tuned ones (abstract; whether that counts the steps of the search could not be checked)."
    ),
    statement=(
        "On digits with a tenth of the labels wrong, with as many steps of a run as each of eight runs that tune a "
        f"schedule, search included, one run of AutoLRS ends with a test loss not more than {MARGIN:g} % above that of "
        "the best of a constant rate, a cosine and a step decay, and below that of the best constant rate; and "
        "choosing by forecasts ends below choosing by the last loss of a trial. For momentum and for Adam."
    ),
    protocol=(
        f"A network of two hidden layers with batch normalisation takes {STEPS} steps with batches of 64, those of "
        "trials among them; weights and order of the data are the same for all at a seed.",
        "Each schedule has eight settings, tried with one seed: eight rates a factor of 2 apart, or four rates and two "
        "ways to divide the rate by ten twice; the grid is extended where its end is the best.",
        f"AutoLRS is not tuned. It searches three decades, with {CANDIDATES} trials a stage of a tenth of its length, "
        "and stages of lengths 1, 2, 4 and 8 as the budget has room for.",
        "The variant without forecasts is the same but for the number by which a rate is chosen: the loss of the "
        "trial's last batch, which is the same batch for all rates.",
        f"{len(TEST_SEEDS)} fresh seeds. The best schedule is the one with the lowest loss at each seed.",
    ),
    cut=(
        f"{STEPS} steps instead of 6,000, and no recurrent language model, whose runs take ten times as long; seeds "
        "were added, 8 instead of 5.",
        "Steps until the cosine's final loss is reached: a run's course is recorded over all of its steps, and those "
        "of trials are no progress. How many steps are kept is reported instead.",
        "Random rates instead of the Gaussian process's: with the released code's kappa these spread evenly, and "
        "nothing of the claim depends on how.",
        "The correlation of forecasts with losses after whole stages, which needs each rate's stage to be run.",
    ),
    full_scale=(
        "ImageNet with ResNet-50, WMT with a Transformer, BERT's pre-training, CIFAR-10 with VGG-16 for 350 epochs.",
        "Missing here: the data sets and the accelerators.",
    ),
    arms=tuple(arm for name in OPTIMIZERS for arm in _arms_of(name)),
    comparisons=tuple(each for name in OPTIMIZERS for each in _comparisons(name)),
    panels=(
        Panel(
            "Test loss after as many steps",
            MEASURE,
            "nats",
            tuple(OPTIMIZERS),
            {kind: tuple(f"{kind}, {name}" for name in OPTIMIZERS) for kind in (*BASELINES, "autolrs", "last loss")},
        ),
    ),
    gist="one run of it ends as low as the best tuned schedule, and lower than the best constant rate",
    contests=(
        Contest(
            "autolrs",
            "the best tuned schedule",
            {
                f"with {title}": f"one run of autolrs against {MARGIN:g} % above the best tuned schedule, {name}, "
                f"{MEASURE}"
                for name, title in (("momentum", "momentum"), ("adam", "Adam"))
            },
            allowance=f"{MARGIN:g} %",
        ),
        Contest(
            "autolrs",
            "the best constant rate",
            {
                f"with {title}": f"autolrs against the best constant rate, {name}, {MEASURE}"
                for name, title in (("momentum", "momentum"), ("adam", "Adam"))
            },
        ),
    ),
)
