"""On which device runs are, and which of several each worker has to itself."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trimtab.study.errors import InputError
from trimtab.study.executor import Visibility

if TYPE_CHECKING:
    import torch

CPU = "cpu"
VISIBLE = "CUDA_VISIBLE_DEVICES"


def usable_device(device: "torch.device | str") -> "torch.device":
    """Returns a device that holds numbers and is there.

    Args:
        device: as in torch: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        InputError: it cannot be used; the message says which can.
    """
    import torch

    found = _parsed(device)
    try:
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise _unusable(device, error) from error
    if found.type == "meta":
        raise InputError(f"device={device!r} holds no numbers; here there is {_there_is()}")
    return found


def visibilities(device: str) -> Sequence[Visibility]:
    """Returns what shows workers a device each: the first worker the first, and so on in turn.

    ``"cuda"`` stands for all CUDA devices that this process sees, ``"cuda:1"`` for one of them. A worker sees one,
    which is ``"cuda"`` to it, so that neither a task nor a command can stray to another. Other devices are shared.

    Args:
        device: one that :func:`usable_device` accepts.

    Raises:
        InputError: it is no device, or there are not so many.
    """
    if device == CPU:
        return ({},)
    import torch

    wanted = _parsed(device)
    if wanted.type != "cuda":
        return ({},)
    seen, count = os.environ.get(VISIBLE), torch.cuda.device_count()
    names = [str(index) for index in range(count)] if seen is None else seen.split(",")[:count]
    chosen = names if wanted.index is None else names[wanted.index : wanted.index + 1]
    if not chosen:
        raise InputError(f"device={device!r} cannot be used: here there is {_there_is()}")
    return tuple({VISIBLE: name.strip()} for name in chosen)


def described(device: str) -> str:
    """Returns the device with its make, where torch knows it: ``cuda (2 x NVIDIA A100)``."""
    if device == CPU:
        return device
    import torch

    if _parsed(device).type != "cuda" or not torch.cuda.is_available():
        return device
    count = len(visibilities(device))
    return f"{device} ({f'{count} x ' if count > 1 else ''}{torch.cuda.get_device_name(device)})"


def as_the_only_one(device: str) -> str:
    """Returns what a worker calls the device that it has been shown."""
    return CPU if device == CPU else _parsed(device).type


def _parsed(device: "torch.device | str") -> "torch.device":
    import torch

    try:
        return torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _unusable(device, error) from error


def _unusable(device: object, error: Exception) -> InputError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"device={device!r} cannot be used: {reason}; here there is {_there_is()}")


def _there_is() -> str:
    import torch

    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join(["cpu", *(["cuda"] if cuda else []), *cuda, *mps])
