"""Copies of what an optimizer has saved."""

import copy
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass


def copied(state_dict: dict[str, Any]) -> dict[str, Any]:
    """Copies what an optimizer has saved, also where its states are tensors that cannot be copied as a whole.

    Args:
        state_dict: of an optimizer; tensors in few bits, as torchao's, are copied part by part.
    """
    parts = [value for state in state_dict.get("state", {}).values() for value in state.values()]
    known = {id(each): _copied(each) for each in parts if is_traceable_wrapper_subclass(each)}
    return copy.deepcopy(state_dict, known)


def _copied(tensor: Any) -> Tensor:
    names, context = tensor.__tensor_flatten__()
    inside = {name: getattr(tensor, name).clone() for name in names}
    made: Tensor = type(tensor).__tensor_unflatten__(inside, context, tensor.size(), tensor.stride())
    return made
