"""The n-th largest magnitude among the elements of many tensors, without sorting them."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

DIRECT = 1 << 17
"""With fewer elements they are simply put side by side."""
SAMPLE = 1 << 16
"""Elements looked at first, to bracket the one that is wanted."""
DEVIATIONS = 6.0
"""Half the width of the bracket, in standard deviations of a random sample's rank."""


def nth_largest_magnitude(tensors: Sequence[Tensor], rank: int) -> float:
    """Returns the magnitude at a place in the descending order of all magnitudes.

    The result is exact. An evenly spaced sample brackets it; one pass then counts what lies above the bracket and
    gathers what lies within, which is little. Where the sample misled, everything is gathered.

    Args:
        tensors: real and of floating types, on one device; at least one element in all.
        rank: 0 asks for the largest. NaN is larger than every number.

    Raises:
        ValueError: there is no such place.
    """
    flat = [tensor.detach().reshape(-1) for tensor in tensors if tensor.numel()]
    total = sum(each.numel() for each in flat)
    if not 0 <= rank < total:
        raise ValueError(f"rank={rank} must lie in [0, {total})")
    if total > DIRECT:
        found = _bracketed(flat, total, rank)
        if found is not None:
            return found
    return _nth_largest(_side_by_side(flat), rank)


def _nth_largest(values: Float[Tensor, " n"], rank: int) -> float:
    return float(values.kthvalue(values.numel() - rank).values)


def _side_by_side(flat: Sequence[Tensor]) -> Float[Tensor, " n"]:
    dtype = torch.float64 if any(each.dtype == torch.float64 for each in flat) else torch.float32
    return torch.cat([each.abs().to(dtype) for each in flat])


def _bracketed(flat: Sequence[Tensor], total: int, rank: int) -> float | None:
    stride = total // SAMPLE
    sample = _side_by_side([each[::stride] for each in flat]).sort(descending=True).values
    if sample.isnan().any():
        return None
    share, count = rank / total, len(sample)
    slack = DEVIATIONS * math.sqrt(count * share * (1 - share)) + DEVIATIONS
    first, last = int(share * count - slack), int(share * count + slack)
    high = float(sample[first]) if first >= 0 else math.inf
    low = float(sample[last]) if last < count else 0.0
    not_above, within = 0, []
    for magnitudes in _magnitudes(flat):
        below_high = magnitudes <= high  # NaN is not
        not_above += int(below_high.count_nonzero())
        within.append(magnitudes[below_high & (magnitudes >= low)])
    candidates = torch.cat(within)
    rank -= total - not_above
    return _nth_largest(candidates, rank) if 0 <= rank < len(candidates) else None


def _magnitudes(flat: Sequence[Tensor]) -> Iterator[Float[Tensor, " n"]]:
    for each in flat:
        magnitudes = each.abs()
        yield magnitudes if each.dtype == torch.float64 else magnitudes.float()
