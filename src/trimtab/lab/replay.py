"""Running a model's forward pass more than once as if it were once."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class Replay:
    """Lets only the first of several passes update a model's buffers, and shows each of them the same ones.

    Batch normalisation counts every pass in its running statistics, and spectral normalisation goes on with its
    iteration; repeated passes over one batch should do neither.

    Args:
        model: in the state before the first pass.
    """

    def __init__(self, model: nn.Module) -> None:
        self._places = [(module, name) for module in model.modules() for name in module._buffers]
        self._before = [_clone(module._buffers[name]) for module, name in self._places]
        self._first = True

    @contextmanager
    def one_pass(self) -> Iterator[None]:
        """Surrounds a pass."""
        if self._first:
            self._first = False
            yield
            return
        own = [module._buffers[name] for module, name in self._places]
        try:
            # Other tensors, not other values: graphs of earlier passes may hold the model's own.
            self._set([_clone(buffer) for buffer in self._before])
            yield
        finally:
            self._set(own)

    def _set(self, buffers: list[Tensor | None]) -> None:
        for (module, name), buffer in zip(self._places, buffers, strict=True):
            module._buffers[name] = buffer


def _clone(buffer: Tensor | None) -> Tensor | None:
    return None if buffer is None else buffer.clone()
