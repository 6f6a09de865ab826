"""Who is in a parameter group."""

from typing import Any


def count_once(group: dict[str, Any]) -> None:
    """Leaves a parameter that a group has twice in its first place only.

    Torch warns of it, and its optimizers move it once for each place, every time by the sum of all its gradients.
    """
    first: dict[int, int] = {}
    for place, param in enumerate(group["params"]):
        first.setdefault(id(param), place)
    for key in ("params", "param_names"):
        if len(first) < len(group.get(key, ())):
            group[key] = [group[key][place] for place in first.values()]
