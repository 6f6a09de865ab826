r"""Stochastic rounding to bfloat16, with noise that is a function of a counter.

A value is rounded up with the probability that is its distance to the lower neighbour, in units of the distance between
the neighbours, so that its expectation is itself: steps that are too small for the format are taken now and then
instead of never. Adding 16 random bits below the 16 that are kept and cutting off does just that.

The bits are a hash of the element's index and of a key, as in a counter-based generator (Salmon et al., 2011,
doi:10.1145/2063384.2063405): no state, no order in which they must be drawn, the same in a compiled kernel.
"""

from hashlib import blake2b
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

_MASK = 0xFFFFFFFF


def rounding_key(*parts: object) -> float:
    """Returns a number of 32 bits that stands for ``parts``; as a float, as kernels take their numbers."""
    return float(int.from_bytes(blake2b(repr(parts).encode(), digest_size=4).digest(), "little"))


def stochastically_rounded(values: Float[Tensor, " n"], key: Any, stream: int) -> Float[Tensor, " n"]:
    """Returns values in bfloat16.

    Args:
        values: infinities and NaN stay what they are.
        key: what :func:`rounding_key` returned, as a number or as an element of a tensor.
        stream: another one gives independent noise for the same key.
    """
    exact = values.to(torch.float32)
    own = (key.to(torch.int64) if isinstance(key, Tensor) else int(key)) + 0x1E3779B9 * stream
    index = torch.arange(values.shape[0], device=values.device)
    noise = _mixed(_mixed(index ^ own) + own) & 0xFFFF
    cut = (exact.view(torch.int32) + noise.to(torch.int32)) & ~0xFFFF
    return torch.where(exact.isfinite(), cut.view(torch.float32), exact).to(torch.bfloat16)


def keyed_generator(key: float, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a generator whose numbers are a function of a key.

    Outside of a compiled kernel, drawing is several times as quick as hashing indices.

    Args:
        key: what :func:`rounding_key` returned.
        device: where it draws; kinds of devices draw different numbers.
    """
    return torch.Generator(device).manual_seed(int(key))


def _mixed(bits: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Returns a bijection of 32 bits of which every output bit depends on every input bit."""
    # A product of 32 bits with a constant of 31 fits into 63: int64 does not overflow, and compilers do not differ.
    bits = bits & _MASK
    bits = ((bits ^ (bits >> 16)) * 0x21F0AAAD) & _MASK
    bits = ((bits ^ (bits >> 15)) * 0x735A2D97) & _MASK
    return bits ^ (bits >> 15)
