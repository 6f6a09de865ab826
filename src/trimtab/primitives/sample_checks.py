"""Whether a batch, a model and its losses have gradients of single samples."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves, tree_map

from trimtab.primitives.gradient_hooks import has_gradient_hooks
from trimtab.primitives.hyperparameters import FLOATING_DTYPES
from trimtab.primitives.sharding import shards_of
from trimtab.primitives.training_modes import evaluating

Losses: TypeAlias = Callable[[nn.Module, Any], Float[Tensor, " batch"]]
"""From a model and a batch to one loss a sample."""

COMPARED = 8
TOLERANCE = 1e-3


def samples_of(batch: Any) -> int:
    """Returns how many samples a batch has.

    Raises:
        TypeError: it holds something else than tensors.
        ValueError: it has no samples, or not as many in each tensor.
    """
    leaves = tree_leaves(batch)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise TypeError(f"batch holds a {type(leaf).__name__}; tensors in tuples, lists and dicts are needed")
    lengths = {len(leaf) if leaf.ndim else 0 for leaf in leaves}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"the tensors of the batch have {sorted(lengths)} samples; the same number, at least 1, is needed in the "
            "first dimension of each"
        )
    return lengths.pop()


def refuse(model: nn.Module) -> None:
    """Checks that the gradients of single samples are defined, and can be vectorised.

    Raises:
        TypeError: a parameter is not real, or is divided over processes.
        ValueError: batch normalisation is in training mode, an embedding makes sparse gradients, or a parameter has
            gradient hooks.
    """
    for name, param in model.named_parameters():
        if shards_of(param) is not None:
            raise TypeError(
                f"parameter {name!r} is divided over processes; gradients of single samples need whole parameters, as "
                "under DistributedDataParallel. Statistics of micro-batches' gradients are to be had: see of_means()"
            )
        if param.requires_grad and param.dtype not in FLOATING_DTYPES:
            raise TypeError(f"parameter {name!r} is {param.dtype}; real floating-point parameters are needed")
        if param.requires_grad and has_gradient_hooks(param):
            raise ValueError(
                f"parameter {name!r} has gradient hooks, which are not called for the gradients of single samples: "
                "remove them, or take statistics of micro-batches' gradients with of_means()"
            )
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None):
            raise ValueError(
                f"{name or 'the model'} is a {type(module).__name__} in training mode, with which no sample has a "
                "gradient of its own: call its eval(), use GroupNorm instead, or take statistics of micro-batches' "
                "gradients with of_means()"
            )
        if getattr(module, "sparse", False) is True:
            raise ValueError(
                f"{name or 'the model'} is a {type(module).__name__} with sparse=True; dense gradients are needed: "
                "make it with sparse=False"
            )


def refuse_coupled_samples(model: nn.Module, losses: Losses, batch: Any) -> int:
    """Checks that the loss of a sample is the same alone as among others, in evaluation mode, on a few samples.

    A loss that divides by a number of the batch, such as its labelled tokens, is not; the mean of the samples'
    gradients would then be something else than the batch's gradient.

    Args:
        model: is put into evaluation mode meanwhile.
        losses: as for :func:`~trimtab.primitives.sample_gradients.gradient_statistics`.
        batch: eight of its samples are used.

    Returns:
        How many samples passed forward through the model.

    Raises:
        ValueError: a loss differs.
    """
    rows = tree_map(lambda tensor: tensor[:COMPARED], batch)
    count = samples_of(rows)
    with torch.no_grad(), evaluating(model):
        together = losses(model, rows)
        alone = torch.cat([losses(model, tree_map(lambda t, i=i: t[i : i + 1], rows)) for i in range(count)])
    if not torch.allclose(together, alone, rtol=TOLERANCE, atol=TOLERANCE * float(together.abs().max())):
        raise ValueError(
            f"the losses of {count} samples are {together.tolist()} together, and {alone.tolist()} one by one; each "
            "has to depend on its own sample alone"
        )
    return 2 * count
