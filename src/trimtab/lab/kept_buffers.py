"""Passes through a model that leave its running statistics as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def kept_buffers(model: nn.Module) -> Iterator[None]:
    """Gives a model copies of its buffers for the passes inside.

    They are other tensors and not only other values, because the graphs of these passes may hold them for longer.
    """
    places = [(module, name, buffer) for module in model.modules() for name, buffer in module._buffers.items()]
    try:
        for module, name, buffer in places:
            module._buffers[name] = None if buffer is None else buffer.clone()
        yield
    finally:
        for module, name, buffer in places:
            module._buffers[name] = buffer
