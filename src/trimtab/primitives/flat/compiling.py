"""Whether update rules are compiled: where a compiler is at hand, and where it repays its start."""

import os
import shutil
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, cast

import torch
from torch import Tensor

CompileMode: TypeAlias = Literal["auto"] | bool

WORTH_COMPILING = 2**19
"""Elements from which ``compile="auto"`` compiles.

On one core, a compiled step of Lion or AdaBelief took 0.5 to 1.4 ms less than an eager one at this size, 2 to 6 ms less
at four times the size, and about the same at an eighth. The start from a full compiler cache takes three seconds.
"""

EXAMPLE_LENGTH = 2**20 + 7
"""Length of the memory that is compiled for. Long enough to be worth several threads, and a multiple of nothing."""

compilations = 0
"""Functions compiled in this process, read from a cache or not."""

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
    if mode == "auto":
        at_hand = all(compiler_at_hand(param.device.type) for param in params)
        return at_hand and sum(param.numel() for param in params) >= WORTH_COMPILING
    if mode:
        refuse_without_compiler(params)
    return mode


def refuse_without_compiler(tensors: Iterable[Tensor]) -> None:
    """Checks that there is a compiler for every device on which something is computed.

    Raises:
        RuntimeError: there is none for some.
    """
    devices = {tensor.device.type for tensor in tensors if not tensor.is_meta}
    missing = sorted(device for device in devices if not compiler_at_hand(device))
    if missing:
        raise RuntimeError(
            f"compile=True needs a compiler for {', '.join(missing)}; set compile=False in every group, also where a "
            "loaded state has set it to True"
        )


@cache
def compiler_at_hand(device_type: str) -> bool:
    """Returns whether ``torch.compile`` can make kernels for a kind of device, as far as one sees without trying."""
    if device_type == "cpu":
        headers = Path(sysconfig.get_path("include")) / "Python.h"
        compilers = (os.environ.get("CXX", "g++"), "clang++", "cl")
        return headers.exists() and any(shutil.which(compiler) for compiler in compilers)
    # MPS has no float64 for the scalars; there the rule runs eagerly, with Python's numbers.
    return device_type in ("cuda", "xpu") and find_spec("triton") is not None


def compiled_flat(function: Callable[..., Any], examples: Sequence[Tensor]) -> Callable[..., Any]:
    """Compiles a function of flat memory into one that takes memory of any length >= 2.

    ``torch.compile`` would check before every call whether its graph still fits, which for a small tensor takes longer
    than the step. Here the caller answers for that: he asks for another function for other types or another device.
    It also keeps out of Dynamo's limit of eight graphs, and of whatever stance the user's own compilation takes.

    Args:
        function: takes tensors, may write to them, and returns a tuple of tensors.
        examples: arguments of the types that it will be called with; only memory whose length varies may have
            ``EXAMPLE_LENGTH`` elements.

    Raises:
        RuntimeError: there is no compiler, or the function does something else for some lengths.
    """
    refuse_without_compiler(examples)
    from torch._inductor import config, standalone_compile
    from torch.fx.experimental.proxy_tensor import make_fx

    global compilations  # noqa: PLW0603 - a counter for the tests
    compilations += 1
    with torch.no_grad():
        graph = make_fx(function, tracing_mode="symbolic")(*examples)
    # Checks of sizes and alignment cost as much as a small step. Threads are counted when the kernel is called.
    options = {"size_asserts": False, "alignment_asserts": False, "cpp.dynamic_threads": True}
    with config.patch(options):
        compiled = standalone_compile(graph, list(examples), dynamic_shapes="from_graph")
    _refuse_special_lengths(graph)
    return cast("Callable[..., Any]", compiled)


def _refuse_special_lengths(graph: torch.fx.GraphModule) -> None:
    shapes = [node.meta["val"].shape for node in graph.graph.nodes if node.op == "placeholder"]
    sizes = [shape[0].node for shape in shapes if shape and isinstance(shape[0], torch.SymInt)]
    lengths = {size.expr for size in sizes if size.hint == EXAMPLE_LENGTH}
    guards = [guard.expr for guard in sizes[0].shape_env.guards]
    special = [str(guard) for guard in guards if guard.free_symbols & lengths]
    if len(lengths) > 1 or special:
        raise RuntimeError(f"the function holds for some lengths only: {', '.join(special) or lengths}")


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
