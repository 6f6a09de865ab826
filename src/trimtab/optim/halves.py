"""The gradients of two halves of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Halves:
    """Holds the gradients of both halves until the step that uses them."""

    def __init__(self) -> None:
        self._grads: dict[int, dict[Tensor, Tensor]] = {}
        self._samples: dict[int, float] = {}

    @property
    def complete(self) -> bool:
        """Whether there are both."""
        return len(self._grads) == 2

    def keep(self, index: int, params: Sequence[Tensor], samples: float) -> None:
        """Takes the parameters' gradients for those of a half, 0 or 1."""
        self._grads[index] = {param: param.grad for param in params if param.grad is not None}
        self._samples[index] = samples

    def of(self, param: Tensor) -> tuple[Tensor, Tensor] | None:
        """Returns both halves' gradients of a parameter, if both have one."""
        if param in self._grads[0] and param in self._grads[1]:
            return self._grads[0][param], self._grads[1][param]
        return None

    def put_together(self, params: Sequence[Tensor]) -> None:
        """Makes the mean over all samples the parameters' gradients, if there are halves, and forgets them."""
        if not self._grads:
            return
        total = sum(self._samples.values())
        shares = {index: samples / total for index, samples in self._samples.items()}
        for param in params:
            parts = [grads[param] * shares[index] for index, grads in self._grads.items() if param in grads]
            if parts:
                param.grad = parts[0] if len(parts) == 1 else parts[0].add_(parts[1])
        self._grads, self._samples = {}, {}

    def exchange(self, params: Sequence[Tensor]) -> None:
        """Makes halves of the processes' own gradients: their means over the first and over the second half of ranks.

        Raises:
            RuntimeError: there are fewer than two processes.
        """
        import torch.distributed as dist

        world = dist.get_world_size() if dist.is_initialized() else 1
        if world < 2:
            raise RuntimeError("distributed=True needs two processes of torch.distributed or more")
        first = world // 2
        mine = int(dist.get_rank() >= first)
        self._samples = {0: float(first), 1: float(world - first)}
        self._grads = {0: {}, 1: {}}
        for param in params:
            if param.grad is not None:
                sums = torch.zeros((2, *param.shape), dtype=param.grad.dtype, device=param.grad.device)
                sums[mine] = param.grad
                dist.all_reduce(sums)
                for index, samples in self._samples.items():
                    self._grads[index][param] = sums[index] / samples
