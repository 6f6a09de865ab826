"""The optimizer's loop with an extension and without, on functions that the extension is for.

Each search returns the regret of what it ends with. There is no noise but what an extension knows the cause of.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

EFFORT: Mapping[str, Any] = {"num_restarts": 4, "raw_samples": 64, "max_steps": 50, "num_fantasies": 16}
"""Of each search for the next point, far less than by default, and the same with an extension and without."""

HARTMANN_OPTIMUM = 3.838521186
"""The largest value of Hartmann's function of three numbers within the unit ball; without the ball it is 3.8628."""

FIXED_COST, FIDELITY_COST = 0.2, 1.0
BUDGET = 8 * (FIXED_COST + FIDELITY_COST)
"""For evaluations of Branin's function with a fidelity: eight at full fidelity."""

STATES = 12
"""Values of Branin's second number, drawn by chance where the result is used."""


def constraint(extended: bool, seed: int, evaluations: int = 20) -> float:
    """Hartmann's function of three numbers within a ball; without, what lies outside is seen and passed over."""
    from botorch.test_functions.synthetic import ConstrainedHartmann

    function: Any = ConstrainedHartmann(dim=3, negate=True)
    optimizer = _optimizer(function.bounds, seed, n_initial=8, constraints=int(extended))
    best = 0.0
    for _ in range(evaluations):
        point = optimizer.ask()
        values, excess = function(point)[:, None], -function.evaluate_slack(point)
        optimizer.tell(point, values, C=excess if extended else None)
        if float(excess) <= 0:
            best = max(best, float(values))
    return HARTMANN_OPTIMUM - best


def fidelity(extended: bool, seed: int, budget: float = BUDGET) -> float:
    """Branin's function with a fidelity, by max-value entropy search; without, each evaluation is a full one."""
    from botorch.test_functions.multi_fidelity import AugmentedBranin

    function: Any = AugmentedBranin(negate=True)
    cost = {"dim": 2, "target": 1.0, "cost": (FIXED_COST, FIDELITY_COST)}
    bounds = function.bounds if extended else function.bounds[:, :2]
    optimizer = _optimizer(
        bounds, seed, n_initial=4, acquisition="max_value_entropy", fidelity=cost if extended else None
    )
    spent = 0.0
    while True:
        point = optimizer.ask()
        whole = point if extended else _with(point, 1.0)
        spent += FIXED_COST + FIDELITY_COST * float(whole[0, 2])
        if spent > budget * (1 + 1e-9):
            break
        optimizer.tell(point, function(whole)[:, None])
    return float(function.optimal_value - function(_with(optimizer.recommend()[None, :2], 1.0)))


def environment(extended: bool, seed: int, evaluations: int = 16) -> float:
    """The mean of Branin's function over its second number; without, that is drawn by chance for each evaluation."""
    from botorch.test_functions.synthetic import Branin

    function: Any = Branin(negate=True)
    states = torch.linspace(0, 15, STATES, dtype=torch.float64)
    known = {"dims": [1], "values": states[:, None].tolist()}
    bounds = function.bounds if extended else function.bounds[:, :1]
    optimizer = _optimizer(
        bounds, seed, n_initial=6, acquisition="knowledge_gradient", environment=known if extended else None
    )
    generator = np.random.default_rng(seed)
    for _ in range(evaluations):
        point = optimizer.ask()
        drawn = float(states[int(generator.integers(STATES))])
        optimizer.tell(point, function(point if extended else _with(point, drawn))[:, None])

    def mean(x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        values: Tensor = function(torch.cartesian_prod(x, states))
        return values.reshape(len(x), STATES).mean(-1)

    everywhere = torch.linspace(-5, 10, 3001, dtype=torch.float64)
    return float(mean(everywhere).max() - mean(optimizer.recommend()[:1]).max())


def gradients(extended: bool, seed: int, evaluations: int = 12) -> float:
    """Levy's function of two numbers, with gradients; without, with values alone."""
    from botorch.test_functions.synthetic import Levy

    function: Any = Levy(2, negate=True)
    optimizer = _optimizer(function.bounds, seed, n_initial=3)
    best = math.inf
    for _ in range(evaluations):
        point = optimizer.ask().requires_grad_()
        values = function(point)
        (slopes,) = torch.autograd.grad(values.sum(), point)
        optimizer.tell(point.detach(), values.detach()[:, None], dY=slopes if extended else None)
        best = min(best, -float(values.detach()))
    return best


EXTENSIONS = {"constraint": constraint, "fidelity": fidelity, "environment": environment, "gradients": gradients}


def _optimizer(bounds: Float[Tensor, "2 d"], seed: int, **options: Any) -> Any:
    from trimtab.search import BayesianOptimizer

    return BayesianOptimizer(bounds, seed=seed, **EFFORT, **options)


def _with(points: Float[Tensor, "n d"], value: float) -> Float[Tensor, "n c"]:
    return torch.cat([points, torch.full_like(points[:, :1], value)], -1)
