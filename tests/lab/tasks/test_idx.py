import gzip

import pytest
import torch

from trimtab.lab.tasks.idx import read_idx
from trimtab.study.errors import InputError

# two rows of three bytes, by hand
GOOD = bytes.fromhex("00 00 08 02  00 00 00 02  00 00 00 03  00 01 02 fd fe ff")


def test_bytes_are_read_row_by_row(tmp_path):
    (tmp_path / "plain").write_bytes(GOOD)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(GOOD))
    for name in ("plain", "packed"):
        array = read_idx(tmp_path, name, 2)
        assert array.dtype == torch.uint8
        assert array.tolist() == [[0, 1, 2], [253, 254, 255]]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds neither images nor images\.gz"):
        read_idx(tmp_path, "images", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD[:-1], "announces 2 x 3 bytes and holds 5"),
        (GOOD + b"\0", "announces 2 x 3 bytes and holds 7"),
        (GOOD[:9], "is not an IDX file of unsigned bytes in 2 dimensions"),
        (b"", "is not an IDX file"),
        (b"\0\0\x0d" + GOOD[3:], "is not an IDX file of unsigned bytes"),
        (b"\0\0\x08\x03" + GOOD[4:], "in 2 dimensions"),
        (bytes.fromhex("00000802 00000000 00000003"), "is empty"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, content, message):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(InputError, match=f"images.*{message}"):
        read_idx(tmp_path, "images", 2)


@pytest.mark.parametrize(
    "content", [GOOD, gzip.compress(GOOD, mtime=0)[:-9], gzip.compress(GOOD, mtime=0)[:12] + b"\xff" * 20]
)
def test_broken_archives_are_refused_by_name(tmp_path, content):
    (tmp_path / "images.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"images\.gz cannot be read"):
        read_idx(tmp_path, "images", 2)
