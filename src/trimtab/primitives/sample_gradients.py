r"""The gradients of a batch's samples, each by itself: from one backward pass, or vectorised (``torch.func``).

Where all parameters belong to common layers, one ordinary backward pass has all that is needed (``layer_gradients``);
any other model is differentiated once for each sample, vectorised.

For a batch of :math:`n` samples they are :math:`n` times as large as the parameters, so they are made in chunks, and
only their statistics are kept: with a chunk's gradients, a few copies of the parameters. Their mean is the gradient of
the batch's mean loss, which nobody has to compute again.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map

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
from trimtab.primitives.hyperparameters import POSITIVE, flag, optional, whole_number
from trimtab.primitives.layer_gradients import Called, batch_gradients, elements_made, layers_of
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.outer_products import Gradients
from trimtab.primitives.sample_checks import Losses, refuse, samples_of

IN_MEMORY = 2**24
"""Elements of samples' gradients that a chunk has at most, unless four samples have more."""

FEWEST_TOGETHER = 4

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
    :meth:`~GradientStatistics.write_to` puts into place. What it costs,
    ``benchmarks/gradient_statistics.py`` prints.

    Gradients of linear layers with one row a sample are not made: their squares are sums of products, and squared
    deviations from the mean a difference of two sums, with the rounding of these.

    Inner products with the mean take no more where all samples are in one chunk, because their gradients are still
    there when the mean is known. Otherwise the gradients are made a second time, with the same random numbers. (A pass
    of forward-mode differentiation along the mean gives the same products; measured, it takes as long.)

    Dropout draws a mask for each sample, from torch's global generator as ever. ``.grad`` is not touched.

    Args:
        model: the model; one inside of ``DistributedDataParallel`` is taken out of it.
        losses: from the model and a batch to one loss a sample, each of which depends on its own sample alone. It is
            called with batches of one sample, and of many.
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
    drawn = _random_states(model)
    try:
        gradients: _Gradients = _ByLayer(model, losses, batch, loss_scale)
        chunks = _chunks(samples, chunk_size, gradients)
        found, last = _collected(gradients, batch, chunks)
    except _OtherwiseError:
        _set_random_states(model, drawn)
        gradients = _Vectorised(model, losses, loss_scale)
        chunks = _chunks(samples, chunk_size, gradients)
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


class _Gradients(Protocol):
    """Computes the gradients of some samples of a batch."""

    elements: int
    """How many numbers each sample's gradients are."""

    def __call__(self, batch: Any, rows: slice) -> tuple[dict[str, Gradients], Tensor]:
        """Returns the gradients, one behind the other, in float32 at least, and the losses."""
        ...


class _OtherwiseError(Exception):
    """There are not rules for all that the model does."""


class _ByLayer:
    """From one backward pass, layer by layer."""

    def __init__(self, model: nn.Module, losses: Losses, batch: Any, loss_scale: float) -> None:
        layers = layers_of(model)
        if not layers or torch.is_autocast_enabled(_device(model).type):
            raise _OtherwiseError
        elements = elements_made(layers, model, losses, tree_map(lambda tensor: tensor[:1], batch))
        if elements is None:
            raise _OtherwiseError
        self.elements = elements
        self._layers, self._model, self._losses, self._loss_scale = layers, model, losses, loss_scale

    def __call__(self, batch: Any, rows: slice) -> tuple[dict[str, Gradients], Tensor]:
        part, samples = tree_map(lambda tensor: tensor[rows], batch), rows.stop - rows.start
        found = batch_gradients(
            self._layers, self._model, self._losses, part, samples=samples, loss_scale=self._loss_scale
        )
        if found is None:
            raise _OtherwiseError
        return found


class _Vectorised:
    """From a pass for each sample, vectorised."""

    def __init__(self, model: nn.Module, losses: Losses, loss_scale: float) -> None:
        self._module, self._loss_scale = Called(model, losses), loss_scale
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

    def __call__(self, batch: Any, rows: slice) -> tuple[dict[str, Gradients], Tensor]:
        try:
            with _attention(_device(self._module)):
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


_Centred: TypeAlias = tuple[dict[str, Gradients], GradientStatistics]
"""Gradients without their mean, and their statistics."""


def _centred(gradients: _Gradients, batch: Any, rows: slice) -> _Centred:
    stacked, losses = gradients(batch, rows)
    found = centred(stacked, inner_products=False)
    return stacked, replace(found, loss=total([losses]) / found.count)


def _collected(gradients: _Gradients, batch: Any, chunks: list[slice]) -> tuple[GradientStatistics, _Centred]:
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


def _chunks(samples: int, chunk_size: int | None, gradients: _Gradients) -> list[slice]:
    size = chunk_size or max(FEWEST_TOGETHER, IN_MEMORY // max(1, gradients.elements))
    return [slice(first, min(first + size, samples)) for first in range(0, samples, size)]


def _random_states(model: nn.Module) -> list[Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in _cuda(model))]


@contextmanager
def _random_states_again(model: nn.Module, states: list[Tensor]) -> Iterator[None]:
    """Puts torch's global generators back to where they were, and then to where they are now."""
    with torch.random.fork_rng(_cuda(model)):
        _set_random_states(model, states)
        yield


def _set_random_states(model: nn.Module, states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    for device, state in zip(_cuda(model), states[1:], strict=True):
        torch.cuda.set_rng_state(state, device)


def _device(model: nn.Module) -> torch.device:
    return next(iter(model.parameters())).device


def _cuda(model: nn.Module) -> list[torch.device]:
    return sorted({p.device for p in model.parameters() if p.device.type == "cuda"}, key=str)
