"""Estimates of the Hessian's diagonal for an optimizer's parameters, from the graphs of their gradients.

The random signs are a function of the parameters' keys. Nothing of a generator's state must be kept for a run to resume
bit for bit, and all micro-batches of a step in which the same parameters take part have the same signs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.curvature import diagonal_sample, random_signs
from trimtab.primitives.layout import working_dtype


@dataclass(frozen=True)
class Member:
    """A parameter whose diagonal is wanted.

    Args:
        param: the parameter, which has a gradient.
        samples: estimates that are averaged.
        key: what its random signs are a function of, together with the keys of those that are drawn with it.
    """

    param: Tensor
    samples: int
    key: tuple[int, ...]

    @property
    def grad(self) -> Tensor:
        """Its gradient."""
        assert self.param.grad is not None  # noqa: S101 - see above
        return self.param.grad


def signs_for(members: Sequence[Member], sample: int) -> list[Float[Tensor, "..."]]:
    """Returns the random signs of one estimate."""
    text = repr((sample, *(each.key for each in members))).encode()
    seed = int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1
    device = members[0].param.device
    return random_signs([each.param for each in members], torch.Generator(device).manual_seed(seed))


class DiagonalEstimates:
    """Signed estimates by parameter, which add up over the micro-batches of a step as gradients do.

    Attributes:
        sums: of the loss as it was differentiated.
        loss_scale: what it was multiplied with, where that was said.
    """

    def __init__(self) -> None:
        self.sums: dict[Tensor, Tensor] = {}
        self.loss_scale: float | None = None

    def add(self, members: Sequence[Member]) -> None:
        """Adds an estimate for each parameter, zero for one whose gradient is constant; the graph is freed.

        Raises:
            RuntimeError: something in the graph has no second derivative.
        """
        for param, estimate in _drawn([each for each in members if each.grad.requires_grad]).items():
            self.sums[param] = self.sums[param] + estimate if param in self.sums else estimate
        for param in (each.param for each in members):
            if param not in self.sums:
                self.sums[param] = torch.zeros_like(param, dtype=working_dtype(param.dtype), requires_grad=False)


def _drawn(members: Sequence[Member]) -> dict[Tensor, Tensor]:
    means: dict[Tensor, Tensor] = {}
    most = max((each.samples for each in members), default=0)
    for sample in range(most):
        wanted = [each for each in members if each.samples > sample]
        signs = signs_for(wanted, sample)
        grads, params = [each.grad for each in wanted], [each.param for each in wanted]
        # Without those that are not wanted, a block of the Hessian is left, whose diagonal is the same.
        estimates = diagonal_sample(grads, params, signs, retain_graph=sample < most - 1)
        for each, estimate in zip(wanted, estimates, strict=True):
            share = estimate.div_(each.samples)
            means[each.param] = means[each.param].add_(share) if sample else share
    return means


def cut_graphs(params: Iterable[Tensor]) -> None:
    """Frees the graphs of gradients, which hold the parameters, which hold the gradients."""
    for param in params:
        if param.grad is None or not param.grad.requires_grad:
            continue
        if param.grad._is_view():
            param.grad = param.grad.detach()
        else:
            param.grad.detach_()
