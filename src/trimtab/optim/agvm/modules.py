"""Parameter groups by module: the parts of a network that a method treats apart."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.primitives.hyperparameters import keep_own_rate
from trimtab.primitives.parameter_names import remember_names

Group: TypeAlias = dict[str, Any]


def module_parameter_groups(model: nn.Module, modules: Sequence[str] | None = None, **settings: Any) -> list[Group]:
    """Makes a parameter group for each module of a model.

    Args:
        model: where the parameters come from, frozen ones among them.
        modules: names of submodules (``"backbone"``, ``"neck.fpn"``) that hold all parameters between them; by default
            the model's children.
        **settings: of all groups, such as ``lr``.

    Returns:
        Groups with the entry ``name``, in the order of ``modules``.

    Raises:
        TypeError: ``model`` is not a module.
        ValueError: there is no such submodule, a module has no parameters, or a parameter is in none or in two.
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
    groups: list[Group] = []
    for name in names:
        params = list(known[name].parameters())
        if params or modules is not None:
            groups.append({"params": params, "name": name, **settings})
            keep_own_rate(groups[-1])
    _check_cover(groups, dict(model.named_parameters()))
    remember_names(model)
    return groups


def _check_cover(groups: Sequence[Group], named: Mapping[str, Tensor]) -> None:
    homes: dict[Tensor, list[str]] = {param: [] for param in named.values()}
    for group in groups:
        if not group["params"]:
            raise ValueError(f"module {group['name']!r} has no parameters")
        for param in group["params"]:
            homes[param].append(group["name"])
    homeless = [name for name, param in named.items() if not homes[param]]
    if homeless:
        raise ValueError(f"no module holds {', '.join(homeless)}, which would not be trained")
    shared = {name: homes[param] for name, param in named.items() if len(homes[param]) > 1}
    if shared:
        several = "; ".join(f"{name} is in {' and '.join(found)}" for name, found in shared.items())
        raise ValueError(f"a parameter belongs to one module, but {several}")


def modules_of(groups: Sequence[Group]) -> Mapping[str, list[Group]]:
    """Returns the groups of each module: those with the same ``name``; one without a name is known by its place.

    Where a module has a number for a name, such a place is written ``"group 2"``.
    """
    taken = {group["name"] for group in groups if "name" in group}
    modules: dict[str, list[Group]] = {}
    for index, group in enumerate(groups):
        place = f"group {index}" if str(index) in taken else str(index)
        modules.setdefault(str(group.get("name", place)), []).append(group)
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
        for part in parts.values():
            keep_own_rate(part)
            split.append(part)
    optimizer.param_groups[:] = split


def named_module(wanted: int | str, names: Sequence[str]) -> str:
    """Returns the name of the module that is wanted.

    Raises:
        TypeError: it is neither a name nor a place.
        ValueError: there is no such module, or only one.
    """
    if len(names) < 2:
        raise ValueError(
            f"AGVM compares modules, and there is only {names[0]!r}: give a parameter group for each (see "
            "module_parameter_groups), or modules='children' with named parameters"
        )
    if isinstance(wanted, bool) or not isinstance(wanted, int | str):
        raise TypeError(f"anchor={wanted!r} must be the name or the place of a module, not {type(wanted).__name__}")
    if isinstance(wanted, str):
        if wanted not in names:
            raise ValueError(f"anchor={wanted!r} is not among the modules {', '.join(names)}")
        return wanted
    if not 0 <= wanted < len(names):
        raise ValueError(f"anchor={wanted} must lie in [0, {len(names)})")
    return names[wanted]
