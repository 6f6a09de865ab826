"""Compositions of optimizers that are tested, and some that cannot be: what the documentation lists, and tests read."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Composition:
    """Optimizers put together.

    Args:
        expression: how it is written.
        does: what it does, in a line.
    """

    expression: str
    does: str


COMPOSITIONS: Final = (
    Composition("clip(sgd)", "SGD whose largest gradient coordinates are cut: the paper's use"),
    Composition("clip(sgd, where='update', fraction=0.5)", "SGD, momentum included, whose largest moves are cut"),
    Composition("clip(adamw)", "AdamW that sees clipped gradients, in both of its averages"),
    Composition("clip(lion)", "Lion whose momentum is of clipped gradients"),
    Composition("agvm(adamw)", "AdamW with a learning rate for each module; halves are compared as AdamW scales them"),
    Composition("agvm(lamb)", "learning rates by module on top of LAMB's trust ratios by layer"),
    Composition("agvm(clip(lamb))", "halves are compared before clipping, the step is clipped"),
    Composition("agvm(galore(adamw, rank=8))", "halves of whole gradients are compared, the step is in subspaces"),
    Composition("galore(adamw, rank=8)", "AdamW in the dominant subspace of each matrix: the paper's use"),
    Composition("galore(adabelief, rank=8)", "AdaBelief in the subspaces"),
    Composition(
        "galore(lion)",
        "Lion in subspaces of a quarter of each matrix's shorter side: its signs are of coordinates there",
    ),
    Composition("galore(exadam, rank=8)", "EXAdam in the subspaces"),
    Composition("clip(galore(adamw, rank=8))", "whole gradients are clipped, then projected"),
    Composition("galore(clip(adamw), rank=8)", "gradients are projected, then clipped in the subspace"),
    Composition("q_galore(adamw, rank=8)", "AdamW in subspaces with projections in 4 bits, found anew while they move"),
    Composition("q_galore(lion, rank=8)", "one state a coordinate, and projections in 4 bits"),
    Composition(
        "clip(q_galore(diffgrad, rank=8))", "three layers: clipped, projected, damped where the gradient stays"
    ),
)

REFUSED: Final = (
    "clip(agvm(lamb))",
    "galore(agvm(adamw))",
    "galore(ema(adamw))",
    "clip(adahessian)",
    "agvm(adahessian)",
    "galore(adahessian)",
    "clip(sso)",
    "clip(clip(sgd))",
    "galore(q_galore(adamw))",
    "q_galore(galore(adamw))",
    "galore(lamb)",
    "q_galore(lars)",
)
"""What is refused: the last two, where settings decide, when it is built, and the others when it is read."""
