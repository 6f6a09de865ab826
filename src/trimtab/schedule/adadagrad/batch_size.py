"""The batch size as something that is controlled: when it is tested, how far it may grow, how it is worked off.

The tests themselves are in ``adadagrad``.
"""

import math
from dataclasses import dataclass
from typing import Any

from trimtab.lab.controller import History
from trimtab.primitives.gradient_statistics import GradientStatistics
from trimtab.primitives.hyperparameters import Interval, optional, whole_number
from trimtab.schedule.adadagrad.adadagrad import NoiseTest, Test
from trimtab.schedule.adadagrad.batch_sampler import AdaptiveBatchSampler

GROWTH = Interval(1.0, open=True)


@dataclass(frozen=True)
class MicroBatches:
    """How a batch is worked off.

    Args:
        size: samples of one forward and backward pass on one worker.
        accumulation: how many such passes each worker adds up.
        workers: how many there are.
    """

    size: int
    accumulation: int
    workers: int = 1

    @property
    def samples(self) -> int:
        """How many samples the whole batch has."""
        return self.size * self.accumulation * self.workers


def micro_batches(samples: int, workers: int, largest: int | None, most: int) -> MicroBatches:
    """Splits a batch evenly over workers and passes, which may make it a little larger.

    Where that would be more than it can have, it becomes the largest batch that the fewest passes reach, or one less.

    Args:
        samples: that the batch should have.
        workers: how many processes share it.
        largest: samples that one pass can have, or ``None`` if any number fits.
        most: samples that the batch can have; at least ``workers``.
    """
    room = most // workers
    each = min(-(-samples // workers), room)
    passes = 1 if largest is None else -(-each // largest)
    size = -(-each // passes)
    if largest is not None and size * passes > room:
        size, passes = max((room // passes, passes), (largest, passes - 1), key=math.prod)
    return MicroBatches(size, passes, workers)


class BatchSizeController:
    r"""Makes the batch as large as a test of its gradient's noise asks for.

    .. math:: b_{k+1} = \min\big(b_{\max}, \max(b_k, \lceil \hat b(g_1, \dots, g_{b_k}) \rceil)\big)

    where :math:`\hat b` is the batch size that passes the test, from the samples' gradients of step :math:`k`: see
    :func:`~trimtab.schedule.adadagrad.adadagrad.norm_test` and its siblings. It never becomes smaller. Once it is the
    largest that workers and passes can share evenly, nothing is tested any more.

    In a loop of one's own, with an :class:`~trimtab.schedule.adadagrad.batch_sampler.AdaptiveBatchSampler`::

        controller = BatchSizeController(4, len(data), eta=0.5, sampler=sampler)
        for batch in DataLoader(data, batch_sampler=sampler):
            if controller.due(len(batch[0])):
                statistics = gradient_statistics(model, losses, batch, inner_products=controller.needs_inner_products)
                statistics.write_to(model)
                controller.update(statistics)
            else:
                losses(model, batch).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            controller.observe()

    A test costs nothing but the difference between the samples' gradients and the batch's, because their mean is the
    step's gradient. Learning rates should go by samples and not by steps, whose number nobody knows beforehand: see
    :class:`~trimtab.schedule.adadagrad.sample_lr.SampleLRScheduler`.

    Differences:
        * The official code takes inner products, and what is orthogonal, in each parameter tensor by itself, and adds
          up their variances; here gradients are whole, as in the paper.
        * Over workers the official code puts unbiased variances together by the law of total variance, which holds for
          population variances; here it is exact.
        * ``"coordinate"`` with ``quantile < 1``, ``debias`` and ``growth_cap`` are not in the paper, and off.

    Warning:
        * One small gradient that is small by chance lets the batch jump to its maximum, for good: likely where the
          first batches have two to four samples. ``growth_cap`` is for that; ``debias`` makes such a gradient count as
          smaller still.
        * Near a stationary point of the whole loss every test asks for everything.

    Args:
        batch_size: the first, over all workers; two samples a worker at least.
        max_batch_size: :math:`b_{\max}`, at most as many as there are samples. Where workers and passes cannot share
            that evenly, the largest batch is smaller: 28 where it is 30 and there are four workers.
        test: ``"norm"``, ``"inner_product"``, ``"orthogonality"``, ``"augmented"`` (the last two) or ``"coordinate"``,
            the one for AdaGrad.
        eta: of ``"norm"`` and ``"coordinate"``; see :class:`~trimtab.schedule.adadagrad.adadagrad.NoiseTest`.
        theta: of the inner products.
        nu: of what is orthogonal.
        interval: steps from one test to the next, >= 1.
        debias: whether the noise in the mean's squared norm is subtracted from it.
        growth_cap: largest factor from one batch to the next, > 1, or ``None``.
        quantile: of ``"coordinate"``: the share of coordinates that shall pass, in (0, 1].
        workers: how many processes share a batch evenly.
        max_micro_batch: samples that one backward pass on one worker can have; larger batches are accumulated, and
            rounded up to equal passes, or down where that would be more than ``max_batch_size``. ``None`` if any number
            fits.
        sampler: is given each new batch size, and told of each batch that is done.

    Attributes:
        test: the test, a :class:`~trimtab.schedule.adadagrad.adadagrad.NoiseTest`.
        history: a record for each change: the ``step`` from which on it holds, ``batch_size``, and the ``variance`` and
            ``squared_norm`` that asked for it.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range, or the first batch has no equal passes.
    """

    def __init__(
        self,
        batch_size: int,
        max_batch_size: int,
        *,
        test: Test = "norm",
        eta: float = 0.1,
        theta: float = 0.5,
        nu: float = 1.0,
        interval: int = 1,
        debias: bool = False,
        growth_cap: float | None = None,
        quantile: float = 1.0,
        workers: int = 1,
        max_micro_batch: int | None = None,
        sampler: AdaptiveBatchSampler | None = None,
    ) -> None:
        self.test = NoiseTest(test, eta, theta, nu, quantile, debias)
        self._interval = whole_number(1)("interval", interval)
        self._growth_cap = optional(GROWTH)("growth_cap", growth_cap)
        self._workers = whole_number(1)("workers", workers)
        self._largest = optional(whole_number(1))("max_micro_batch", max_micro_batch)
        self._most = whole_number(2)("max_batch_size", max_batch_size)
        first = whole_number(2)("batch_size", batch_size)
        if first < 2 * workers or first % workers:
            raise ValueError(
                f"batch_size={first} must be a multiple of workers={workers} that gives each two samples or more"
            )
        if first > self._most:
            raise ValueError(f"batch_size={first} must be at most max_batch_size={max_batch_size}")
        if sampler is not None and not isinstance(sampler, AdaptiveBatchSampler):
            raise TypeError(f"sampler={sampler!r} must be an AdaptiveBatchSampler or None")
        self._sampler, self._steps = sampler, 0
        self._split = micro_batches(first, workers, self._largest, self._most)
        if self._split.samples < first:
            raise ValueError(
                f"batch_size={first} has no equal passes of at most max_micro_batch={max_micro_batch} samples a worker "
                f"that are not more than max_batch_size={max_batch_size}; {self._split.samples} has"
            )
        self._reach = micro_batches(self._most, workers, self._largest, self._most).samples
        self.history: History = []

    @property
    def batch_size(self) -> int:
        """Samples of the next batch, over all workers."""
        return self._split.samples

    @property
    def micro_batches(self) -> MicroBatches:
        """How the next batch is worked off."""
        return self._split

    @property
    def needs_inner_products(self) -> bool:
        """Whether the statistics have to be with inner products."""
        return self.test.needs_inner_products

    def due(self, samples: int) -> bool:
        """Returns whether the next step's gradients should be tested.

        Args:
            samples: of its batch, over all workers. One that is short, as the last of an epoch may be, is not tested.
        """
        return self._steps % self._interval == 0 and self.batch_size < self._reach and samples >= self.batch_size

    def update(self, statistics: GradientStatistics) -> int:
        """Tests a step's gradients, and returns the batch size that follows from them.

        Args:
            statistics: of the batch, over all workers. Gradients that are not finite say nothing, and change nothing.

        Raises:
            ValueError: the test needs inner products, and the statistics are without, or there is but one gradient.
        """
        wanted = self.test(statistics)
        if math.isnan(wanted) or statistics.samples < self.batch_size:
            return self.batch_size
        before = self.batch_size
        size = self._most if math.isinf(wanted) else min(self._most, math.ceil(wanted))
        if self._growth_cap is not None:
            size = min(size, max(before + 1, math.floor(before * self._growth_cap)))
        if size > before:
            split = micro_batches(size, self._workers, self._largest, self._most)
            if split.samples > before:
                self._split = split
                signs = {"variance": statistics.variance, "squared_norm": statistics.squared_norm}
                self.history.append({"step": self._steps + 1, "batch_size": split.samples, **signs})
        return self.batch_size

    def observe(self, loss: float = math.nan) -> None:  # noqa: ARG002 - every controller's signature
        """Counts a step, also one that a gradient scaler left out; the sampler's next batch has the new size.

        Args:
            loss: of the batch.
        """
        self._steps += 1
        if self._sampler is not None:
            self._sampler.advance()
            self._sampler.batch_size = self.batch_size

    def state_dict(self) -> dict[str, Any]:
        """Returns the batch size, the number of steps and the history, in plain values."""
        split = {"size": self._split.size, "accumulation": self._split.accumulation}
        return {**split, "steps": self._steps, "history": [dict(record) for record in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned. The sampler has a state of its own.

        Raises:
            ValueError: the state is that of something else, or of a larger maximum. Nothing was changed.
        """
        if state_dict.keys() != {"size", "accumulation", "steps", "history"}:
            raise ValueError(f"state_dict with {', '.join(map(str, state_dict))} is not a BatchSizeController's")
        split = MicroBatches(state_dict["size"], state_dict["accumulation"], self._workers)
        if not 2 <= split.samples <= self._most:
            raise ValueError(f"state_dict has a batch of {split.samples}; between 2 and {self._most} are allowed")
        self._split, self._steps = split, state_dict["steps"]
        self.history[:] = [dict(record) for record in state_dict["history"]]
