"""Losses and scores that compare every sample with every other one's target, by a slip that shapes do not show."""

import math
import warnings
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


@torch.no_grad()
def scores_pairs(score: Callable[[Any, Any], Any], outputs: Any, batch: Any, samples: int, take: Take) -> bool:
    r"""Tells whether a score is the mean or the sum over all pairs of an output and a target.

    It is then the same however the outputs are shuffled, which a mean over samples is not, nor what is no mean, such as
    an F1 score or a correlation.

    Args:
        score: from outputs and a batch to one number.
        outputs: of the batch; they have to differ.
        batch: the batch.
        samples: how many there are.
        take: takes some samples out of outputs or a batch.

    Returns:
        ``False`` as well where the scores of single samples cannot be had.
    """
    every = range(samples)
    turns = [[(row + turn) % samples for row in every] for turn in every]
    try:
        with warnings.catch_warnings(action="ignore"):  # of what one sample is too few for
            shuffled = torch.tensor([float(score(take(outputs, turn), batch)) for turn in turns])
            if not _same(shuffled, shuffled[0].expand(samples)):
                return False
            pairs = torch.tensor([[float(score(take(outputs, [i]), take(batch, [j]))) for j in every] for i in every])
    except Exception:  # outputs of somebody's own class, scores that need more than one sample
        return False
    paired = torch.stack([pairs[turn, list(every)].mean() for turn in turns])
    mean = pairs.mean().expand(samples)
    return any(
        _same(shuffled, times * mean) and not _same(shuffled, times * paired) for times in (1, samples, samples**2)
    )


def _same(one: Tensor, other: Tensor) -> bool:
    scale = float(other.abs().max())
    return math.isfinite(scale) and torch.allclose(one, other.to(one), rtol=1e-4, atol=1e-5 * scale)
