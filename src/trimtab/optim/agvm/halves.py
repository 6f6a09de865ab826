"""The gradients of two halves of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Halves:
    """Holds the gradients of both halves until the step that compares them, and leaves their mean in ``.grad``."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Gives up what is held."""
        self._grads: dict[int, dict[Tensor, Tensor]] = {}
        self._samples: dict[int, float] = {}

    @property
    def complete(self) -> bool:
        """Whether there are both."""
        return len(self._grads) == 2

    @property
    def missing(self) -> int | None:
        """The half that is not there, though the other one is."""
        return None if len(self._grads) != 1 else 1 - next(iter(self._grads))

    def begin(self, index: int) -> None:
        """Forgets the halves of an earlier batch, if a half is about to come a second time."""
        if self.complete or index in self._grads:
            self.forget()

    def keep(self, index: int, params: Sequence[Tensor], samples: float) -> None:
        """Takes the parameters' gradients for those of a half, 0 or 1.

        With the second of them ``.grad`` becomes the mean over all samples, which is what happens to it until the step
        happens to.
        """
        self._grads[index] = {param: param.grad for param in params if param.grad is not None}
        self._samples[index] = samples
        for param in params:
            param.grad = self._mean(param) if self.complete else None

    def of(self, param: Tensor, factor: float = 1.0) -> tuple[Tensor, Tensor] | None:
        """Returns both halves' gradients of a parameter, if both have one.

        Args:
            param: the parameter.
            factor: what they are multiplied with.
        """
        if param in self._grads[0] and param in self._grads[1]:
            first, second = (self._grads[index][param] for index in (0, 1))
            return (first, second) if factor == 1 else (first * factor, second * factor)
        return None

    def factor(self, params: Sequence[Tensor]) -> float:
        """Returns what their mean was multiplied with since it was put into ``.grad``.

        Unscaling and clipping by norm do that; of anything else it is the projection on the mean.
        """
        products = [
            torch.stack([(now * mean).sum(dtype=torch.float64), mean.square().sum(dtype=torch.float64)])
            for param in params
            if (now := param.grad) is not None and (mean := self._mean(param)) is not None
        ]
        if not products:
            return 1.0
        along, squared = map(float, torch.stack([each.to(products[0].device) for each in products]).sum(0).tolist())
        return along / squared if squared > 0 else 1.0

    def exchange(self, params: Sequence[Tensor]) -> None:
        """Makes halves of the processes' own gradients: their means over the first and over the second half of ranks.

        As with ``DistributedDataParallel``, a process without a gradient counts as one whose gradient is zero, unless
        none has one.

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
        having = torch.zeros((2, len(params)), device=params[0].device)
        having[mine] = torch.tensor([float(param.grad is not None) for param in params])
        dist.all_reduce(having)  # each sum takes all processes, also one whose batch has not gone through a module
        for param, in_halves in zip(params, having.T.tolist(), strict=True):
            if not any(in_halves):
                continue
            sums = torch.zeros((2, *param.shape), dtype=param.dtype, device=param.device)
            if param.grad is not None:
                sums[mine] = param.grad
            dist.all_reduce(sums)
            for index, samples in self._samples.items():
                if in_halves[index]:
                    self._grads[index][param] = sums[index] / samples
            param.grad = self._mean(param)

    def _mean(self, param: Tensor) -> Tensor | None:
        total = sum(self._samples.values())
        parts = [
            grads[param] * (self._samples[index] / total) for index, grads in self._grads.items() if param in grads
        ]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else parts[0].add_(parts[1])
