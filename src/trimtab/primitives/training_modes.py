"""Which parts of a model train and which are in evaluation mode, kept while something is done with it."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def kept_modes(model: nn.Module) -> Iterator[None]:
    """Puts each part of a model back into the mode that it had: ``model.train()`` would thaw those that are frozen.

    Args:
        model: whose modes may be changed meanwhile.
    """
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Has a model in evaluation mode within the context, and each of its parts in its own mode afterwards.

    Args:
        model: what is evaluated.
    """
    with kept_modes(model):
        model.eval()
        yield
