import math

import pytest
import torch

from trimtab.primitives.packing import unpacked
from trimtab.primitives.quantizer import quantize_affine
from trimtab.primitives.rounding import rounding_key

CARD = (-1.0, -0.25, 0.1, 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("bits", "codes", "zero", "scale", "values"),
    [
        (8, [0, 96, 141, 255], 128, 1 / 127.5, [-1.0039216, -0.2509804, 0.1019608, 0.9960784]),
        (4, [0, 6, 9, 15], 8, 0.1333333, [-1.0666667, -0.2666667, 0.1333333, 0.9333333]),
    ],
)
def test_four_numbers_by_hand(dtype, bits, codes, zero, scale, values):
    quantized = quantize_affine(torch.tensor(CARD, dtype=dtype), bits)
    whole = quantized.codes if bits == 8 else torch.stack([quantized.codes & 15, quantized.codes >> 4], 1).flatten()
    assert whole.tolist() == codes
    assert quantized.zero.tolist() == [zero]
    assert quantized.scale.item() == pytest.approx(scale, rel=1e-6)
    assert quantized.dequantize().tolist() == pytest.approx(values, abs=1e-7)
    assert quantized.dequantize().dtype == dtype


@pytest.mark.parametrize(
    ("values", "bits", "expected"),
    [
        ([1.0, 1.02, 1.05, 1.1], 8, [1.00078, 1.01804, 1.04824, 1.1]),
        ([-1.0, -1.02, -1.05, -1.1], 8, [-1.00078, -1.01804, -1.04824, -1.1]),
        ([1.0, 2.0], 4, [1.06667, 2.0]),
        ([0.0, 0.0], 8, [0.0, 0.0]),
        ([1e-38, 0.0], 8, [0.0, 0.0]),
    ],
)
def test_groups_of_one_sign_do_not_collapse(values, bits, expected):
    assert quantize_affine(torch.tensor(values), bits).dequantize().tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("group_size", [1, 7, 64, 10_000])
def test_every_number_is_within_one_and_a_half_quanta_and_nearly_all_within_one(bits, group_size):
    values = torch.randn(13, 77, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    quantized = quantize_affine(values, bits, group_size)
    scale = quantized.scale.repeat_interleave(min(group_size, values.numel()))[: values.numel()].view(values.shape)
    error = (quantized.dequantize() - values).abs() / scale
    assert quantized.shape == values.shape
    assert error.max() <= 1 + 1e-9
    assert (error <= 0.5 + 1e-9).double().mean() > 0.8 if group_size > 7 else True


@pytest.mark.parametrize(("bits", "count", "group_size"), [(8, 256, 256), (4, 256, 256), (4, 1001, 256), (3, 100, 32)])
def test_bytes(bits, count, group_size):
    quantized = quantize_affine(torch.ones(count), bits, group_size)
    assert quantized.nbytes == math.ceil(count * bits / 8) + 5 * math.ceil(count / group_size)


def test_sixteen_bits_come_back_in_working_precision():
    assert quantize_affine(torch.ones(3, dtype=torch.bfloat16)).dequantize().dtype == torch.float32


def test_what_has_no_elements():
    empty = quantize_affine(torch.ones(0, 3), 4)
    assert empty.dequantize().shape == (0, 3)
    assert quantize_affine(torch.tensor(2.0)).dequantize().item() == 2.0


def test_stochastic_rounding_is_right_on_average():
    # range [-1, 1]: the last two numbers pin the scale; the others are 0.3 quanta above a point of the grid
    quantum, count = 2 / 255, 100_000
    values = torch.cat([torch.full((count,), 40.3 * quantum), torch.tensor([-128 * quantum, 127 * quantum])])
    drawn = quantize_affine(values.double(), 8, count + 2, rounding_key=rounding_key(0)).dequantize()[:count] / quantum
    assert set(drawn.round().tolist()) == {40.0, 41.0}
    assert drawn.mean().item() == pytest.approx(40.3, abs=4 * math.sqrt(0.3 * 0.7 / count))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bits", [4, 8])
def test_numbers_on_the_grid_never_move(dtype, bits):
    values = torch.randn(512, 512, dtype=dtype, generator=torch.Generator().manual_seed(0))
    quantized = quantize_affine(values, bits)
    codes = unpacked(quantized.codes, bits, values.numel()).view(-1, 256)
    # At a tie both ends of a group may be rounded inwards: then its range, and with it the grid, is another one.
    kept = (codes.amin(1) == 0) & (codes.amax(1) == 2**bits - 1)
    assert kept.double().mean() > 0.99
    grid = quantized.dequantize().view(-1, 256)[kept]
    for step in range(20):
        again = quantize_affine(grid, bits, rounding_key=rounding_key(step))
        assert torch.equal(unpacked(again.codes, bits, grid.numel()).view(-1, 256), codes[kept])
        assert torch.allclose(again.dequantize(), grid, rtol=0, atol=1e-5)  # a quantum is 1e-2


def test_the_noise_is_a_function_of_key_and_position():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    one, same, other = (quantize_affine(values, rounding_key=rounding_key(key)).codes for key in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def drift(rounded_at_random):
    """Adds a hundredth of a quantum a thousand times; the neighbours pin the range."""
    quantum = 2 / 255
    weight = torch.tensor([-128 * quantum, 127 * quantum, 5 * quantum], dtype=torch.float64)
    for step in range(1000):
        weight[2] += 0.01 * quantum
        weight = quantize_affine(weight, rounding_key=rounding_key(step) if rounded_at_random else None).dequantize()
    return round(weight[2].item() / quantum) - 5


def test_small_steps_add_up_only_if_they_are_rounded_at_random():
    assert drift(rounded_at_random=False) == 0
    assert 1 <= drift(rounded_at_random=True) <= 23


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bits": 1}, ValueError, "bits=1 must be a whole number from 2 to 8"),
        ({"bits": 9}, ValueError, "bits=9"),
        ({"bits": 4.0}, TypeError, "bits=4.0"),
        ({"group_size": 0}, ValueError, "group_size=0 must be a whole number >= 1"),
        ({"group_size": True}, TypeError, "group_size=True"),
    ],
)
def test_what_cannot_be_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        quantize_affine(torch.ones(4), **arguments)


def test_whole_numbers_are_not_quantized():
    with pytest.raises(TypeError, match=r"floating-point numbers, not torch.int64"):
        quantize_affine(torch.arange(4))
