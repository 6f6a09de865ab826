"""The network that candidates are given: what is kept of it, and how it is put together again."""

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.lab.transforms.stored import unsaved_buffers
from trimtab.study.errors import InputError


def tensors_in(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the tensors of a state dictionary, in which a layer's extra state may be anything."""
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def network_state(network: nn.Module) -> dict[str, Any]:
    """Returns all that training may have changed of a network, on the CPU: its state, and the buffers beside it."""
    whole = {**network.state_dict(), **unsaved_buffers(network)}
    return whole | {name: tensor.detach().cpu() for name, tensor in tensors_in(whole).items()}


def load_network_state(network: nn.Module, state: Mapping[str, Any]) -> None:
    """Puts a state into a network that was built as the one of which :func:`network_state` returned it."""
    beside = unsaved_buffers(network)
    network.load_state_dict({name: value for name, value in state.items() if name not in beside})
    for name, buffer in beside.items():
        place, _, last = name.rpartition(".")
        if name in state:
            setattr(network.get_submodule(place), last, state[name].to(buffer.device, copy=True))


def check_kept(network: nn.Module, place: str) -> None:
    """Checks that a network's state can be kept in a file that nobody has to trust.

    Args:
        network: the network.
        place: where it comes from, for messages.

    Raises:
        InputError: a layer's extra state holds objects of its own.
    """
    for name, value in network.state_dict().items():
        if isinstance(value, Tensor):
            continue
        file = io.BytesIO()
        try:
            torch.save(value, file)
            file.seek(0)
            torch.load(file, weights_only=True)
        except Exception as error:  # whatever pickling somebody's object raises
            raise InputError(
                f"{place}: {name} of the network, a {type(value).__name__}, cannot be kept in a file: extra state has "
                "to consist of tensors, numbers, texts, lists and dictionaries"
            ) from error
