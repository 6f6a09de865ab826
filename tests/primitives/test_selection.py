import math

import pytest
import torch

from trimtab.primitives import selection
from trimtab.primitives.selection import nth_largest_magnitude


def drawn(*sizes, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator).to(dtype) for size in sizes]


def sorted_magnitudes(tensors):
    return torch.cat([t.abs().double().reshape(-1) for t in tensors]).sort(descending=True).values


@pytest.mark.parametrize("sizes", [(1,), (5, 1, 12), (100_000, 7, 60_000), ((300, 400), (200_000,), 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_every_place_is_that_of_a_full_sort(sizes, dtype):
    tensors = drawn(*sizes, dtype=dtype)
    expected = sorted_magnitudes(tensors)
    total = len(expected)
    for rank in {0, total // 1000, total // 10, total // 2, total - 1}:
        assert nth_largest_magnitude(tensors, rank) == expected[rank].item()


@pytest.mark.parametrize(
    "values",
    [
        torch.zeros(300_000),
        torch.cat([torch.zeros(200_000), torch.arange(100_000.0)]),
        torch.arange(300_000.0) % 3,
        torch.arange(300_000.0).remainder(300_000 // selection.SAMPLE) - 1,  # the sample sees one value only
    ],
    ids=["zeros", "many zeros", "ties", "a misleading sample"],
)
def test_ties_and_samples_that_mislead(values):
    expected = sorted_magnitudes([values])
    for rank in (0, 1, 99_999, 100_000, 150_000, 299_998, 299_999):
        assert nth_largest_magnitude([values], rank) == expected[rank].item()


def test_mixed_types_and_layouts():
    tensors = [*drawn((400, 500)), *drawn(90_000, dtype=torch.float64, seed=1), drawn((200, 10), seed=2)[0].T]
    expected = sorted_magnitudes(tensors)
    for rank in (0, 12_345, 200_000):
        assert nth_largest_magnitude(tensors, rank) == expected[rank].item()


@pytest.mark.parametrize("size", [10, 300_000])
def test_nan_is_larger_than_every_number(size):
    values = torch.arange(float(size))
    values[3] = math.nan
    assert math.isnan(nth_largest_magnitude([values], 0))
    assert nth_largest_magnitude([values], 1) == size - 1


def test_most_of_it_is_not_gathered(monkeypatch):
    seen = []
    real = selection._nth_largest
    monkeypatch.setattr(selection, "_nth_largest", lambda values, rank: seen.append(len(values)) or real(values, rank))
    nth_largest_magnitude(drawn(1_000_000), 100_000)
    assert len(seen) == 1
    assert seen[0] < 30_000


@pytest.mark.parametrize(
    ("tensors", "rank"), [([], 0), ([torch.zeros(0)], 0), ([torch.ones(3)], 3), ([torch.ones(3)], -1)]
)
def test_places_that_there_are_not(tensors, rank):
    with pytest.raises(ValueError, match="rank"):
        nth_largest_magnitude(tensors, rank)
