"""What GaLore may project, and which optimizers may be inside."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from torch import Tensor, optim
from torch.optim import Optimizer

from trimtab.optim.galore.subspace import Matrix, Subspace
from trimtab.primitives.decay import weight_decay_of
from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.flat.refusals import moves
from trimtab.primitives.hyperparameters import FLOATING_DTYPES, Interval, whole_number
from trimtab.primitives.low_rank import Side
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.sharding import shards_of
from trimtab.primitives.wrapping import OptimizerWrapper

Group: TypeAlias = Mapping[str, Any]
Settings: TypeAlias = Mapping[str, Any]

SHARE = Interval(0.0, 1.0, open=True)

OF_THE_WEIGHTS = (optim.ASGD, optim.Adafactor)
"""Optimizers of torch whose step is not an element-wise function of gradients, but for those that need a closure."""


def projection_rank(name: str, value: object) -> int | float | None:
    """Returns ``value``: a whole number >= 1, a fraction in (0, 1), or ``None``.

    Raises:
        TypeError: it is not a number.
        ValueError: it is outside of both ranges.
    """
    if value is None:
        return None
    if isinstance(value, float):
        try:
            return SHARE(name, value)
        except ValueError:
            message = f"{name}={value!r} must be a whole number >= 1, or a fraction of the shorter side in {SHARE}"
            raise ValueError(message) from None
    return cast("int", whole_number(1)(name, value))


def subspace_rank(rank: int | float, param: Tensor) -> int:
    """Returns the rank of a matrix's subspaces."""
    return rank if isinstance(rank, int) else max(1, int(rank * min(param.shape)))


def projected_params(group: Group, own: Settings) -> list[int]:
    """Returns which of a group's parameters are projected.

    Frozen ones are among them, for they may be unfrozen, but not such as whole numbers, which never move.

    Raises:
        ValueError: the group names its parameters, and one cannot be.
        TypeError: one is not real.
    """
    rank, params = own["rank"], group["params"]
    if rank is None:
        return []
    if own["targets"] == "all":
        for index, param in enumerate(params):
            _refuse_named(group, index, param, rank)
        chosen = list(range(len(params)))
    else:
        matrices = [index for index, param in enumerate(params) if param.ndim == 2 and _is_worth(param, rank)]
        chosen = [index for index in matrices if params[index].dtype in FLOATING_DTYPES or moves(params[index])]
    for index in chosen:
        param = params[index]
        if param.dtype not in FLOATING_DTYPES:
            name = parameter_name(group, index)
            raise TypeError(
                f"real matrices are projected, and {name} is {param.dtype}: put it into a group without rank"
            )
        if shards_of(param) is not None:
            name = parameter_name(group, index)
            raise ValueError(f"whole matrices are projected, and {name} is divided over processes: use DDP instead")
    return chosen


def _is_worth(param: Tensor, rank: int | float) -> bool:
    return min(param.shape) > subspace_rank(rank, param)


def _refuse_named(group: Group, index: int, param: Tensor, rank: int | float) -> None:
    shape = tuple(param.shape)
    if param.ndim != 2:
        name = parameter_name(group, index)
        raise ValueError(f"matrices are projected, and {name} has shape {shape}: put it into a group without rank")
    if not 1 <= subspace_rank(rank, param) <= min(shape):
        name = parameter_name(group, index)
        raise ValueError(
            f"rank={rank} is above {name}, whose shape is {shape}: at most {min(shape)}, or a group without rank"
        )


def refuse_other_subspaces(optimizer: Optimizer, kind: type[OptimizerWrapper]) -> None:
    """Checks that no wrapper of a kind is inside already.

    Raises:
        ValueError: there is one.
    """
    while isinstance(optimizer, OptimizerWrapper):
        if isinstance(optimizer, kind):
            raise ValueError(  # noqa: TRY004 - the type is right, the nesting is not
                f"{type(optimizer).__name__} is inside already, and a subspace has none of its own"
            )
        optimizer = optimizer.inner


def refuse_other_rules(owner: str, rule: Optimizer, group: Group) -> None:
    """Checks that a rule does in a subspace what it does outside, weight decay apart.

    Raises:
        TypeError: it looks at the weights.
        ValueError: nobody knows how it decays them.
    """
    name = type(rule).__name__
    scaled = isinstance(rule, FlatOptimizer) and rule.norm_scaling_for({n: group[n] for n in rule.hyperparameters})
    if scaled or isinstance(rule, OF_THE_WEIGHTS):
        raise TypeError(
            f"{owner} shows a rule no weights, and {name}'s step depends on them: take an element-wise rule such as "
            "AdamW, AdaBelief or Lion"
        )
    decay = group.get("weight_decay", 0.0)
    if decay and weight_decay_of(rule, group) is None:
        raise ValueError(
            f"weight_decay={decay}: {owner} decays the weights in the place of the rule inside, and does not know how "
            f"{name} does; set weight_decay=0, or take a rule of trimtab.optim or torch.optim"
        )


def refuse_started(owner: str, rule: Optimizer, group: Group, chosen: Sequence[int]) -> None:
    """Checks that a rule has no state yet for what is to be projected.

    Raises:
        ValueError: it has.
    """
    for index in chosen:
        if rule.state.get(group["params"][index]):
            raise ValueError(
                f"{type(rule).__name__} has state for {parameter_name(group, index)} already, and in a subspace it has "
                f"another shape: put {owner} around it before its first step; Adagrad, which makes its state at once, "
                "cannot be inside"
            )


def refuse_changed(
    prefix: str,
    groups: Sequence[Group],
    matrices: Sequence[Matrix],
    subspaces: Mapping[Tensor, Subspace],
    rule: Optimizer,
) -> None:
    """Checks that what is to be moved is what there is a state of.

    Args:
        prefix: of the settings.
        groups: all parameter groups.
        matrices: what is to be projected.
        subspaces: of those that were projected so far.
        rule: the optimizer with their states.

    Raises:
        ValueError: a setting was changed in the middle of a run.
    """
    wanted = {each.param: (subspace_rank(each.own["rank"], each.param), each.side) for each in matrices}
    for group in groups:
        for index, param in enumerate(group["params"]):
            present = subspaces.get(param)
            has = None if present is None else (present.rank, present.side)
            if has != wanted.get(param) and (present is not None or rule.state.get(param)):
                name, asked = parameter_name(group, index), _described(wanted.get(param))
                raise ValueError(
                    f"{prefix}_rank, {prefix}_targets or {prefix}_proj_type was changed: {name} has a state of "
                    f"{_described(has)}, and {asked} is asked for; set it back, or make a new optimizer"
                )


def _described(subspace: tuple[int, Side] | None) -> str:
    return "the whole" if subspace is None else f"rank {subspace[0]} on the {subspace[1]} side"
