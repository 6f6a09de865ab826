"""Which parameters weight decay is meant for."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from trimtab.primitives.biases_and_norms import biases_and_norms
from trimtab.primitives.hyperparameters import NON_NEGATIVE, flag
from trimtab.primitives.parameter_names import remember_names
from trimtab.primitives.roles import ROLES, parameter_roles


def parameter_groups(
    model: nn.Module,
    weight_decay: float | None = None,
    *,
    no_decay_for_biases_and_norms: bool = True,
    named: bool = False,
) -> list[dict[str, Any]]:
    """Splits a model's parameters into a group with weight decay and one without.

    Biases and the parameters of normalisation layers go without: they are few, they do not overfit, and shrinking the
    gain of a normalisation layer does not make the function that it computes simpler. Such a layer is torch's, or its
    class is called so (``LlamaRMSNorm``); the matrix of one that is a linear layer as well decays.

    Args:
        model: where the parameters come from, frozen ones among them: they have no gradient and stay, until they are
            unfrozen. A tied parameter is taken once, and goes without decay if any of its uses does.
        weight_decay: for the group with decay, >= 0; ``None`` leaves it to the optimizer's default.
        no_decay_for_biases_and_norms: False puts everything into the group with decay.
        named: whether parameters come with their names, as in ``model.named_parameters()``, for optimizers that go by
            these. Groups that are added later then need names as well.

    Returns:
        One or two parameter groups for any ``torch.optim.Optimizer``; a group that would be empty is left out.

    Raises:
        TypeError: ``model`` is not a module, ``weight_decay`` not a number, or ``named`` neither True nor False.
        ValueError: ``weight_decay`` is negative, NaN or infinite, or the model has no parameters.

    Examples:
        >>> groups = parameter_groups(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)), weight_decay=0.1)
        >>> [[tuple(param.shape) for param in group["params"]] for group in groups]
        [[(3, 2)], [(3,), (3,), (3,)]]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    decay = {} if weight_decay is None else {"weight_decay": NON_NEGATIVE("weight_decay", weight_decay)}
    flag("named", named)
    params = list(model.parameters())
    if not params:
        raise ValueError("model has no parameters")
    remember_names(model)

    undecayed = biases_and_norms(model) if no_decay_for_biases_and_norms else set()
    groups: list[dict[str, Any]] = [
        {"params": [param for param in params if param not in undecayed], **decay},
        {"params": [param for param in params if param in undecayed], "weight_decay": 0.0},
    ]
    found = [group for group in groups if group["params"]]
    return with_names(found, model) if named else found


def groups_by_role(
    model: nn.Module,
    weight_decay: float | None = None,
    *,
    roles: Mapping[str, str] | None = None,
    no_decay_for_biases_and_norms: bool = False,
    named: bool = False,
) -> list[dict[str, Any]]:
    r"""Splits a model's parameters by what each is for, for rules that treat hidden matrices in a way of their own.

    Args:
        model: where the parameters come from, as for :func:`parameter_groups`.
        weight_decay: for all groups, >= 0; ``None`` leaves it to the optimizer's default.
        roles: a regular expression to the role of all parameters whose whole names it matches, for what
            :func:`~trimtab.primitives.roles.parameter_roles` takes for something else:
            ``{r"blocks\.\d+\.gate": "vector"}``.
        no_decay_for_biases_and_norms: splits each group by that as well.
        named: as for :func:`parameter_groups`.

    Returns:
        Parameter groups with their ``role``: ``"matrix"``, ``"convolution"``, ``"experts"``, ``"embedding"``,
        ``"head"``, ``"tied"`` or ``"vector"``.

    Raises:
        TypeError: as :func:`parameter_groups`.
        ValueError: as :func:`parameter_groups`; or a role is unknown, or an expression matches no parameter.

    Examples:
        >>> model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
        >>> [(group["role"], [tuple(param.shape) for param in group["params"]]) for group in groups_by_role(model)]
        [('matrix', [(6, 4)]), ('embedding', [(9, 4)]), ('head', [(2, 6)]), ('vector', [(6,), (2,)])]
    """
    flag("named", named)
    groups = parameter_groups(model, weight_decay, no_decay_for_biases_and_norms=no_decay_for_biases_and_norms)
    found = parameter_roles(model, roles)
    role_of = {param: found[name] for name, param in model.named_parameters()}
    divided = [
        {**group, "params": params, "role": role}
        for group in groups
        for role in ROLES
        if (params := [param for param in group["params"] if role_of[param] == role])
    ]
    return with_names(divided, model) if named else divided


def with_names(groups: list[dict[str, Any]], model: nn.Module) -> list[dict[str, Any]]:
    """Returns parameter groups whose parameters come with their names, as in ``model.named_parameters()``.

    Args:
        groups: of parameters of a model.
        model: the model.
    """
    names = {param: name for name, param in model.named_parameters()}
    return [{**group, "params": [(names[param], param) for param in group["params"]]} for group in groups]
