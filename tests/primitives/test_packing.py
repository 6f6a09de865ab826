import pytest
import torch

from trimtab.primitives.packing import packed, unpacked


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 256, 1001])
def test_what_is_packed_comes_back(bits, count):
    codes = torch.randint(2**bits, (count,), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    data = packed(codes, bits)
    assert data.dtype == torch.uint8
    assert len(data) == -(-count * bits // 8)
    assert torch.equal(unpacked(data, bits, count), codes)


def test_the_first_code_is_in_the_lowest_bits():
    assert packed(torch.tensor([1, 2, 15], dtype=torch.uint8), 4).tolist() == [0x21, 0x0F]
    assert packed(torch.tensor([1, 2, 7], dtype=torch.uint8), 3).tolist() == [0b11010001, 0b1]
