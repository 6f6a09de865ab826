r"""Uniform affine quantisation: numbers as small whole numbers, with a scale and a zero point for each group.

.. math::
    s = \frac{\max - \min}{2^b - 1}, \qquad z = \operatorname{round}(-\min / s), \qquad
    q = \operatorname{clamp}(\operatorname{round}(x / s) + z,\; 0,\; 2^b - 1), \qquad \hat x = (q - z)\, s

The range always includes zero. Otherwise the zero point of a group whose numbers have one sign would lie outside of the
codes, and clamping it, as some code does, makes all of the group the same number.

Stochastic rounding replaces round(x / s) by floor(x / s + u) with u uniform in [0, 1): right on average, so that
changes smaller than a quantum are not lost. The noise is a function of a key and of the position.
"""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from trimtab.primitives.hyperparameters import integer, whole_number
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.packing import packed, unpacked
from trimtab.primitives.rounding import keyed_generator

GROUP_SIZE = 256
"""Numbers that share a scale, unless told otherwise: 5 bytes more for 256."""

ON_THE_GRID = 2**-14
"""Quanta by which a number may miss a point of the grid and still count as lying on it.

What is dequantised and quantised again comes back a few units in the last place of float32 off, which are up to 255
quanta; without this, rounding at random would now and then move what nobody changed.
"""

BLOCK = 2**16
"""Numbers that are quantised in one go: what lies between shall still be in the cache, and needs no new memory."""

Values: TypeAlias = Float[Tensor, "..."]
Groups: TypeAlias = Float[Tensor, "groups size"]


def bit_width(name: str, value: object) -> int:
    """Returns ``value``.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is not from 2 to 8.
    """
    number = integer(name, value)
    if not 2 <= number <= 8:
        raise ValueError(f"{name}={value!r} must be a whole number from 2 to 8")
    return number


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor in few bits. It is replaced, never changed.

    Args:
        codes: the numbers q, ``8 / bits`` in a byte where that is a whole number, else bit after bit.
        scale: s of each group, in the precision in which it is dequantised.
        zero: z of each group.
        shape: of the tensor. Groups are pieces of it in row-major order; the last may be shorter.
        bits: of a code.
        group_size: numbers that share a scale.
    """

    codes: UInt8[Tensor, " bytes"]
    scale: Float[Tensor, " groups"]
    zero: UInt8[Tensor, " groups"]
    shape: torch.Size
    bits: int
    group_size: int

    def dequantize(self) -> Values:
        """Returns the numbers that the codes stand for, in the type of ``scale``."""
        whole = unpacked(self.codes, self.bits, self.shape.numel())
        grouped = _grouped(whole.to(self.scale.dtype), self.group_size)
        values = grouped.sub_(self.zero[:, None]).mul_(self.scale[:, None])
        return values.flatten()[: self.shape.numel()].view(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and zero points."""
        return self.codes.nbytes + self.scale.nbytes + self.zero.nbytes


def quantize_affine(
    values: Values, bits: int = 8, group_size: int = GROUP_SIZE, *, rounding_key: float | None = None
) -> QuantizedTensor:
    """Quantises a tensor, each group in its own range.

    Args:
        values: finite numbers; 16-bit ones are computed with, and come back, in float32.
        bits: of a code, from 2 to 8.
        group_size: numbers, in row-major order, that share a range. It need not divide their number.
        rounding_key: rounds at random; equal keys (see :func:`~trimtab.primitives.rounding.rounding_key`) give equal
            noise. ``None`` rounds to the nearest, ties to even.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    bits, group_size = bit_width("bits", bits), whole_number(1)("group_size", group_size)
    if not values.is_floating_point():
        raise TypeError(f"values must be floating-point numbers, not {values.dtype}")
    flat = values.detach().to(working_dtype(values.dtype)).reshape(-1)
    grouped = _grouped(flat, group_size)
    codes = torch.empty_like(grouped, dtype=torch.uint8)
    scale, zero = grouped.new_empty(len(grouped)), codes.new_empty(len(codes))
    generator = None if rounding_key is None else keyed_generator(rounding_key, flat.device)
    rows = max(1, BLOCK // grouped.shape[1])
    for start in range(0, len(grouped), rows):
        part = slice(start, start + rows)
        whole, scale[part], zero[part] = _quantized(grouped[part], 2**bits - 1, generator)
        codes[part] = whole
    return QuantizedTensor(packed(codes.flatten()[: len(flat)], bits), scale, zero, values.shape, bits, group_size)


def _quantized(
    grouped: Groups, levels: int, generator: torch.Generator | None
) -> tuple[Groups, Float[Tensor, " groups"], Float[Tensor, " groups"]]:
    """Returns codes, scales and zero points."""
    low = grouped.amin(1, keepdim=True).clamp_(max=0)
    span = grouped.amax(1, keepdim=True).clamp_(min=0).sub_(low)
    # A range of nothing, or of next to nothing, is that of zeros. Its scale may be anything.
    wide = span > levels * torch.finfo(span.dtype).tiny
    per_unit = torch.where(wide, levels / span, 0.0)
    scale, zero = torch.where(wide, span / levels, 1.0), (-low * per_unit).round_()
    quanta = grouped * per_unit
    whole = quanta.round() if generator is None else _rounded_at_random(quanta, generator)
    return whole.add_(zero).clamp_(0, levels), scale[:, 0], zero[:, 0]


def _rounded_at_random(quanta: Groups, generator: torch.Generator) -> Groups:
    """Returns whole numbers; writes to its argument."""
    nearest = quanta.round()
    apart = quanta.sub_(nearest)
    # 1 off the grid, 0 on it; comparing and choosing would take several times as long.
    off = apart.abs().sub_(ON_THE_GRID).clamp_(min=0).sign_()
    noise = torch.rand(quanta.shape, generator=generator, dtype=quanta.dtype, device=quanta.device)
    # The noise is added to the small number: to a large one it would now and then be rounded up to one.
    return nearest.add_(apart.mul_(off).add_(noise).floor_())


def _grouped(flat: Float[Tensor, " n"], group_size: int) -> Float[Tensor, "groups size"]:
    """Returns one row for each group, the last one filled with zeros; a view if nothing has to be filled."""
    size = min(group_size, max(1, len(flat)))
    missing = -len(flat) % size
    return (torch.nn.functional.pad(flat, (0, missing)) if missing else flat).view(-1, size)
