"""Losses in which every sample is compared with every other one's target, by a slip that shapes do not show."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Take = Callable[[Any, Sequence[int]], Any]


@torch.no_grad()
def averages_over_pairs(
    losses: Callable[[Any, Any], Tensor], outputs: Any, batch: Any, samples: int, take: Take
) -> bool:
    r"""Tells whether losses are sums or means over all pairs of an output and a target.

    Outputs of shape ``(batch, 1)`` and targets of shape ``(batch,)`` are broadcast to ``(batch, batch)``, of which a
    mean over one dimension looks like one loss a sample. With :math:`f_{ij}` the loss of sample :math:`i`'s output on
    sample :math:`j` alone, such losses are the means or sums of :math:`f` over rows or columns, and not its diagonal.

    Losses that depend on the batch in another way are neither, and pass: contrastive ones do so by intent, and those
    that are divided by the batch's number of labels. Outputs are computed once: what batch normalisation and dropout do
    to them makes no difference.

    Args:
        losses: from outputs and a batch to one loss a sample.
        outputs: of the batch.
        batch: the batch.
        samples: how many there are.
        take: takes some samples out of outputs or a batch.

    Returns:
        ``False`` as well where outputs or losses of single samples cannot be had.
    """
    try:
        whole = losses(outputs, batch)
        rows = [[losses(take(outputs, [i]), take(batch, [j])) for j in range(samples)] for i in range(samples)]
        if any(each.shape != (1,) for row in rows for each in row):
            return False
        pairs = torch.stack([torch.cat(row) for row in rows])
    except Exception:  # outputs of somebody's own class, losses that need more than one sample
        return False
    if _same(whole, pairs.diagonal()):
        return False
    return any(_same(whole, found) for way in (0, 1) for found in (pairs.mean(way), pairs.sum(way)))


def _same(one: Tensor, other: Tensor) -> bool:
    scale = float(other.abs().max())
    return torch.allclose(one, other.to(one), rtol=1e-4, atol=1e-5 * scale)
