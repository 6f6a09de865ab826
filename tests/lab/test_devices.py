"""Which device a worker sees; CUDA devices are made up, because there is none here."""

import os

import pytest
import torch

from trimtab.lab.devices import VISIBLE, as_the_only_one, described, usable_device, visibilities
from trimtab.study.errors import InputError
from trimtab.study.executor import Finished
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point


@pytest.fixture
def three_devices(monkeypatch):
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Made Up 1")


def shown(device):
    return [each.get(VISIBLE) for each in visibilities(device)]


def test_cuda_is_all_devices_one_by_one(three_devices):
    assert shown("cuda") == ["0", "1", "2"]
    assert shown("cuda:1") == ["1"]
    assert described("cuda") == "cuda (3 x Made Up 1)"
    assert described("cuda:1") == "cuda:1 (Made Up 1)"


def test_devices_that_the_user_has_chosen_are_the_ones_to_share(three_devices, monkeypatch):
    monkeypatch.setenv(VISIBLE, "7, GPU-ab12 ,3")
    assert shown("cuda") == ["7", "GPU-ab12", "3"]
    assert shown("cuda:2") == ["3"]


def test_other_devices_are_shared_by_all_workers():
    assert visibilities("cpu") == ({},)
    assert described("cpu") == "cpu"


@pytest.mark.parametrize(("device", "name"), [("cuda", "cuda"), ("cuda:3", "cuda"), ("cpu", "cpu"), ("mps:0", "mps")])
def test_a_worker_knows_its_device_by_the_type_alone(device, name):
    assert as_the_only_one(device) == name


@pytest.mark.parametrize("device", ["coda", "cuda:99", "", "meta", 1.5, None])
def test_what_cannot_be_used_is_refused_with_what_can(device):
    with pytest.raises(InputError, match=r"device=.* (cannot be used: .+|holds no numbers); here there is cpu"):
        usable_device(device)


def what_is_seen(point, report):
    """A worker's trial: tells which device it was shown, and whose child it is."""
    return Outcome("complete", measures={"seen": float(os.environ[VISIBLE]), "parent": float(os.getppid())})


def test_workers_are_shown_devices_in_turn():
    points = [Point("toy", "tune", "a", index, {}, seed=0) for index in range(3)]
    visible = [{VISIBLE: "4"}, {VISIBLE: "5"}]
    with LocalExecutor(what_is_seen, jobs=3, threads=1, visible=visible) as executor:
        while executor.free < 3:
            executor.wait()
        for point in points:  # each worker gets one
            executor.submit(point)
        seen = []
        while len(seen) < 3:
            seen += [event.outcome.measures for event in executor.wait() if isinstance(event, Finished)]
    assert sorted(each["seen"] for each in seen) == [4, 4, 5]
    assert {each["parent"] for each in seen} == {os.getpid()}  # forked from nobody who may have looked at a device
