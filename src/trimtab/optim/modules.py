"""Parameter groups by module: the parts of a network that a method treats apart."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn
from torch.optim import Optimizer

Group: TypeAlias = dict[str, Any]


def module_parameter_groups(model: nn.Module, modules: Sequence[str] | None = None, **settings: Any) -> list[Group]:
    """Makes a parameter group for each module of a model.

    Args:
        model: where the parameters come from. Frozen parameters are left out.
        modules: names of submodules (``"backbone"``, ``"neck.fpn"``) that hold all trained parameters between them; by
            default the model's children.
        **settings: of all groups, such as ``lr``.

    Returns:
        Groups with named parameters and the entry ``name``, in the order of ``modules``.

    Raises:
        TypeError: ``model`` is not a module.
        ValueError: there is no such submodule, a module has nothing to train, or a parameter is in none or in two.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    names = [name for name, _ in model.named_children()] if modules is None else list(modules)
    known = dict(model.named_modules())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"the model has no module {', '.join(map(repr, unknown))}; it has {', '.join(filter(None, known))}"
        )
    trained = {param: name for name, param in model.named_parameters() if param.requires_grad}
    groups: list[Group] = []
    for name in names:
        params = [(trained[param], param) for param in known[name].parameters() if param in trained]
        if params or modules is not None:
            groups.append({"params": params, "name": name, **settings})
    _check_cover(groups, list(trained.values()))
    return groups


def _check_cover(groups: Sequence[Group], trained: Sequence[str]) -> None:
    homes: dict[str, list[str]] = {name: [] for name in trained}
    for group in groups:
        if not group["params"]:
            raise ValueError(f"module {group['name']!r} has no parameter with requires_grad=True")
        for name, _ in group["params"]:
            homes[name].append(group["name"])
    homeless = [name for name, found in homes.items() if not found]
    if homeless:
        raise ValueError(f"no module holds {', '.join(homeless)}, which would not be trained")
    shared = {name: found for name, found in homes.items() if len(found) > 1}
    if shared:
        several = "; ".join(f"{name} is in {' and '.join(found)}" for name, found in shared.items())
        raise ValueError(f"a parameter belongs to one module, but {several}")


def modules_of(groups: Sequence[Group]) -> Mapping[str, list[Group]]:
    """Returns the groups of each module: those with the same ``name``; one without a name is known by its place."""
    modules: dict[str, list[Group]] = {}
    for index, group in enumerate(groups):
        modules.setdefault(str(group.get("name", index)), []).append(group)
    return modules


def split_by_children(optimizer: Optimizer) -> None:
    """Splits the groups of a new optimizer by the first part of their parameters' names.

    Raises:
        ValueError: parameters have no names, or the optimizer has taken steps.
    """
    if optimizer.state:
        raise ValueError("the parameter groups of an optimizer that has taken steps cannot be split")
    split: list[Group] = []
    for group in optimizer.param_groups:
        if "param_names" not in group:
            raise ValueError(
                "modules='children' needs the parameters' names: build the optimizer with model.named_parameters()"
            )
        parts: dict[str, Group] = {}
        for name, param in zip(group["param_names"], group["params"], strict=True):
            child = name.partition(".")[0]
            part = parts.setdefault(child, {**group, "name": child, "params": [], "param_names": []})
            part["params"].append(param)
            part["param_names"].append(name)
        split += parts.values()
    optimizer.param_groups[:] = split
