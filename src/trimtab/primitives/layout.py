"""Tensors as flat memory: one-dimensional views in the order in which the elements are stored."""

import torch
from jaxtyping import Float
from torch import Tensor


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Returns the precision in which parameters of this type are updated."""
    return torch.promote_types(dtype, torch.float32)


def is_dense(tensor: Tensor) -> bool:
    """Returns whether the elements fill one piece of memory without gaps or overlaps, in whatever order."""
    if tensor.is_contiguous():
        return True
    return torch.empty_like(tensor, device="meta", requires_grad=False).stride() == tensor.stride()


def flat(tensor: Float[Tensor, "..."]) -> Float[Tensor, " n"]:
    """Returns the memory of a dense tensor, in the order of storage and not of indices.

    It is no view to autograd, because a compiler would make a graph for every rank of the tensor that is viewed. Who
    writes to it tells autograd so with ``torch.autograd.graph.increment_version``.
    """
    return tensor.as_strided((tensor.numel(),), (1,)).data


def shaped_like(segment: Float[Tensor, " n"], param: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns a piece of flat memory in the shape and, for a dense parameter, in the element order of ``param``."""
    return segment.as_strided(param.shape, param.stride()) if is_dense(param) else segment.view(param.shape)


def in_layout_of(param: Float[Tensor, "..."], value: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns ``value`` itself if it lies in memory as the dense ``param`` does, else a copy that does."""
    same = value.stride() == param.stride() or (value.is_contiguous() and param.is_contiguous())
    return value if same else copied_like(param, value)


def copied_like(param: Float[Tensor, "..."], value: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Copies ``value`` to the parameter's device and memory layout, in its own precision."""
    return torch.empty_like(param, dtype=value.dtype, requires_grad=False).copy_(value)
