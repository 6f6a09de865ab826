"""Files are written in one go."""

import stat
from pathlib import Path

import pytest

from trimtab.study.errors import UnwritableError
from trimtab.study.files import from_store, try_directory, write_atomically


def test_the_directory_is_made_and_the_file_replaced(tmp_path):
    path = tmp_path / "new" / "file.txt"

    write_atomically(path, "first")
    write_atomically(path, "second ±")

    assert path.read_text(encoding="utf-8") == "second ±"
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_as_readable_as_any_other(tmp_path):
    other = tmp_path / "other"
    other.touch()

    path = write_atomically(tmp_path / "file", "text")

    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UnwritableError, match=r"file cannot be written \(no space left"):
        write_atomically(path, "new")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_at_once_are_not_in_each_others_way(tmp_path, monkeypatch):
    """As in two containers, where processes have the same number."""
    path, replace, others = tmp_path / "file", Path.replace, ["second"]

    def meanwhile(self, target):
        if others:
            write_atomically(path, others.pop())
            assert path.read_text() == "second"
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", meanwhile)
    write_atomically(path, "first")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_lone_surrogates_are_written_as_escapes(tmp_path):
    assert write_atomically(tmp_path / "file", "a\udcffb").read_text(encoding="utf-8") == "a\\udcffb"


def test_bytes_are_written_as_they_are(tmp_path):
    assert write_atomically(tmp_path / "file", b"\x00\xff").read_bytes() == b"\x00\xff"


def test_that_results_are_kept_is_said_only_where_there_is_a_store(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "new" / "report.html"

    with pytest.raises(UnwritableError) as bare:
        write_atomically(path, "text")
    with pytest.raises(UnwritableError) as stored, from_store():
        write_atomically(path, "text")

    assert str(bare.value) == f"{path} cannot be written (Not a directory)"
    assert str(stored.value).startswith(
        f"{bare.value}; the results themselves are kept, and the same command writes it"
    )


def test_a_directory_is_tried_and_nothing_is_left(tmp_path):
    (tmp_path / "file").touch()

    try_directory(tmp_path / "new" / "newer")
    with pytest.raises(UnwritableError, match=r"file/new cannot be written \(Not a directory\)$"):
        try_directory(tmp_path / "file" / "new")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
