"""The pace: learning rate, batch size and hyper-parameters that set themselves during the run.

Controllers stand beside an optimizer in a loop of one's own, as torch's schedulers do; see
:class:`~trimtab.lab.controller.Controller`.
"""

from trimtab.schedule.adadagrad import (
    NoiseTest,
    augmented_test,
    coordinate_test,
    inner_product_test,
    norm_test,
    orthogonality_test,
)
from trimtab.schedule.batch_sampler import AdaptiveBatchSampler
from trimtab.schedule.batch_size import BatchSizeController, MicroBatches
from trimtab.schedule.sample_lr import SampleLRScheduler

__all__ = [
    "AdaptiveBatchSampler",
    "BatchSizeController",
    "MicroBatches",
    "NoiseTest",
    "SampleLRScheduler",
    "augmented_test",
    "coordinate_test",
    "inner_product_test",
    "norm_test",
    "orthogonality_test",
]
