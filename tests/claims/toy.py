"""Claims whose truth is known, on a task that takes milliseconds: fitting a line.

What one arm does better than the other is its learning rate and nothing else.
"""

import os
import time
from dataclasses import replace

import torch
from torch import nn
from torch.utils.data import TensorDataset

from trimtab import Metric, Task
from trimtab.claims.claim import Arm, Claim, Contest, Panel, Statement, less, seeds


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
    return {"steps": float(session.steps)}


TUNED = {"lr": (0.001, 0.003, 0.01)}
SEEDS = {"tuning_seeds": seeds(0, 2), "test_seeds": seeds(1000, 6)}

TUNED_ARM = Arm("tuned", Line, sgd, TUNED, **SEEDS, evaluations=3, probe=steps_taken)
SLOW_ARM = Arm("slow", Line, sgd, {"lr": (0.001,)}, **SEEDS, evaluations=3)


def claim(*comparisons, arms=(TUNED_ARM, SLOW_ARM)):
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
DIVERGING = claim(TRUE, arms=(TUNED_ARM, replace(SLOW_ARM, optimizer=explode)))
FAILING = claim(TRUE, arms=(TUNED_ARM, replace(SLOW_ARM, optimizer=refuse)))
UNTUNABLE = claim(TRUE, arms=(replace(TUNED_ARM, optimizer=explode), SLOW_ARM))
WORDS = claim(TRUE, arms=(replace(TUNED_ARM, grid={**TUNED, "momentum": ("no", "much")}), SLOW_ARM))
