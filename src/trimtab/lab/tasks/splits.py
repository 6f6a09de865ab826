"""Fixed splits of a data set, the same on every machine and with every version of every library."""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import TensorDataset

Rows: TypeAlias = Int[Tensor, " rows"]


def stratified_split(labels: Int[Tensor, " samples"], sizes: Sequence[int]) -> tuple[Rows, ...]:
    """Splits samples so that each part has every class in the proportion of the whole, up to a sample or two.

    A class's samples are shuffled and spread evenly over [0, 1); the parts are consecutive stretches of that line. The
    order comes from a hash of the row's number and not from a random generator, whose stream may change between
    versions: results on a split are only worth keeping for as long as the split stays the same.

    Args:
        labels: class of each sample.
        sizes: samples in each part; together all samples.

    Returns:
        Row numbers of each part, in ascending order.

    Raises:
        ValueError: ``sizes`` do not add up to the number of samples.
    """
    if sum(sizes) != len(labels):
        raise ValueError(f"sizes={tuple(sizes)} add up to {sum(sizes)}, but there are {len(labels)} samples")
    shuffled = sorted(range(len(labels)), key=_hash)
    classes = labels.tolist()
    members: dict[int, list[int]] = {}
    for row in shuffled:
        members.setdefault(classes[row], []).append(row)
    place = {row: (rank + 0.5) / len(rows) for rows in members.values() for rank, row in enumerate(rows)}
    line = torch.tensor(sorted(shuffled, key=place.__getitem__))  # ties stay in the order of the hashes
    return tuple(part.sort().values for part in torch.split(line, list(sizes)))


def _hash(row: int) -> bytes:
    return hashlib.sha256(f"row {row}".encode()).digest()


def subsets(tensors: Sequence[Tensor], parts: Sequence[Rows]) -> tuple[TensorDataset, ...]:
    """Makes one data set of each part: the given rows of every tensor."""
    return tuple(TensorDataset(*(tensor[rows] for tensor in tensors)) for rows in parts)
