"""What other packages' optimizers keep, and what it means: the knowledge behind ``conversion``.

Checked against torch 2.13, lion-pytorch 0.2.5, adabelief-pytorch 0.2.1 and pytorch-optimizer 4.1.0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor

from trimtab.optim.adabelief import AdaBelief
from trimtab.optim.diffgrad import DiffGrad
from trimtab.optim.exadam import EXAdam
from trimtab.optim.lamb import Lamb, adapts
from trimtab.optim.lars import Lars
from trimtab.optim.lion import Lion
from trimtab.primitives.flat import FlatOptimizer

Group: TypeAlias = Mapping[str, Any]

OURS = (AdaBelief, DiffGrad, EXAdam, Lamb, Lars, Lion)


@dataclass(frozen=True)
class Meaning:
    """What a tensor holds, and in which setting it says how fast it forgets."""

    of: str
    rate: str = ""


GRADIENTS = Meaning("the average of gradients", "betas[0]")
SLOW_GRADIENTS = Meaning("the average of gradients", "betas[1]")
SQUARES = Meaning("the average of squared gradients", "betas[1]")
LARGEST_SQUARES = Meaning("the largest average of squared gradients")
LAST_GRADIENT = Meaning("the last gradient")
ERRORS = Meaning("the average of squared prediction errors, with eps in it", "betas[1]")
PURE_ERRORS = Meaning("the average of squared prediction errors", "betas[1]")
LARGEST_ERRORS = Meaning("the largest average of squared prediction errors")
SUM = Meaning("the sum of gradients", "momentum")
SCALED_SUM = Meaning("the sum of gradients times their trust ratios", "momentum")
UNDECAYED_SUM = Meaning("the sum of gradients without weight decay", "momentum")
MOMENTUM_AVERAGE = Meaning("the average of gradients", "momentum")

UNUSED_IS_LOST = (LARGEST_SQUARES, LARGEST_ERRORS)
"""What a rule that has no place for it would silently do without; averages that it does not use are no loss."""

Meanings: TypeAlias = Mapping[str, Meaning]


def needed(optimizer: FlatOptimizer, group: Group, param: Tensor) -> Meanings:
    """Returns what the states of one of our rules mean for a parameter, under a group's settings."""
    match optimizer:
        case Lion():
            return {"momentum": SLOW_GRADIENTS}
        case DiffGrad():
            return {"exp_avg": GRADIENTS, "exp_avg_sq": SQUARES, "previous_grad": LAST_GRADIENT}
        case AdaBelief():
            errors = {"exp_avg": GRADIENTS, "exp_avg_var": ERRORS if group["eps_in_state"] else PURE_ERRORS}
            return errors | ({"max_exp_avg_var": LARGEST_ERRORS} if group["amsgrad"] else {})
        case Lars():
            adapted = group["adapt"] and adapts(group["adapt"])(param)
            total = SCALED_SUM if adapted else SUM
            return {"momentum_buffer": MOMENTUM_AVERAGE if group["variant"] == "paper" else total}
    return {"exp_avg": GRADIENTS, "exp_avg_sq": SQUARES}


def _no_claim(_group: Group) -> str:
    return ""


def _nothing(_group: Group) -> dict[str, Any]:
    return {}


def _always(_group: Group) -> bool:
    return True


def _never(_group: Group) -> bool:
    return False


@dataclass(frozen=True)
class Foreign:
    """An optimizer of another package.

    Args:
        name: package and class.
        states: the tensors that it always keeps, and what they mean.
        settings: what its parameter groups always hold.
        options: what its groups may hold besides.
        maxima: tensors that it keeps under some settings.
        unused: what it keeps only to be looked at, or can be computed anew.
        counts: its state, or the group, holds the number of steps.
        evidence: whether a group that has the right keys is its.
        unsaid: what its state leaves open, so that the caller must name it; empty if nothing.
        coupled: whether weight decay is, or may be, part of the gradients that are averaged.
        unlike: why the tensors mean something else under a group's settings; empty if they do not.
        same: our rule that is the same algorithm.
        carried: that rule's settings.
    """

    name: str
    states: Meanings
    settings: frozenset[str]
    options: frozenset[str] = frozenset()
    maxima: Meanings = field(default_factory=dict)
    unused: frozenset[str] = frozenset()
    counts: bool = True
    evidence: Callable[[Group], bool] = _always
    unsaid: Callable[[Group], str] = _no_claim
    coupled: Callable[[Group], bool] = _never
    unlike: Callable[[Group], str] = _no_claim
    same: type[FlatOptimizer] | None = None
    carried: Callable[[Group], dict[str, Any]] = _nothing

    def held(self, name: str, group: Group, param: Tensor) -> Meaning:
        """Returns what a tensor means for a parameter."""
        meaning = {**self.states, **self.maxima}[name]
        if meaning == SCALED_SUM and param.ndim < 2:
            # pytorch-optimizer's LARS neither scales nor decays what has fewer than two dimensions.
            return UNDECAYED_SUM if group["weight_decay"] else SUM
        return meaning


BETAS = frozenset({"lr", "betas", "weight_decay"})
ADAM_STATES = {"exp_avg": GRADIENTS, "exp_avg_sq": SQUARES}
ADAM_MAXIMA = {"max_exp_avg_sq": LARGEST_SQUARES}
TORCH = frozenset({"maximize", "foreach", "capturable", "differentiable"})
COLLECTION = frozenset({"weight_decouple", "fixed_decay", "foreach", "step"})
COLLECTION_CHANGES = frozenset({"adam_debias", "adanorm", "adanorm_r", "cautious", "use_gc"})
"""Options of pytorch-optimizer that it takes as additional keywords and that make another algorithm."""


def _coupled_in_torch(group: Group) -> bool:
    return group["weight_decay"] != 0 and not group["decoupled_weight_decay"]


def _coupled_in_collection(group: Group) -> bool:
    return group["weight_decay"] != 0 and not group["weight_decouple"]


def _changed_in_collection(group: Group) -> str:
    changed = sorted(name for name in COLLECTION_CHANGES & group.keys() if group[name])
    return f"{', '.join(changed)} makes another algorithm of it" if changed else ""


def _only_decoupled(group: Group) -> str:
    if group["weight_decay"] != 0 and (group["fixed_decay"] or not group["weight_decouple"]):
        return "its weight decay is coupled or fixed, and ours is decoupled"
    return _changed_in_collection(group)


def _adabelief_settings(group: Group) -> dict[str, Any]:
    own = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay", "rectify")}
    decoupled = group["weight_decouple"]
    own |= {"decoupled": decoupled, "fixed_decay": decoupled and group["fixed_decay"], "amsgrad": group["ams_bound"]}
    return own | {"eps_in_state": True}


def _diffgrad_settings(group: Group) -> dict[str, Any]:
    own = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay")}
    return own | {"decoupled": group["weight_decouple"], "eps_mode": "code"}


def _unlike_diffgrad(group: Group) -> str:
    if group["rectify"]:
        return "its step is rectified"
    if group["weight_decay"] != 0 and group["fixed_decay"]:
        return "its weight decay is fixed"
    return _changed_in_collection(group)


def _lars_settings(group: Group) -> dict[str, Any]:
    own = {name: group[name] for name in ("lr", "momentum", "weight_decay", "trust_coefficient", "nesterov")}
    return own | {"variant": "classic", "eps": 0.0, "phi_bounds": None, "adapt": "matrices"}


def _damped(group: Group) -> str:
    return f"its dampening={group['dampening']} shrinks what is summed" if group["dampening"] else ""


def _cautious(group: Group) -> str:
    """``lion_pytorch.cautious_lion`` has a class of the same name, whose groups hold two settings more."""
    found = [f"cautious_factor={group['cautious_factor']}"] if group.get("cautious_factor", 1.0) != 1.0 else []
    found += ["cautious_wd=True"] if group.get("cautious_wd") and group["weight_decay"] != 0 else []
    return f"{' and '.join(found)} makes another algorithm of it" if found else ""


def _taken(*names: str, **fixed: Any) -> Callable[[Group], dict[str, Any]]:
    return lambda group: {name: group[name] for name in names} | fixed


def _torch_adam(name: str, *, decoupled: bool) -> Foreign:
    return Foreign(
        name,
        ADAM_STATES,
        BETAS | {"eps", "amsgrad", "maximize", "capturable"},
        options=TORCH | {"fused", "decoupled_weight_decay"},
        maxima=ADAM_MAXIMA,
        # Older versions of torch do not say which of the two it was.
        evidence=lambda group: group.get("decoupled_weight_decay", decoupled) == decoupled,
        coupled=lambda group: group["weight_decay"] != 0 and not group.get("decoupled_weight_decay", decoupled),
    )


FOREIGN = (
    _torch_adam("torch.optim.Adam", decoupled=False),
    _torch_adam("torch.optim.AdamW", decoupled=True),
    Foreign(
        "torch.optim.NAdam",
        ADAM_STATES,
        BETAS | TORCH | {"eps", "momentum_decay", "decoupled_weight_decay"},
        unused=frozenset({"mu_product"}),
        coupled=_coupled_in_torch,
    ),
    Foreign(
        "torch.optim.RAdam", ADAM_STATES, BETAS | TORCH | {"eps", "decoupled_weight_decay"}, coupled=_coupled_in_torch
    ),
    Foreign(
        "torch.optim.SGD",
        {"momentum_buffer": SUM},
        frozenset({"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"}),
        options=TORCH | {"fused"},
        counts=False,
        coupled=lambda group: group["weight_decay"] != 0,
        unlike=_damped,
    ),
    Foreign(
        "lion_pytorch.Lion",
        {"exp_avg": SLOW_GRADIENTS},
        BETAS,
        options=frozenset({"cautious_factor", "cautious_wd"}),
        counts=False,
        unlike=_cautious,
        unsaid=lambda group: "that decoupled_weight_decay was False" if group["weight_decay"] != 0 else "",
        same=Lion,
        carried=_taken("lr", "betas", "weight_decay"),
    ),
    Foreign(
        "adabelief_pytorch.AdaBelief",
        {"exp_avg": GRADIENTS, "exp_avg_var": ERRORS},
        BETAS | {"eps", "amsgrad", "buffer"},
        maxima={"max_exp_avg_var": LARGEST_ERRORS},
        unsaid=lambda _: "that optimizer has its weight_decouple, fixed_decay, rectify and degenerated_to_sgd",
        coupled=lambda group: group["weight_decay"] != 0,
        same=AdaBelief,
        carried=_taken("lr", "betas", "eps", "weight_decay", "amsgrad", eps_in_state=True),
    ),
    Foreign(
        "pytorch_optimizer.Lion",
        {"exp_avg": SLOW_GRADIENTS},
        BETAS | COLLECTION,
        options=COLLECTION_CHANGES,
        coupled=_coupled_in_collection,
        unlike=_only_decoupled,
        same=Lion,
        carried=_taken("lr", "betas", "weight_decay"),
    ),
    Foreign(
        "pytorch_optimizer.AdaBelief",
        {"exp_avg": GRADIENTS, "exp_avg_var": ERRORS},
        BETAS | COLLECTION | {"eps", "rectify", "ams_bound"},
        options=COLLECTION_CHANGES,
        maxima={"max_exp_avg_var": LARGEST_ERRORS},
        unsaid=lambda _: "that it was not its Aida, and that optimizer has its degenerated_to_sgd",
        coupled=_coupled_in_collection,
        unlike=_changed_in_collection,
        same=AdaBelief,
        carried=_adabelief_settings,
    ),
    Foreign(
        "pytorch_optimizer.DiffGrad",
        {**ADAM_STATES, "previous_grad": LAST_GRADIENT},
        BETAS | COLLECTION | {"eps", "rectify", "ams_bound"},
        options=COLLECTION_CHANGES,
        maxima=ADAM_MAXIMA,
        coupled=_coupled_in_collection,
        unlike=_unlike_diffgrad,
        same=DiffGrad,
        carried=_diffgrad_settings,
    ),
    Foreign(
        "pytorch_optimizer.EXAdam",
        ADAM_STATES,
        BETAS | COLLECTION | {"eps"},
        unsaid=lambda _: "that it was none of the other optimizers that keep the same, such as ADOPT or RAdam",
        coupled=_coupled_in_collection,
        unlike=_only_decoupled,
        same=EXAdam,
        carried=_taken("lr", "betas", "eps", "weight_decay", step_size="constant"),
    ),
    Foreign(
        "pytorch_optimizer.Lamb",
        ADAM_STATES,
        BETAS | COLLECTION | {"eps", "rectify", "grad_averaging", "max_grad_norm", "adam"},
        options=COLLECTION_CHANGES,
        unused=frozenset({"weight_norm", "adam_norm", "trust_ratio"}),
        unsaid=lambda _: "that pre_norm was False",
        unlike=lambda group: (
            _changed_in_collection(group) if group["grad_averaging"] else "grad_averaging=False sums gradients"
        ),
    ),
    Foreign(
        "pytorch_optimizer.LARS",
        {"momentum_buffer": SCALED_SUM},
        frozenset({"lr", "weight_decay", "momentum", "dampening", "trust_coefficient", "nesterov", "foreach", "step"}),
        # Before, the first gradient went into the sum as it was, often a thousand times larger than what was added.
        unsaid=lambda _: "that it was pytorch-optimizer 3.11 or newer",
        coupled=lambda group: group["weight_decay"] != 0,
        unlike=_damped,
        same=Lars,
        carried=_lars_settings,
    ),
)
