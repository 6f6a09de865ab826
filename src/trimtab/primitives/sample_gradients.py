r"""The gradients of a batch's samples, each by itself, in one vectorised pass (``torch.func``).

For a batch of :math:`n` samples they are :math:`n` times as large as the parameters, so they are made in chunks, and
only their statistics are kept: with a chunk's gradients, a few copies of the parameters. Their mean is the gradient of
the batch's mean loss, which nobody has to compute again.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves, tree_map

from trimtab.primitives.gradient_hooks import has_gradient_hooks
from trimtab.primitives.gradient_statistics import (
    GradientStatistics,
    Tensors,
    absorb,
    centred,
    projected,
    squares,
    total,
    undistributed,
)
from trimtab.primitives.hyperparameters import FLOATING_DTYPES, POSITIVE, flag, optional, whole_number
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.sharding import shards_of

Losses: TypeAlias = Callable[[nn.Module, Any], Float[Tensor, " batch"]]
"""From a model and a batch to one loss a sample."""

IN_MEMORY = 2**24
"""Elements of samples' gradients that a chunk has at most, unless four samples have more."""

FEWEST_TOGETHER = 4
COMPARED = 8
TOLERANCE = 1e-3

_VECTORISING = ("vmap", "functorch", "captured Tensor")
_chunk_size = optional(whole_number(1))


def gradient_statistics(
    model: nn.Module,
    losses: Losses,
    batch: Any,
    *,
    chunk_size: int | None = None,
    inner_products: bool = False,
    distributed: bool = False,
    loss_scale: float = 1.0,
) -> GradientStatistics:
    r"""Returns the statistics of a batch's gradients, sample by sample.

    It replaces the step's forward and backward pass: the mean is the batch's gradient, which
    :meth:`~GradientStatistics.write_to` puts into place. Measured, it takes one and a half to three times as long; for
    wide linear layers with one row a sample, whose gradient is otherwise a single product of matrices, twenty times.

    Inner products with the mean take no more where all samples are in one chunk, because their gradients are still
    there when the mean is known. Otherwise the gradients are made a second time, with the same random numbers. (A pass
    of forward-mode differentiation along the mean gives the same products; measured, it takes as long.)

    Dropout draws a mask for each sample, from torch's global generator as ever. ``.grad`` is not touched.

    Args:
        model: the model; one inside of ``DistributedDataParallel`` is taken out of it.
        losses: from the model and a batch to one loss a sample, each of which depends on its own sample alone. It is
            called with batches of one sample.
        batch: a tensor, or tuples, lists and dicts of tensors, with the samples in the first dimension.
        chunk_size: how many samples' gradients are in memory at once. By default as many as have 2²⁴ elements in all,
            and four at least.
        inner_products: whether the variance along the mean is wanted.
        distributed: whether the batch is this process's part of one that is spread over the processes of
            ``torch.distributed``'s default group. Every process gets the statistics of the whole.
        loss_scale: what losses are multiplied with while they are differentiated, ``scaler.get_scale()`` where float16
            needs it; the statistics are of unscaled gradients.

    Raises:
        RuntimeError: something in the model or the losses cannot be vectorised over samples, or ``distributed`` is
            asked for without processes.
        TypeError: an argument has the wrong type, or a parameter is not real or is divided over processes (FSDP2).
        ValueError: ``chunk_size`` is less than one, ``loss_scale`` is not positive, the batch has no samples or not as
            many in each tensor, batch normalisation is in training mode, an embedding makes sparse gradients, a
            parameter has gradient hooks, no parameter requires gradients, or ``losses`` does not return one loss a
            sample. The message says what helps.
    """
    chunk_size = _chunk_size("chunk_size", chunk_size)
    flag("inner_products", inner_products)
    flag("distributed", distributed)
    loss_scale = POSITIVE("loss_scale", loss_scale)
    model, samples = undistributed(model), samples_of(batch)
    refuse(model)
    gradients = _SampleGradients(model, losses, loss_scale)
    size = chunk_size or max(FEWEST_TOGETHER, IN_MEMORY // gradients.elements)
    chunks = [slice(first, min(first + size, samples)) for first in range(0, samples, size)]
    drawn = _random_states(model)
    found, last = _collected(gradients, batch, chunks)
    if distributed:
        found = found.over_processes()
    if not inner_products:
        return found
    if len(chunks) == 1:
        projections = _squared_projections(last, found.mean)
    else:
        with _random_states_again(model, drawn):
            projections = sum(_squared_projections(_centred(gradients, batch, r), found.mean) for r in chunks)
    if distributed:
        projections = _over_processes(projections, model)
    return replace(found, squared_projections=projections, second_pass=len(chunks) > 1)


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
        losses: as for :func:`gradient_statistics`.
        batch: eight of its samples are used.

    Returns:
        How many samples passed forward through the model.

    Raises:
        ValueError: a loss differs.
    """
    rows = tree_map(lambda tensor: tensor[:COMPARED], batch)
    count = samples_of(rows)
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            together = losses(model, rows)
            alone = torch.cat([losses(model, tree_map(lambda t, i=i: t[i : i + 1], rows)) for i in range(count)])
    finally:
        for module, mode in training:
            module.training = mode
    if not torch.allclose(together, alone, rtol=TOLERANCE, atol=TOLERANCE * float(together.abs().max())):
        raise ValueError(
            f"the losses of {count} samples are {together.tolist()} together, and {alone.tolist()} one by one; each "
            "has to depend on its own sample alone"
        )
    return 2 * count


class _SampleGradients:
    """Computes the gradients of some samples of a batch."""

    def __init__(self, model: nn.Module, losses: Losses, loss_scale: float) -> None:
        self._module, self._loss_scale = _Losses(model, losses), loss_scale
        self.params = {name: p.detach() for name, p in self._module.named_parameters() if p.requires_grad}
        if not self.params:
            raise ValueError("no parameter of the model requires a gradient")
        self.elements = sum(map(Tensor.numel, self.params.values()))
        self._each = vmap(grad_and_value(self._loss), in_dims=(None, 0), randomness="different")

    def _loss(self, params: dict[str, Tensor], sample: Any) -> Tensor:
        batch = tree_map(lambda tensor: tensor.unsqueeze(0), sample)
        found = functional_call(self._module, params, (batch,))
        if not isinstance(found, Tensor) or found.shape != (1,):
            shape = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)
            raise ValueError(
                f"losses returned {shape} for a batch of one sample, expected one loss a sample: shape (1,), as "
                "reduction='none' gives"
            )
        return found[0] * self._loss_scale

    def __call__(self, batch: Any, rows: slice) -> tuple[dict[str, Tensor], Tensor]:
        """Returns the gradients, one behind the other, in float32 at least, and the losses."""
        try:
            with _attention(next(iter(self.params.values())).device):
                grads, losses = self._each(self.params, tree_map(lambda tensor: tensor[rows], batch))
        except RuntimeError as error:
            if not any(words in str(error) for words in _VECTORISING):
                raise
            raise RuntimeError(
                f"the model or its losses cannot be vectorised over samples ({str(error).splitlines()[0]}). Statistics "
                "of micro-batches' gradients need no such thing: see of_means()"
            ) from error
        stacked = {name.removeprefix("model."): grad for name, grad in grads.items()}
        working = {name: grad.to(working_dtype(grad.dtype)) for name, grad in stacked.items()}
        if self._loss_scale == 1:
            return working, losses
        return {name: grad / self._loss_scale for name, grad in working.items()}, losses / self._loss_scale


def _attention(device: torch.device) -> AbstractContextManager[None]:
    """Has attention computed in the open on a CPU, whose fused kernel torch cannot vectorise, but for a slow loop."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


class _Losses(nn.Module):
    """The losses as a module, so that all that happens to the model's parameters happens within one call of it."""

    def __init__(self, model: nn.Module, losses: Losses) -> None:
        super().__init__()
        self.model, self._losses = model, losses

    def forward(self, batch: Any) -> Any:
        return self._losses(self.model, batch)


_Centred: TypeAlias = tuple[dict[str, Tensor], GradientStatistics]
"""Gradients without their mean, and their statistics."""


def _centred(gradients: _SampleGradients, batch: Any, rows: slice) -> _Centred:
    stacked, losses = gradients(batch, rows)
    found = centred(stacked, inner_products=False)
    return stacked, replace(found, loss=total([losses]) / found.count)


def _collected(gradients: _SampleGradients, batch: Any, chunks: list[slice]) -> tuple[GradientStatistics, _Centred]:
    """Returns the statistics of all chunks, and the last of them."""
    last = stacked, part = _centred(gradients, batch, chunks[0])
    mean, deviations = dict(part.mean), dict(part.squared_deviations)
    count, loss = part.count, part.count * (part.loss or 0.0)
    for rows in chunks[1:]:
        stacked.clear()  # two chunks' gradients would be in memory otherwise
        last = stacked, part = _centred(gradients, batch, rows)
        absorb(mean, deviations, count, part)
        count, loss = count + part.count, loss + part.count * (part.loss or 0.0)
    return GradientStatistics(count, mean, deviations, loss=loss / count), last


def _squared_projections(found: _Centred, mean: Tensors) -> float:
    """Returns the sum of squares of the inner products of a chunk's deviations from ``mean`` with it."""
    stacked, part = found
    shift = total((part.mean[name] - each) * each for name, each in mean.items())
    return squares(projected(stacked, mean).double() + shift)


def _over_processes(value: float, model: nn.Module) -> float:
    import torch.distributed as dist

    held = torch.tensor(value, dtype=torch.float64, device=next(model.parameters()).device)
    dist.all_reduce(held)
    return float(held)


def _random_states(model: nn.Module) -> list[Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in _cuda(model))]


@contextmanager
def _random_states_again(model: nn.Module, states: list[Tensor]) -> Iterator[None]:
    """Puts torch's global generators back to where they were, and then to where they are now."""
    devices = _cuda(model)
    with torch.random.fork_rng(devices):
        torch.set_rng_state(states[0])
        for device, state in zip(devices, states[1:], strict=True):
            torch.cuda.set_rng_state(state, device)
        yield


def _cuda(model: nn.Module) -> list[torch.device]:
    return sorted({p.device for p in model.parameters() if p.device.type == "cuda"}, key=str)
