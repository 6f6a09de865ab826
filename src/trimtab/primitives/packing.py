"""Whole numbers of few bits, side by side in bytes."""

import torch
from jaxtyping import UInt8
from torch import Tensor

BYTE = 8


def packed(codes: UInt8[Tensor, " n"], bits: int) -> UInt8[Tensor, " bytes"]:
    """Puts codes side by side, the first into the lowest bits of the first byte; the last byte is filled with zeros.

    Args:
        codes: below ``2 ** bits``.
        bits: of each, from 1 to 8.
    """
    if bits == BYTE:
        return codes
    if BYTE % bits:  # codes cross the borders of bytes: bit by bit
        return packed(((codes[:, None] >> _places(bits, 1, codes)) & 1).flatten(), 1)
    filled = torch.nn.functional.pad(codes, (0, -len(codes) % (BYTE // bits))).view(-1, BYTE // bits)
    shifted: Tensor = filled << _places(BYTE // bits, bits, codes)
    return shifted.sum(1, dtype=torch.uint8)


def unpacked(data: UInt8[Tensor, " bytes"], bits: int, count: int) -> UInt8[Tensor, " n"]:
    """Returns the first ``count`` codes of those that :func:`packed` put side by side."""
    if bits == BYTE:
        return data[:count]
    if BYTE % bits:
        each = unpacked(data, 1, count * bits).view(count, bits)
        shifted: Tensor = each << _places(bits, 1, data)
        return shifted.sum(1, dtype=torch.uint8)
    codes: Tensor = (data[:, None] >> _places(BYTE // bits, bits, data)) & (2**bits - 1)
    return codes.flatten()[:count]


def _places(count: int, bits: int, like: Tensor) -> UInt8[Tensor, " count"]:
    return torch.arange(0, count * bits, bits, dtype=torch.uint8, device=like.device)
