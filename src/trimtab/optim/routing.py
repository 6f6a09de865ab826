"""Which rule moves which parameters, in a table to read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

from trimtab.primitives.roles import ROLES

_FROZEN = "frozen"


def routing_table(
    groups: Sequence[Mapping[str, Any]],
    rule_for: Callable[[Mapping[str, Any]], str],
    names: Mapping[Tensor, str] | None = None,
) -> str:
    """Returns a line for each role: how many parameters it has, and the rule that moves them.

    Args:
        groups: of parameters, each with its role.
        rule_for: names the rule that moves a group.
        names: of parameters, each of which then has a line below its role's; one without a name has its shape there.
    """
    found: dict[str, list[Tensor]] = {}
    rules = {_FROZEN: "nothing moves them"}
    for group in groups:
        for param in group["params"]:
            role = group["role"] if param.requires_grad else _FROZEN
            rules.setdefault(role, rule_for(group))
            found.setdefault(role, []).append(param)
    lines = []
    for role in (role for role in (*ROLES, _FROZEN) if role in found):
        elements = sum(0 if is_lazy(param) else param.numel() for param in found[role])
        lines.append(f"{role:<12}{len(found[role]):>6} tensors {elements:>14,} parameters  {rules[role]}")
        if names is not None:
            lines += [f"    {names.get(param) or _unnamed(param)}" for param in found[role]]
    return "\n".join(lines)


def _unnamed(param: Tensor) -> str:
    return f"{'no shape yet' if is_lazy(param) else tuple(param.shape)}, without a name"
