"""The pace: learning rate, batch size and hyper-parameters that set themselves during the run.

Controllers stand beside an optimizer in a loop of one's own, as torch's schedulers do; see
:class:`~trimtab.lab.controller.Controller`.
"""

from trimtab.schedule.adadagrad.adadagrad import (
    NoiseTest,
    augmented_test,
    coordinate_test,
    inner_product_test,
    norm_test,
    orthogonality_test,
)
from trimtab.schedule.adadagrad.batch_sampler import AdaptiveBatchSampler
from trimtab.schedule.adadagrad.batch_size import BatchSizeController, MicroBatches
from trimtab.schedule.adadagrad.sample_lr import SampleLRScheduler
from trimtab.schedule.autolrs.autolrs import AutoLRS
from trimtab.schedule.autolrs.forecast import exponential_forecast
from trimtab.schedule.autolrs.roll_back import ReplayedBatches
from trimtab.schedule.linear_decay import linear_decay_with_warmup
from trimtab.schedule.refined.gradient_norms import GradientNormRecorder
from trimtab.schedule.refined.numerical import numerical_schedule
from trimtab.schedule.refined.polynomial import PolynomialFit, fit_polynomial
from trimtab.schedule.refined.refined import RefinedLR, refine_schedule
from trimtab.schedule.refined.refinement import read_schedule
from trimtab.schedule.rmt_scaling.batch_curvature import BatchCurvature, hessian_noise
from trimtab.schedule.rmt_scaling.lanczos_learner import LanczosLearner
from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur, Wigner
from trimtab.schedule.rmt_scaling.rmt_scaling import (
    batch_extremal,
    marchenko_pastur_extremal,
    marchenko_pastur_knee,
    maximal_learning_rate,
    scale_batch_size,
    scale_damping,
    scale_learning_rate,
    wigner_knee,
)

__all__ = [
    "AdaptiveBatchSampler",
    "AutoLRS",
    "BatchCurvature",
    "BatchSizeController",
    "GradientNormRecorder",
    "LanczosLearner",
    "MarchenkoPastur",
    "MicroBatches",
    "NoiseTest",
    "PolynomialFit",
    "RefinedLR",
    "ReplayedBatches",
    "SampleLRScheduler",
    "Wigner",
    "augmented_test",
    "batch_extremal",
    "coordinate_test",
    "exponential_forecast",
    "fit_polynomial",
    "hessian_noise",
    "inner_product_test",
    "linear_decay_with_warmup",
    "marchenko_pastur_extremal",
    "marchenko_pastur_knee",
    "maximal_learning_rate",
    "norm_test",
    "numerical_schedule",
    "orthogonality_test",
    "read_schedule",
    "refine_schedule",
    "scale_batch_size",
    "scale_damping",
    "scale_learning_rate",
    "wigner_knee",
]
