from dataclasses import dataclass

import torch

from trimtab.primitives.memory import storage_bytes
from trimtab.primitives.quantized_weight import quantized_parameter


@dataclass
class Pair:
    one: torch.Tensor
    other: object


def test_views_count_as_what_they_are_views_of_and_once():
    whole = torch.zeros(100)
    assert storage_bytes(whole[:3], [whole, {"a": whole.view(10, 10)}]) == 400
    assert storage_bytes(Pair(whole, (torch.zeros(2, dtype=torch.uint8), "text", 3, None))) == 402
    assert storage_bytes() == 0


def test_the_inside_of_a_quantized_weight_counts():
    weight = quantized_parameter(torch.randn(32, 16), 4, 64)
    assert storage_bytes(weight) == 256 + 8 * 5


def test_what_is_inside_of_objects_counts_once():
    class Holder:
        pass

    one, other = Holder(), Holder()
    one.tensors, one.other, one.kind, one.call = [torch.zeros(3)], other, Holder, storage_bytes
    other.back, other.again = one, one.tensors[0][:1]
    assert storage_bytes({"state": one}, other) == 12
