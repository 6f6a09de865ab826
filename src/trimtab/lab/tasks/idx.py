"""Reads the IDX format, in which MNIST and its relatives are published."""

import gzip
import math
import struct
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from trimtab.study.errors import InputError

UNSIGNED_BYTES = 8


def read_idx(directory: Path, name: str, dimensions: int) -> UInt8[Tensor, "..."]:
    """Reads one array of unsigned bytes.

    Args:
        directory: where the file lies.
        name: the file's name, e.g. ``"train-images-idx3-ubyte"``; ``.gz`` may be appended to it there.
        dimensions: how many the array must have.

    Raises:
        InputError: the file is missing, cut short or of another kind; the message names it.
    """
    file = next((path for path in (directory / name, directory / f"{name}.gz") if path.is_file()), None)
    if file is None:
        raise InputError(f"{directory} holds neither {name} nor {name}.gz")
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    header = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, UNSIGNED_BYTES, dimensions)) or len(content) < header:
        raise InputError(f"{file} is not an IDX file of unsigned bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != math.prod(shape):
        raise InputError(
            f"{file} announces {' x '.join(map(str, shape))} bytes and holds {len(content) - header}: is it cut short?"
        )
    if not math.prod(shape):
        raise InputError(f"{file} is empty")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header).reshape(shape)
