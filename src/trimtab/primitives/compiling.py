"""Whether update rules are compiled: where a compiler is at hand, and where it repays its start."""

import os
import shutil
import sysconfig
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

CompileMode: TypeAlias = Literal["auto"] | bool

WORTH_COMPILING = 2**19
"""Elements from which ``compile="auto"`` compiles.

On one core, a compiled step of Lion or AdaBelief took 0.5 to 1.4 ms less than an eager one at this size, 2 to 6 ms less
at four times the size, and about the same at an eighth. The start from a full compiler cache takes three seconds.
"""

DEVICE_TYPES = ("cpu", "cuda", "xpu", "mps")


def compile_mode(name: str, value: object) -> CompileMode:
    """Returns ``value``: True, False or ``"auto"``.

    Raises:
        ValueError: it is something else.
    """
    if value is True or value is False or value == "auto":
        return value
    raise ValueError(f"{name}={value!r} must be True, False or 'auto'")


def resolved(mode: CompileMode, params: Iterable[Tensor]) -> bool:
    """Returns whether to compile the rule for these parameters.

    Raises:
        RuntimeError: it shall be compiled, and there is no compiler for a device.
    """
    params = list(params)
    devices = {param.device.type for param in params}
    missing = sorted(device for device in devices if not compiler_at_hand(device))
    if mode == "auto":
        return not missing and sum(param.numel() for param in params) >= WORTH_COMPILING
    if mode and missing:
        raise RuntimeError(f"compile=True needs a compiler for {', '.join(missing)}; set compile=False in every group")
    return mode


@cache
def compiler_at_hand(device_type: str) -> bool:
    """Returns whether ``torch.compile`` can make kernels for a kind of device, as far as one sees without trying."""
    if device_type == "cpu":
        headers = Path(sysconfig.get_path("include")) / "Python.h"
        compilers = (os.environ.get("CXX", "g++"), "clang++", "cl")
        return headers.exists() and any(shutil.which(compiler) for compiler in compilers)
    # MPS has no float64 for the scalars; there the rule runs eagerly, with Python's numbers.
    return device_type in ("cuda", "xpu") and find_spec("triton") is not None


class Pinned:
    """Switches off what would change results or ask for another graph: gradients, autocast and inference mode."""

    def __init__(self) -> None:
        self.contexts = ExitStack()

    def __enter__(self) -> None:
        managers: list[Any] = [torch.inference_mode(False)] if torch.is_inference_mode_enabled() else []
        managers.append(torch.no_grad())
        managers += [torch.autocast(d, enabled=False) for d in DEVICE_TYPES if torch.is_autocast_enabled(d)]
        for manager in managers:
            self.contexts.enter_context(manager)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.contexts.close()
