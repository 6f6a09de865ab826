import math

import pytest
import torch
from torch.nn import functional

from tests.lab.tasks.hashing import sha256
from trimtab.lab.task import take_rows
from trimtab.lab.task_check import check_task
from trimtab.lab.tasks.corpus import python_excerpt
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.study.errors import InputError


def test_the_windows_are_what_they_always_were():
    task = PythonLM()
    hashes = [sha256(*data.tensors) for data in (task.train, task.validation, task.test)]
    assert hashes == ["ea407adce272f7ce", "1208ff176e32a292", "72abcae89141bc8f"]
    assert list(map(len, (task.train, task.validation, task.test))) == [6249, 128, 512]


def test_splits_are_disjoint_regions():
    text = python_excerpt()
    task = PythonLM()
    for data, low, high in ((task.train, 0, 400), (task.validation, 400, 450), (task.test, 450, 500)):
        region = text[low * 1000 : high * 1000]
        for row in (0, len(data) // 2, len(data) - 1):
            inputs, targets = data[row]
            assert bytes([*inputs.tolist(), int(targets[-1])]) in region


def test_losses_and_bits_are_torch_s():
    task = PythonLM()
    model = task.model(torch.Generator().manual_seed(0)).eval()
    batch = take_rows(task.validation, torch.arange(128))
    outputs = task.outputs(model, batch)
    losses = task.losses(outputs, batch)
    usual = functional.cross_entropy(outputs.flatten(0, 1), batch[1].flatten())
    torch.testing.assert_close(losses.mean(), usual)
    torch.testing.assert_close(losses[5], functional.cross_entropy(outputs[5], batch[1][5]))
    evaluation = task.evaluate(model)
    assert evaluation.loss == pytest.approx(usual.item(), rel=1e-5)
    assert evaluation.metric == pytest.approx(usual.item() / math.log(2), rel=1e-5)


def test_a_model_that_knows_nothing_needs_eight_bits():
    task = PythonLM()
    model = task.model(torch.Generator().manual_seed(0))
    torch.nn.init.zeros_(model.logits.weight)
    assert task.evaluate(model).metric == pytest.approx(8.0, abs=1e-5)


def test_any_file_can_be_modelled(tmp_path):
    file = tmp_path / "Noten.txt"
    file.write_bytes("ÄÖÜ und ß, \r\n\0".encode() * 2000)
    task = PythonLM(file)
    check_task(task, "text")
    assert task.name == "Noten-lm"
    text = file.read_bytes()
    inputs, targets = task.train[1]
    assert bytes(inputs.tolist()) == text[64:128]
    assert bytes(targets.tolist()) == text[65:129]


def test_short_and_missing_files_are_refused_by_name(tmp_path):
    file = tmp_path / "short.txt"
    file.write_bytes(b"x" * 20_799)
    with pytest.raises(InputError, match=r"short\.txt has 20799 bytes; at least 20800 are needed"):
        PythonLM(file)
    file.write_bytes(b"x" * 20_800)
    check_task(PythonLM(str(file)), "short")
    with pytest.raises(InputError, match=r"none\.txt cannot be read: No such file"):
        PythonLM(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read"):
        PythonLM(tmp_path)
