"""A rule of your own in ten lines, with all that the engine adds to it.

    python examples/own_rule.py

The rule is Signum (Bernstein et al., 2018, arXiv:1802.04434): the sign of the momentum. tests/examples/test_own_rule.py
runs trimtab.testing's conformance suite on it.
"""

import copy
from typing import ClassVar

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

# --8<-- [start:rule]
from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION


class Signum(FlatOptimizer):
    """Moves every coordinate by the learning rate, against the sign of its momentum."""

    state_names = ("momentum",)
    hyperparameters: ClassVar = {"beta": FRACTION}

    def __init__(self, params, lr=1e-3, beta=0.9, weight_decay=0.0, **options):
        super().__init__(params, lr=lr, beta=beta, weight_decay=weight_decay, **options)

    @staticmethod
    def scalars(step, /, *, beta):
        return {"beta": beta}

    @staticmethod
    def direction(grad, momentum, *, beta):
        momentum = beta * momentum + (1 - beta) * grad
        return torch.sign(momentum), momentum


# --8<-- [end:rule]


def train(steps: int, **settings) -> tuple[nn.Module, Signum, CosineAnnealingLR]:
    """Fits a line in eight dimensions, and returns the model, the optimizer and its schedule."""
    torch.manual_seed(0)
    model = nn.Linear(8, 1)
    optimizer = Signum(model.parameters(), lr=0.02, **settings)
    schedule = CosineAnnealingLR(optimizer, T_max=200)
    go_on(model, optimizer, schedule, range(steps))
    return model, optimizer, schedule


def go_on(model: nn.Module, optimizer: Signum, schedule: CosineAnnealingLR, steps: range) -> None:
    """Takes some steps, each on rows of its own."""
    for step in steps:
        optimizer.zero_grad()
        loss(model, seed=step).backward()
        optimizer.step()
        schedule.step()


def loss(model: nn.Module, seed: int) -> torch.Tensor:
    """Returns the mean absolute error on 32 random rows."""
    inputs = torch.randn(32, 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.l1_loss(model(inputs), inputs.sum(1, keepdim=True))


def main() -> None:
    """Shows what the rule got without writing it."""
    variants = {
        "as it is": {},
        "compiled": {"compile": True},
        "bfloat16 state": {"state_dtype": torch.bfloat16},
        "weight decay": {"weight_decay": 2.0},
    }
    for name, settings in variants.items():
        model, optimizer, _ = train(200, **settings)
        dtype = optimizer.state[model.weight]["momentum"].dtype
        print(f"{name:15} loss {loss(model, seed=1000):.4f}, |weight| {model.weight.norm():.3f}, momentum in {dtype}")

    unbroken, _, _ = train(200)
    parts = train(100)
    saved = [copy.deepcopy(part.state_dict()) for part in parts]
    resumed = train(0)
    for part, state in zip(resumed, saved, strict=True):
        part.load_state_dict(state)
    go_on(*resumed, range(100, 200))
    print(f"resumed run equals the unbroken one bit for bit: {torch.equal(resumed[0].weight, unbroken.weight)}")

    try:
        Signum(unbroken.parameters(), beta=1.5)
    except ValueError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()
