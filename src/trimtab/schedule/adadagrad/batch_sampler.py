"""Batches whose size may change at any time, from an order that does not begin anew when it does."""

from collections import deque
from collections.abc import Iterator, Sized
from typing import Any

import torch
from torch.utils.data import Sampler

from trimtab.primitives.hyperparameters import flag, whole_number


class AdaptiveBatchSampler(Sampler[list[int]]):
    """Rows of a data set in batches of ``batch_size``, which may be written to while an epoch is under way.

    Goes into a ``DataLoader`` as ``batch_sampler``. Every row comes once an epoch, whatever the sizes.

    A loader with workers asks for batches ahead of time, ``num_workers * prefetch_factor`` of them: a new size holds
    from the next batch that it asks for, not from the next one that it delivers. For the same reason the sampler cannot
    know which batches are done. :meth:`advance` tells it, once a batch (a
    :class:`~trimtab.schedule.adadagrad.batch_size.BatchSizeController` does so); from there an interrupted epoch goes
    on, with the sizes that the batches under way had. What was never told of is drawn again.

    In distributed training each process has a sampler with a generator in the same state, and gets its share of every
    batch.

    Args:
        data_source: the data set; only its length matters.
        batch_size: samples of a batch, over all workers.
        max_batch_size: the largest allowed; by default as many as there are samples.
        generator: where each epoch's order comes from; without one, rows come in their own order.
        drop_last: leaves out the batch at the end of an epoch that is short, else it comes short.
        rank: which worker's share it yields.
        workers: how many share a batch evenly. Rows at the end of an epoch that do not give every worker one are left
            out.

    Attributes:
        epoch: how many epochs were begun before this one.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """

    def __init__(
        self,
        data_source: Sized,
        batch_size: int,
        max_batch_size: int | None = None,
        *,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
        rank: int = 0,
        workers: int = 1,
    ) -> None:
        if not hasattr(data_source, "__len__"):
            raise TypeError(f"data_source={data_source!r} must have a length")
        if generator is not None and not isinstance(generator, torch.Generator):
            raise TypeError(f"generator={generator!r} must be a torch.Generator or None")
        self._samples, self._generator = len(data_source), generator
        self._workers: int = whole_number(1)("workers", workers)
        self._rank = whole_number(0)("rank", rank)
        self._drop_last = flag("drop_last", drop_last)
        if rank >= workers:
            raise ValueError(f"rank={rank} must be less than workers={workers}")
        self._most: int = self._samples if max_batch_size is None else whole_number(1)("max_batch_size", max_batch_size)
        if self._most > self._samples:
            raise ValueError(f"max_batch_size={max_batch_size} must be at most the {self._samples} samples of the data")
        self.batch_size = batch_size
        self._under_way: deque[int] = deque()
        self._done, self._over, self.epoch = 0, False, 0
        self._began = self._state()

    @property
    def batch_size(self) -> int:
        """Samples of the next batch that is drawn, over all workers."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        size: int = whole_number(1)("batch_size", value)
        if size > self._most:
            raise ValueError(f"batch_size={value} must be at most {self._most}")
        if size % self._workers:
            raise ValueError(f"batch_size={value} must be a multiple of workers={self._workers}")
        self._batch_size = size

    @property
    def epochs_done(self) -> int:
        """How many epochs are over, with all of their batches done: what a loop over epochs asks for."""
        return self.epoch + self._all_done()

    def __len__(self) -> int:
        """Batches of this epoch that are not done yet, or, when all are, of the next one, were the size to stay."""
        left = self._samples if self._all_done() else self._samples - self._done - sum(self._under_way)
        whole, rest = divmod(left, self._batch_size)
        return len(self._under_way) + whole + (not self._drop_last and rest >= self._workers)

    def __iter__(self) -> Iterator[list[int]]:
        """Yields what is left of the epoch, or, when all of it was drawn, the next one."""
        if self._over or self._all_done():
            self._order()  # of the epoch that is over: what the generator is at after it
            self.epoch, self._done, self._over, self._began = self.epoch + 1, 0, False, self._state()
            self._under_way.clear()
        order, first = self._order(), self._done
        for size in tuple(self._under_way):
            yield self._share(order[first : first + size])
            first += size
        while size := self._next_size(self._samples - first):
            self._under_way.append(size)
            rows, first = order[first : first + size], first + size
            yield self._share(rows)
        self._over = True

    def advance(self) -> None:
        """Takes the oldest batch that is under way for done.

        Raises:
            RuntimeError: there is none.
        """
        if not self._under_way:
            raise RuntimeError(
                "no batch is under way: advance() is called once for each batch that was drawn from this sampler: "
                "iterate over DataLoader(data, batch_sampler=sampler)"
            )
        self._done += self._under_way.popleft()

    def state_dict(self) -> dict[str, Any]:
        """Returns where it is, in plain values and bytes: after the last batch that is done.

        After the loop over an epoch that is the next one's beginning.
        """
        return {
            "batch_size": self._batch_size,
            "epoch": self.epoch,
            "done": self._done,
            "under_way": list(self._under_way),
            "over": self._all_done(),
            "began": self._began,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes to where a state was saved; the next iteration yields what was left of that epoch.

        Raises:
            ValueError: the state is that of something else, or of other data. Nothing was changed.
        """
        if state_dict.keys() != self.state_dict().keys():
            raise ValueError(f"state_dict with {', '.join(map(str, state_dict))} is not an AdaptiveBatchSampler's")
        if state_dict["done"] + sum(state_dict["under_way"]) > self._samples:
            raise ValueError(f"state_dict is of more than the {self._samples} samples that there are")
        if (state_dict["began"] is None) != (self._generator is None):
            raise ValueError("state_dict has a generator's state where there is none, or the other way round")
        self.batch_size = state_dict["batch_size"]
        self.epoch, self._done, self._over = (state_dict[name] for name in ("epoch", "done", "over"))
        self._under_way = deque(state_dict["under_way"])
        self._began = state_dict["began"]

    def _state(self) -> torch.Tensor | None:
        return None if self._generator is None else self._generator.get_state()

    def _order(self) -> list[int]:
        if self._generator is None:
            return list(range(self._samples))
        assert self._began is not None  # noqa: S101  # there is a generator
        self._generator.set_state(self._began)
        order: list[int] = torch.randperm(self._samples, generator=self._generator).tolist()
        return order

    def _all_done(self) -> bool:
        return not self._under_way and (self._over or not self._next_size(self._samples - self._done))

    def _next_size(self, left: int) -> int:
        if left >= self._batch_size:
            return self._batch_size
        return 0 if self._drop_last else left - left % self._workers

    def _share(self, rows: list[int]) -> list[int]:
        return rows[self._rank :: self._workers]
