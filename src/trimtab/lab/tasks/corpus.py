"""Text as bytes: the excerpt that ships, and windows of any text."""

import gzip
import hashlib
import zlib
from functools import cache
from importlib.resources import files

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import TensorDataset

from trimtab.study.errors import InputError

EXCERPT = "python_stdlib.txt.gz"
EXCERPT_SHA256 = "3234a1ae88d80fcbca5c14cc5f48992160ab55c9ba9f89db8144fc9ab5859c3a"


@cache
def python_excerpt() -> bytes:
    """Returns 500,000 bytes of the Python standard library's source, the same for every version of Python.

    They are modules of CPython 3.11.7's ``Lib``, concatenated in this order without a separator, each of three parts
    cut at its length, so that the parts have no module in common:

    * 400,000 bytes of argparse, configparser, contextlib, dataclasses, enum, pathlib, traceback;
    * 50,000 bytes of tempfile, weakref;
    * 50,000 bytes of bdb, asyncio.locks.

    Copyright (c) 2001-2023 Python Software Foundation; All Rights Reserved. Distributed under the PSF License Version
    2, which is in ``data/python_stdlib.LICENSE.txt``.

    Raises:
        InputError: the file is missing or is not what was shipped.
    """
    file = files("trimtab.lab.tasks") / "data" / EXCERPT
    try:
        text = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file} cannot be read ({error}): reinstall trimtab") from error
    found = hashlib.sha256(text).hexdigest()
    if found != EXCERPT_SHA256:
        raise InputError(f"{file} is damaged: its text has SHA-256 {found} and not {EXCERPT_SHA256}; reinstall trimtab")
    return text


def regions(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Cuts a text into its first 80%, the next 10% and the last 10%."""
    train, validation = len(text) * 8 // 10, len(text) * 9 // 10
    return text[:train], text[train:validation], text[validation:]


def windows(text: bytes, length: int, count: int | None = None) -> TensorDataset:
    """Cuts a text into windows of ``length`` bytes, each with the bytes that follow them.

    Windows follow each other without overlap, so that every byte is predicted once; what is left at the end is dropped.

    Args:
        text: at least ``length + 1`` bytes.
        length: bytes in a window.
        count: how many windows to take, evenly spread over the text; all by default, and where there are fewer.

    Returns:
        Pairs of int64 tensors of shape (length,): the bytes, and the same shifted by one.
    """
    values: Int[Tensor, " bytes"] = torch.frombuffer(bytearray(text), dtype=torch.uint8).to(torch.int64)
    # views of one tensor: a large text is held once and not twice
    inputs, targets = values[:-1].unfold(0, length, length), values[1:].unfold(0, length, length)
    available = len(inputs)
    if count is None or count >= available:
        return TensorDataset(inputs, targets)
    chosen = torch.arange(count) * available // count
    return TensorDataset(inputs[chosen], targets[chosen])
