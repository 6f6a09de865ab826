"""A perceptron over numbers and embedded categories, as large as the rows that it learns from allow."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

WIDEST_EMBEDDING = 16


@dataclass(frozen=True)
class Size:
    """How large a network and its steps are.

    Args:
        width: of its hidden layers.
        depth: their number.
        batch_size: rows a step.
        steps: of a run.
        tuning_seeds: seeds with which the best settings are tried in tuning.
    """

    width: int
    depth: int
    batch_size: int
    steps: int
    tuning_seeds: int = 1


def size_for(rows: int) -> Size:
    """Returns what suits so many training rows.

    Six candidates with 16 trials and ten seeds each then take half a minute to two minutes on two cores, and a tuned
    AdamW comes as far as scikit-learn's perceptron does (``benchmarks/table_models.py``).
    """
    if rows < 600:  # so few choose, too, that one seed finds settings which were lucky, and runs are cheap
        return Size(32, 1, 32, 300, tuning_seeds=3)
    if rows < 6000:
        return Size(64, 2, 64, 1000)
    return Size(128, 2, 256, 700)


class TableNetwork(nn.Module):
    """Hidden layers over numbers and embedded categories.

    Args:
        numbers: columns of numbers.
        levels: names of each category.
        outputs: numbers that come out.
        width: of hidden layers.
        depth: their number.
    """

    def __init__(self, numbers: int, levels: Sequence[int], outputs: int, *, width: int, depth: int) -> None:
        super().__init__()
        widths = [embedding_width(size) for size in levels]
        self.embeddings = nn.ModuleList(map(_embedding, levels, widths))
        sizes = [numbers + sum(widths), *[width] * depth]
        hidden = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.hidden = nn.Sequential(*hidden)
        self.head = nn.Linear(width, outputs)

    def forward(
        self, numbers: Float[Tensor, "batch numbers"], categories: Int[Tensor, "batch categories"]
    ) -> Float[Tensor, "batch outputs"]:
        """Returns the outputs for rows of a table."""
        embedded = [embed(categories[:, place]) for place, embed in enumerate(self.embeddings)]
        outputs: Tensor = self.head(self.hidden(torch.cat([numbers, *embedded], dim=1)))
        return outputs


def _embedding(levels: int, width: int) -> nn.Embedding:
    """Returns places for names, each of which weighs as much as a standardised number."""
    made = nn.Embedding(levels, width)
    nn.init.normal_(made.weight, std=1 / math.sqrt(width))
    return made


def embedding_width(levels: int) -> int:
    """Returns how many numbers stand for a name of a category that has so many."""
    return min(WIDEST_EMBEDDING, levels - 1, 1 + round(math.sqrt(levels)))
