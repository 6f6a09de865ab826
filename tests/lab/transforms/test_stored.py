"""What is stored is counted from tensors."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from trimtab.lab.transforms.stored import (
    counted_tensors,
    kept_weights,
    stored_bytes,
    stored_tensors,
    tensor_bytes,
    unsaved_buffers,
)
from trimtab.primitives.masks import set_masks


def test_a_tensor_is_dense_or_a_bitmap_with_values_whichever_is_smaller():
    tensor = torch.zeros(100)
    tensor[:10] = 1
    assert tensor_bytes(tensor) == 13 + 40
    assert tensor_bytes(torch.ones(100)) == 400
    assert tensor_bytes(torch.ones(100, dtype=torch.int8)) == 100
    assert tensor_bytes(torch.zeros(9, dtype=torch.float64)) == 2
    tensor[:97] = 1
    assert tensor_bytes(tensor) == 400  # 13 + 388 would be 401
    assert tensor_bytes(tensor.to_sparse()) == 400


def test_a_mask_is_stored_as_the_zeros_that_it_makes():
    model = nn.Sequential(nn.Linear(8, 2))
    dense = stored_bytes(model)
    assert dense == 64 + 8
    set_masks(model, {"0.weight": torch.arange(16).reshape(2, 8) < 3})
    assert sorted(stored_tensors(model)) == ["0.bias", "0.weight"]
    assert stored_bytes(model) == 2 + 12 + 8


def test_other_parametrizations_are_stored_as_they_are_computed():
    assert sorted(stored_tensors(weight_norm(nn.Linear(2, 3)))) == ["bias", "weight"]


def test_a_tensor_with_two_names_is_stored_once():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    assert stored_bytes(model) == 128
    model[1].weight = model[0].weight
    assert list(stored_tensors(model)) == ["0.weight"]
    assert stored_bytes(model) == 64


def test_what_is_no_tensor_takes_bytes_too():
    class Table(nn.Linear):
        def get_extra_state(self):
            return list(range(1000))

        def set_extra_state(self, state):
            pass

    assert stored_bytes(Table(1, 1)) > 8 + 1000


def test_weights_under_another_name_are_kept_weights():
    original = nn.Sequential(nn.Linear(2, 3))
    others = {"0.bias": torch.Size([3])}
    assert kept_weights(original, others) == 6
    hidden = nn.Sequential(nn.Linear(2, 3))
    hidden.register_buffer("aside", torch.ones(5))
    assert kept_weights(hidden, others) == 11
    hidden.register_buffer("0_bias", torch.ones(3))
    assert kept_weights(hidden, others) == 14


def test_buffers_that_are_not_saved_and_tensors_in_extra_state_are_kept_weights():
    class Noted(nn.Linear):
        def __init__(self):
            super().__init__(2, 3)
            self.register_buffer("phase", torch.ones(4), persistent=False)

        def get_extra_state(self):
            return {"scale": [torch.ones(5), 3], "name": "noted"}

    model = Noted()
    assert unsaved_buffers(model).keys() == {"phase"}
    assert counted_tensors(model).keys() == {"weight", "bias", "phase", "_extra_state.0"}
    assert kept_weights(model, {"bias": torch.Size([3])}) == 6 + 4 + 5
    assert kept_weights(model, {name: tensor.shape for name, tensor in counted_tensors(model).items()}) == 0


def test_a_name_alone_makes_no_parametrization():
    model = nn.Sequential(nn.Linear(2, 3))
    model.parametrizations = nn.ModuleDict({"aside": nn.Linear(4, 5, bias=False)})
    assert kept_weights(model, {}) == 6 + 3 + 20
