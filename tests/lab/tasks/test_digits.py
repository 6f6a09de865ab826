import pytest
import torch
from torch.nn import functional

from tests.lab.tasks.hashing import sha256
from trimtab.lab.task import take_rows
from trimtab.lab.tasks.digits import Digits


def test_the_images_are_what_they_always_were():
    task = Digits()
    hashes = [sha256(*data.tensors) for data in (task.train, task.validation, task.test)]
    assert hashes == ["1c3a49635e8e83d2", "775efb4f5968cd6b", "b438c96cbc846351"]
    assert task.train.tensors[0].shape == (1000, 1, 8, 8)
    assert (float(task.train.tensors[0].min()), float(task.train.tensors[0].max())) == (0.0, 1.0)


def test_losses_and_accuracy_are_torch_s():
    task = Digits()
    model = task.model(torch.Generator().manual_seed(0)).eval()
    batch = take_rows(task.validation, torch.arange(400))
    outputs = task.outputs(model, batch)
    usual = functional.cross_entropy(outputs, batch[1], label_smoothing=0.1)
    torch.testing.assert_close(task.losses(outputs, batch).mean(), usual)
    evaluation = task.evaluate(model)
    assert evaluation.loss == pytest.approx(usual.item(), rel=1e-6)
    assert evaluation.metric == pytest.approx(int((outputs.argmax(1) == batch[1]).sum()) / 400)


def test_the_network_is_small_and_has_a_norm():
    model = Digits().model(torch.Generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == 1946
    assert any(isinstance(module, torch.nn.GroupNorm) for module in model.modules())
    assert not list(model.buffers())
