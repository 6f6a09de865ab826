"""AdamW of torchao with states of 8 and of 4 bits: it needs no compiler on a CPU, and takes rates that are numbers."""

import inspect
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.primitives.wrapping import evaluated, unhooked


@contextmanager
def _in_silence() -> Iterator[None]:
    """Keeps to itself what the package says when it is imported: that kernels for other devices cannot be loaded."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


with _in_silence():
    import torchao.optim


FEWEST_VALUES = 4096
"""Parameters with fewer values have states as wide as they are."""


class _LowBit(Optimizer):
    """What both have in common: the step, and that states can be copied."""

    bits: ClassVar[int]

    @classmethod
    def kept_in_words(cls, params: Iterable[Tensor], settings: Mapping[str, Any] = MappingProxyType({})) -> str:
        """Returns of how many of these parameters' values the averages are kept in few bits, and of how many not.

        Args:
            params: the parameters.
            settings: that the optimizer is made with, of which the size of blocks matters.
        """
        block = settings.get("block_size", inspect.signature(cls).parameters["block_size"].default)
        sizes = [param.numel() for param in params]
        small = sum(size for size in sizes if size >= FEWEST_VALUES and size % block == 0)
        return f"keeps the averages of {small:,} in {cls.bits} bits and of {sum(sizes) - small:,} as AdamW does"

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Takes one step with every parameter that has a gradient.

        On a CPU it is taken operation by operation: compiling would take ten seconds and more for each shape.

        Args:
            closure: computes the loss and its gradients; called first.

        Returns:
            What the closure returned.
        """
        loss = evaluated(closure)
        for group in self.param_groups:  # the package takes tensors alone, and most schedules set numbers
            if not isinstance(group["lr"], Tensor):
                group["lr"] = torch.tensor(group["lr"], dtype=torch.float32)
        on_cpu = all(param.device.type == "cpu" for group in self.param_groups for param in group["params"])
        with torch.compiler.set_stance("force_eager") if on_cpu else nullcontext():
            unhooked(torchao.optim.AdamW8bit.step)(self)
        return loss


class AdamW8bit(_LowBit, torchao.optim.AdamW8bit):  # type: ignore[misc]  # the package has no types
    """``torchao.optim.AdamW8bit``: states of 8 bits where a parameter has at least 4,096 values, a multiple of 256.

    The states of all others are as wide as the parameter, as AdamW's are: a bias, and a matrix of 65 x 65 or 10 x 784.
    """

    bits = 8


class AdamW4bit(_LowBit, torchao.optim.AdamW4bit):  # type: ignore[misc]  # the package has no types
    """``torchao.optim.AdamW4bit``: states of 4 bits where a parameter has at least 4,096 values, a multiple of 128.

    The states of all others are as wide as the parameter, as AdamW's are: a bias, and a matrix of 65 x 65 or 10 x 784.
    """

    bits = 4
