"""How an optimizer decays weights, for wrappers that have to do it in its place."""

from collections.abc import Mapping
from typing import Any

from torch import optim
from torch.optim import Optimizer

from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.flat.kernel import WeightDecay

COUPLED = (optim.SGD, optim.Adamax, optim.Adagrad, optim.Adadelta, optim.RMSprop)
SAID_BY_A_FLAG = (optim.Adam, optim.AdamW, optim.NAdam, optim.RAdam)
DECOUPLED_ELSEWHERE = frozenset(
    f"{module}.{name}"
    for module in ("torchao.optim.adam", "trimtab.optim.peers.low_bit")
    for name in ("AdamW8bit", "AdamW4bit")
)


def weight_decay_of(optimizer: Optimizer, group: Mapping[str, Any]) -> WeightDecay | None:
    """Returns how an optimizer decays the weights of a group.

    Args:
        optimizer: an optimizer itself, not a wrapper.
        group: one of its parameter groups.

    Returns:
        What it does, or ``None`` if that is not known: it is neither one of ours nor one of those in ``torch.optim``
        that take gradients element by element.
    """
    if isinstance(optimizer, FlatOptimizer):
        return optimizer.weight_decay_for({name: group[name] for name in optimizer.hyperparameters})
    kind = type(optimizer)  # a subclass may do something else
    if kind in COUPLED:
        return "coupled"
    if kind in SAID_BY_A_FLAG:
        return "decoupled" if group.get("decoupled_weight_decay", kind is optim.AdamW) else "coupled"
    return "decoupled" if f"{kind.__module__}.{kind.__qualname__}" in DECOUPLED_ELSEWHERE else None
