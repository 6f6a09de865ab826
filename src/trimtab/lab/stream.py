"""Where a run is in its training data."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.task import Batch, Task, samples_in, select, take_rows, to_device
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError


class BatchStream:
    """The batches of a run, one after the other.

    Samples are drawn without replacement from a permutation that is drawn anew when too few are left for a batch.

    Args:
        task: whose training data it is.
        seed: of the permutations.
        device: where batches go.
        randomness: the run's, because a data set may augment at random.

    Attributes:
        rows: the samples of the current batch; ``None`` before the first.
        batch: the current batch.
    """

    def __init__(self, task: Task, seed: int, device: torch.device, randomness: OwnedRandomness) -> None:
        self._task = task
        self._device = device
        self._randomness = randomness
        self._order = torch.Generator().manual_seed(seed)
        self._permutation: Int[Tensor, " samples"] = torch.empty(0, dtype=torch.int64)
        self._cursor = 0
        self.rows: Int[Tensor, " batch"] | None = None
        self.batch: Batch = None

    def advance(self, size: int) -> None:
        """Moves on to the next batch.

        Raises:
            InputError: ``size`` is not between one and the number of training samples.
        """
        samples = samples_in(self._task.train)
        check_whole("size", size)
        if size > samples:
            raise InputError(f"size={size}: a batch has between 1 and {samples} samples")
        if self._cursor + size > len(self._permutation):
            self._permutation = torch.randperm(samples, generator=self._order)
            self._cursor = 0
        self.rows = self._permutation[self._cursor : self._cursor + size]
        with self._randomness.lent():
            self.batch = to_device(take_rows(self._task.train, self.rows, self._task.collate), self._device)
        self._cursor += size

    def selected(self, rows: Int[Tensor, " rows"] | slice | Sequence[int] | None) -> tuple[Batch, int]:
        """Returns some samples of the current batch, and how many they are.

        Args:
            rows: which; ``None`` for all.

        Raises:
            RuntimeError: there is no batch yet.
            InputError: ``rows`` takes none, or one that is not in the batch.
        """
        if self.rows is None:
            raise RuntimeError("there is no batch yet: call next_batch() or step() first")
        if rows is None:
            return self.batch, len(self.rows)
        samples = _count(rows, len(self.rows))
        return select(self.batch, rows), samples

    def state_dict(self) -> dict[str, Any]:
        """Copies the position; :meth:`load_state_dict` goes back to it."""
        return {
            "permutation": self._permutation.clone(),
            "cursor": self._cursor,
            "rows": None if self.rows is None else self.rows.clone(),
            "batch": copy.deepcopy(self.batch),
            "order": self._order.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to where :meth:`state_dict` was called."""
        self._permutation = state["permutation"].clone()
        self._cursor = state["cursor"]
        self.rows = None if state["rows"] is None else state["rows"].clone()
        self.batch = copy.deepcopy(state["batch"])
        self._order.set_state(state["order"])


def _count(rows: Int[Tensor, " rows"] | slice | Sequence[int], samples: int) -> int:
    """How many rows of a batch are meant."""
    try:
        count = torch.arange(samples)[rows].shape
    except (IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"rows={rows!r} are not rows of a batch of {samples}: {error}") from error
    if len(count) != 1 or count[0] == 0:
        raise InputError(f"rows={rows!r}: a flat list of at least one row is needed")
    return int(count[0])
