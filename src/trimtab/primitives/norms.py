"""Euclidean norms of tensors, also of such whose squares are too large or too small for their format."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.layout import working_dtype

SAFE = {torch.float32: (1e-15, 1e18), torch.float64: (1e-150, 1e150)}
"""Norms whose square is far from what a format can hold, and with it the squares that matter in it."""


def norms(tensors: Sequence[Tensor]) -> Float[Tensor, " n"]:
    """Returns the norm of each tensor, in float64.

    Args:
        tensors: at least one, real and of floating types.
    """
    dtypes = [working_dtype(each.dtype) for each in tensors]
    plain = [torch.linalg.vector_norm(each, dtype=dtype).double() for each, dtype in zip(tensors, dtypes, strict=True)]
    found = torch.stack([each.to(plain[0].device) for each in plain])
    for index, (value, dtype) in enumerate(zip(found.tolist(), dtypes, strict=True)):
        low, high = SAFE[dtype]
        if not low < value < high:
            found[index] = _scaled(tensors[index])
    return found


def norm_of(tensors: Sequence[Tensor]) -> float:
    """Returns the norm of tensors taken together."""
    return math.hypot(*norms(tensors).tolist()) if tensors else 0.0


def _scaled(tensor: Tensor) -> float:
    """Returns a norm by way of the largest magnitude, which is finite, zero or neither."""
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(torch.linalg.vector_norm(tensor.double() / largest))
