"""Claims whose truth is known, on a task that takes milliseconds: fitting a line.

What one arm does better than the other is its learning rate and nothing else. Others are of a problem with another slot
than the optimizer's, or of arms that bring their own trials.
"""

import os
import time
from dataclasses import replace

import torch
from torch import nn
from torch.utils.data import TensorDataset

from trimtab import Metric, Task
from trimtab.claims.claim import Arm, Claim, Contest, OwnTrial, Panel, Statement, less, seeds
from trimtab.lab.meter import CostMeter
from trimtab.lab.problem import SteppedProblem
from trimtab.study.errors import DivergedError
from trimtab.study.metric import Evaluation
from trimtab.study.outcome import Outcome


class Line(Task):
    name = "line"
    metric = Metric("loss", "min")
    batch_size = 8
    steps = 10

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(96, 3, generator=generator)
        targets = inputs.sum(1, keepdim=True) + 0.1 * torch.randn(96, 1, generator=generator)
        parts = [TensorDataset(inputs[rows], targets[rows]) for rows in (slice(64), slice(64, 80), slice(80, 96))]
        self.train, self.validation, self.test = parts

    def model(self, generator):
        return nn.Linear(3, 1)

    def losses(self, outputs, batch):
        return (outputs - batch[1]).square().mean(1)

    def score(self, outputs, batch):
        return self.losses(outputs, batch).mean()


def sgd(model, settings, run):
    time.sleep(float(os.environ.get("TOY_SECONDS", "0")))
    momentum = {"no": 0.0, "much": 0.5}[settings.get("momentum", "no")]
    return torch.optim.SGD(model.parameters(), lr=settings["lr"], momentum=momentum)


def explode(model, settings, run):
    return torch.optim.SGD(model.parameters(), lr=1e20)


def refuse(model, settings, run):
    raise RuntimeError("deliberate")


def steps_taken(session):
    return {"steps seen": float(session.steps)}


TUNED = {"lr": (0.001, 0.003, 0.01)}
SEEDS = {"tuning_seeds": seeds(0, 2), "test_seeds": seeds(1000, 6)}

TUNED_ARM = Arm("tuned", Line, sgd, TUNED, **SEEDS, evaluations=3, probe=steps_taken)
SLOW_ARM = Arm("slow", Line, sgd, {"lr": (0.001,)}, **SEEDS, evaluations=3)


def claim(*comparisons, arms=(TUNED_ARM, SLOW_ARM), measures=()):
    return Claim(
        id="toy",
        paper="A tuned rate is better.",
        reported="Much better.",
        statement="A tuned rate has a lower test loss than 0.001 by 0.01.",
        protocol=("Lines are fitted.",),
        cut=("Nothing.",),
        full_scale=("There is none: a line is a line.",),
        arms=arms,
        comparisons=comparisons,
        panels=(Panel("Test loss", "test loss", "squares", ("line",), {"tuned": ("tuned",), "slow": ("slow",)}),),
        measures=measures,
        gist="a tuned rate is better",
        contests=(Contest("adamw", "a slow rate", {"on a line": f"{comparisons[0].name}, {comparisons[0].measure}"}),),
    )


TRUE = Statement("tuned against slow", "test loss", ("tuned", "slow"), less, 0.01, "squares")
FALSE = replace(TRUE, name="slow against tuned", arms=("slow", "tuned"))

CONFIRMED = claim(TRUE)
REFUTED = claim(TRUE, FALSE)
# the same thing twice: no difference, exactly
SAME_ARM = replace(SLOW_ARM, name="same")
INCONCLUSIVE = claim(replace(TRUE, arms=("same", "slow"), claimed=0.0), arms=(SLOW_ARM, SAME_ARM, TUNED_ARM))
DIVERGING = claim(TRUE, arms=(TUNED_ARM, replace(SLOW_ARM, fill=explode)))
FAILING = claim(TRUE, arms=(TUNED_ARM, replace(SLOW_ARM, fill=refuse)))
UNTUNABLE = claim(TRUE, arms=(replace(TUNED_ARM, fill=explode), SLOW_ARM))
WORDS = claim(TRUE, arms=(replace(TUNED_ARM, grid={**TUNED, "momentum": ("no", "much")}), SLOW_ARM))


class Guessing:
    def __init__(self, guess, budget):
        self.guess, self.meter, self.steps, self.best = guess, CostMeter(budget), 0, 9.0

    def step(self):
        self.meter.charge(1)
        self.steps += 1
        self.best = min(self.best, abs(self.guess() - 0.5))
        return self.best

    def evaluate(self, split="validation"):
        return Evaluation(self.best, self.best)

    def measures(self):
        return {"guesses": float(self.steps), "state bytes": 8.0, "steps": 0.0}

    def watched(self):
        return {}


class Guesses(SteppedProblem):
    """A problem whose slot is filled by whoever is called with ``seed=`` and makes guesses."""

    name = "guesses"
    slot = "guess"
    metric = Metric("distance", "min")
    steps = 6

    def check(self, place): ...

    def facts(self, reference, candidates): ...

    def budget(self, steps):
        return self.steps if steps is None else steps

    def start(self, build, *, seed, budget, place):
        return Guessing(build(seed=seed), budget)


def constant(settings, run, *, seed):
    assert (run.steps, run.seed) == (6, seed)
    return lambda: settings["guess"] * (1 + seed % 7 / 100)


NEARER = Statement("tuned against far", "test loss", ("tuned", "far"), less, 0.2, "of it")
GUESSES = claim(
    NEARER,
    replace(NEARER, name="far against tuned", measure="state bytes", claimed=0.0, decides=False),
    arms=(
        Arm("tuned", Guesses, constant, {"guess": (0.1, 0.4, 0.7)}, **SEEDS, evaluations=3),
        Arm("far", Guesses, constant, {"guess": (0.1,)}, **SEEDS, evaluations=3),
    ),
    measures=("state bytes",),
)


def height(point, report):
    width = point.settings.get("width", 1.0)
    if width == 3.0:
        raise DivergedError(7, float("nan"))
    return Outcome("complete", loss=abs(width - 2.0), measures={"height": width * (1 + point.seed % 7 / 100)})


def height_of_all_but_the_first(point, report):
    if point.seed == 1000:
        raise DivergedError(7, float("nan"))
    return height(point, report)


def nothing(point, report):
    return Outcome("complete")


def more(method, baseline):
    return method - baseline


HIGHER = Statement("wide against narrow", "height", ("wide", "narrow"), more, 0.5, "metres")
WIDE_ARM = OwnTrial("wide", height, SEEDS["test_seeds"], {"width": (1.0, 2.0, 3.0)}, seeds(0, 2))
NARROW_ARM = OwnTrial("narrow", height, SEEDS["test_seeds"])
OWN = claim(HIGHER, arms=(WIDE_ARM, NARROW_ARM), measures=("height",))
LOST = claim(HIGHER, arms=(WIDE_ARM, replace(NARROW_ARM, trial=height_of_all_but_the_first)), measures=("height",))
UNMEASURED = claim(HIGHER, arms=(WIDE_ARM, replace(NARROW_ARM, trial=nothing)), measures=("height",))
