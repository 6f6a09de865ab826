"""The script for machines with a CUDA device, tried on the CPU: what it finds here says nothing of its times."""

import subprocess
import sys
from pathlib import Path

import device
import pytest
import torch


def test_without_a_device_it_says_so_and_writes_nothing(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    found = tmp_path / "device.json"
    command = [sys.executable, str(Path(device.__file__)), "--json", str(found)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no CUDA device here" in done.stderr
    assert not found.exists()


def test_compiled_and_eager_rules_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "RULES", ("Lion",))
    rows = device.kernels("cpu", tmp_path)["rows"]
    assert [(row["dtype"], row["agrees"]) for row in rows] == [("float32", True), ("bfloat16", True)]
    given = device.stepped

    def off(rule, where, dtype, **options):
        return [param + (1e-3 if options["compile"] else 0.0) for param in given(rule, where, dtype, **options)]

    monkeypatch.setattr(device, "stepped", off)
    row = device.kernels("cpu", tmp_path)["rows"][0]
    assert not row["agrees"]
    assert 1e-4 < row["difference"] < 1e-3


def test_checks_that_fail_are_named(monkeypatch, tmp_path):
    suite = tmp_path / "tests" / "testing"
    suite.mkdir(parents=True)
    (tmp_path / "tests" / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--device')\n")
    (suite / "test_conformance.py").write_text(
        "import pytest\n"
        "class TestOne:\n"
        "    def test_good(self): pass\n"
        "    def test_bad(self): assert 1 == 2\n"
        "    def test_other(self): pytest.skip('no')\n"
    )
    monkeypatch.setattr(device, "ROOT", tmp_path)
    found = device.conformance("cpu", tmp_path)
    assert (found["passed"], found["skipped"]) == (1, 1)
    assert [(each["check"], "1 == 2" in each["message"]) for each in found["failed"]] == [("TestOne.test_bad", True)]


def test_a_part_that_hangs_or_fails_is_ended_and_says_so(monkeypatch):
    monkeypatch.setitem(device.SECONDS, "kernels", 0.2)
    part = device.in_own_process("kernels", "cpu")
    assert (part["found"], part["error"]) == (None, "not over after 0.2 s")
    monkeypatch.setitem(device.SECONDS, "kernels", 100)
    part = device.in_own_process("kernels", "meta")
    assert part["found"] is None
    assert "Error" in part["error"]


def test_all_parts_fit_into_eight_minutes():
    assert device.SECONDS.keys() == device.PARTS.keys()
    assert sum(device.SECONDS.values()) <= 480
