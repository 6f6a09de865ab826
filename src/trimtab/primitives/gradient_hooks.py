"""Hooks on parameters that see or change their gradients (``Tensor.register_hook`` and its sibling)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor


def has_gradient_hooks(param: Tensor) -> bool:
    """Returns whether hooks are called when a backward pass reaches a parameter."""
    return bool(param._backward_hooks) or bool(getattr(param, "_post_accumulate_grad_hooks", None))


@contextmanager
def without_gradient_hooks(params: Iterable[Tensor]) -> Iterator[None]:
    """Leaves parameters' hooks uncalled meanwhile.

    ``torch.autograd.grad`` calls them for whatever is differentiated by a parameter, and a second derivative is not the
    gradient that they are meant for: a hook that halves gradients would halve a Hessian twice.
    """
    held = [(param._backward_hooks, dict(param._backward_hooks)) for param in params if param._backward_hooks]
    for hooks, _ in held:
        hooks.clear()
    try:
        yield
    finally:
        for hooks, own in held:
            hooks.update(own)
