import gzip
import hashlib

import pytest
import torch

from trimtab.lab.tasks import corpus
from trimtab.lab.tasks.corpus import python_excerpt, regions, windows
from trimtab.study.errors import InputError


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A directory that is taken for the package, with an empty ``data`` in it."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(corpus, "files", lambda package: tmp_path)
    python_excerpt.cache_clear()
    yield tmp_path / "data" / corpus.EXCERPT
    python_excerpt.cache_clear()


def test_the_excerpt_is_what_it_always_was():
    text = python_excerpt()
    assert len(text) == 500_000
    assert text.isascii()
    assert hashlib.sha256(text).hexdigest() == corpus.EXCERPT_SHA256


def test_the_excerpt_is_small_and_its_licence_lies_beside_it():
    data = corpus.files("trimtab.lab.tasks") / "data"
    assert len((data / corpus.EXCERPT).read_bytes()) < 150_000
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in (data / "python_stdlib.LICENSE.txt").read_text("utf-8")
    assert corpus.EXCERPT_SHA256 in (data / "README.md").read_text("utf-8")


def test_each_region_starts_with_a_module_of_its_own():
    train, validation, test = regions(python_excerpt())
    assert (len(train), len(validation), len(test)) == (400_000, 50_000, 50_000)
    assert train.startswith(b"# Author: Steven J. Bethard")
    assert validation.startswith(b'"""Temporary files.')
    assert test.startswith(b'"""Debugger basics"""')


@pytest.mark.parametrize("content", [b"", b"not an archive", gzip.compress(b"x" * 999, mtime=0)[:-9]])
def test_an_unreadable_excerpt_is_reported(elsewhere, content):
    elsewhere.write_bytes(content)
    with pytest.raises(InputError, match=rf"{corpus.EXCERPT}.*reinstall trimtab"):
        python_excerpt()


def test_a_missing_excerpt_is_reported(elsewhere):
    with pytest.raises(InputError, match=rf"{corpus.EXCERPT} cannot be read"):
        python_excerpt()


def test_an_excerpt_of_other_text_is_reported(elsewhere):
    elsewhere.write_bytes(gzip.compress(b"import this\n"))
    with pytest.raises(InputError, match=r"is damaged: its text has SHA-256 [0-9a-f]{64} and not 3234a1ae"):
        python_excerpt()


def test_regions_are_consecutive():
    text = bytes(range(256)) + b"tail"
    parts = regions(text)
    assert b"".join(parts) == text
    assert list(map(len, parts)) == [208, 26, 26]


@pytest.mark.parametrize(("size", "count"), [(5, 1), (8, 1), (9, 2), (12, 2), (13, 3)])
def test_each_byte_is_predicted_once(size, count):
    inputs, targets = windows(bytes(range(size)), 4).tensors
    assert inputs.shape == targets.shape == (count, 4)
    assert inputs.flatten().tolist() == list(range(4 * count))
    assert targets.flatten().tolist() == list(range(1, 4 * count + 1))


def test_windows_are_counted_and_spread():
    text = bytes(range(101))
    assert len(windows(text, 10)) == 10
    assert windows(text, 10, 4).tensors[0][:, 0].tolist() == [0, 20, 50, 70]
    assert len(windows(text, 10, 99)) == 10
    assert len(windows(text[:100], 10)) == 9  # the last would have nothing to predict
    assert windows(text, 10, 4).tensors[0].dtype == torch.int64
