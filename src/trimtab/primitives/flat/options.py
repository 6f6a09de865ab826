"""What every rule takes beside its own hyper-parameters, and the choice that one of these options leaves open."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

import torch

from trimtab.primitives.flat.compiling import CompileMode, compile_mode, resolved
from trimtab.primitives.flat.refusals import moves
from trimtab.primitives.hyperparameters import (
    NON_NEGATIVE,
    Check,
    flag,
    floating_dtype,
    integer,
    learning_rate,
    optional,
)

Group: TypeAlias = dict[str, Any]

ENGINE_CHECKS: Mapping[str, Check] = {
    "lr": learning_rate,
    "weight_decay": NON_NEGATIVE,
    "maximize": flag,
    "state_dtype": floating_dtype,
    "rounding_seed": optional(integer),
    "compile": compile_mode,
    "check_finite": flag,
}


class EngineOptions(TypedDict, total=False):
    """What every rule takes by keyword; see :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`."""

    state_dtype: torch.dtype | None
    rounding_seed: int | None
    compile: CompileMode
    check_finite: bool
    maximize: bool


def choose_modes(groups: Sequence[Group]) -> list[CompileMode]:
    """Settles for every group whether its rule is compiled; ``"auto"`` waits for gradients.

    Returns:
        What the groups say now.

    Raises:
        RuntimeError: a rule shall be compiled, and there is no compiler. Nothing was changed.
    """
    graded = [param for group in groups for param in group["params"] if param.grad is not None]
    modes: list[CompileMode] = []
    for group in groups:
        if group["compile"] != "auto":
            modes.append(resolved(group["compile"], filter(moves, group["params"])))
        else:
            modes.append(resolved("auto", graded) if graded else "auto")
    for group, mode in zip(groups, modes, strict=True):
        group["compile"] = mode
    return modes
