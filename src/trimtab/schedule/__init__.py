"""The pace: learning rate, batch size and hyper-parameters that set themselves during the run.

Controllers stand beside an optimizer in a loop of one's own, as torch's schedulers do; see
:class:`~trimtab.lab.controller.Controller`.
"""

from typing import TYPE_CHECKING

from trimtab import exports

if TYPE_CHECKING:
    from trimtab.schedule.adadagrad.adadagrad import NoiseTest as NoiseTest
    from trimtab.schedule.adadagrad.adadagrad import augmented_test as augmented_test
    from trimtab.schedule.adadagrad.adadagrad import coordinate_test as coordinate_test
    from trimtab.schedule.adadagrad.adadagrad import inner_product_test as inner_product_test
    from trimtab.schedule.adadagrad.adadagrad import norm_test as norm_test
    from trimtab.schedule.adadagrad.adadagrad import orthogonality_test as orthogonality_test
    from trimtab.schedule.adadagrad.batch_sampler import AdaptiveBatchSampler as AdaptiveBatchSampler
    from trimtab.schedule.adadagrad.batch_size import BatchSizeController as BatchSizeController
    from trimtab.schedule.adadagrad.batch_size import MicroBatches as MicroBatches
    from trimtab.schedule.adadagrad.sample_lr import SampleLRScheduler as SampleLRScheduler
    from trimtab.schedule.autolrs.autolrs import AutoLRS as AutoLRS
    from trimtab.schedule.autolrs.forecast import exponential_forecast as exponential_forecast
    from trimtab.schedule.autolrs.roll_back import ReplayedBatches as ReplayedBatches
    from trimtab.schedule.linear_decay import linear_decay_with_warmup as linear_decay_with_warmup
    from trimtab.schedule.refined.gradient_norms import GradientNormRecorder as GradientNormRecorder
    from trimtab.schedule.refined.numerical import numerical_schedule as numerical_schedule
    from trimtab.schedule.refined.polynomial import PolynomialFit as PolynomialFit
    from trimtab.schedule.refined.polynomial import fit_polynomial as fit_polynomial
    from trimtab.schedule.refined.refined import RefinedLR as RefinedLR
    from trimtab.schedule.refined.refined import refine_schedule as refine_schedule
    from trimtab.schedule.refined.refinement import read_schedule as read_schedule
    from trimtab.schedule.rmt_scaling.batch_curvature import BatchCurvature as BatchCurvature
    from trimtab.schedule.rmt_scaling.batch_curvature import hessian_noise as hessian_noise
    from trimtab.schedule.rmt_scaling.lanczos_learner import LanczosLearner as LanczosLearner
    from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur as MarchenkoPastur
    from trimtab.schedule.rmt_scaling.noise_model import Wigner as Wigner
    from trimtab.schedule.rmt_scaling.rmt_scaling import batch_extremal as batch_extremal
    from trimtab.schedule.rmt_scaling.rmt_scaling import marchenko_pastur_extremal as marchenko_pastur_extremal
    from trimtab.schedule.rmt_scaling.rmt_scaling import marchenko_pastur_knee as marchenko_pastur_knee
    from trimtab.schedule.rmt_scaling.rmt_scaling import maximal_learning_rate as maximal_learning_rate
    from trimtab.schedule.rmt_scaling.rmt_scaling import scale_batch_size as scale_batch_size
    from trimtab.schedule.rmt_scaling.rmt_scaling import scale_damping as scale_damping
    from trimtab.schedule.rmt_scaling.rmt_scaling import scale_learning_rate as scale_learning_rate
    from trimtab.schedule.rmt_scaling.rmt_scaling import wigner_knee as wigner_knee
    from trimtab.schedule.usual import constant_with_warmup as constant_with_warmup
    from trimtab.schedule.usual import cosine_with_warmup as cosine_with_warmup
    from trimtab.schedule.usual import inverse_sqrt_with_warmup as inverse_sqrt_with_warmup
    from trimtab.schedule.usual import one_cycle_with_warmup as one_cycle_with_warmup
    from trimtab.schedule.usual import wsd_with_warmup as wsd_with_warmup

_HELPERS = {
    "AdaptiveBatchSampler": "trimtab.schedule.adadagrad.batch_sampler",
    "BatchCurvature": "trimtab.schedule.rmt_scaling.batch_curvature",
    "GradientNormRecorder": "trimtab.schedule.refined.gradient_norms",
    "MarchenkoPastur": "trimtab.schedule.rmt_scaling.noise_model",
    "MicroBatches": "trimtab.schedule.adadagrad.batch_size",
    "NoiseTest": "trimtab.schedule.adadagrad.adadagrad",
    "PolynomialFit": "trimtab.schedule.refined.polynomial",
    "ReplayedBatches": "trimtab.schedule.autolrs.roll_back",
    "SampleLRScheduler": "trimtab.schedule.adadagrad.sample_lr",
    "Wigner": "trimtab.schedule.rmt_scaling.noise_model",
    "augmented_test": "trimtab.schedule.adadagrad.adadagrad",
    "batch_extremal": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "coordinate_test": "trimtab.schedule.adadagrad.adadagrad",
    "exponential_forecast": "trimtab.schedule.autolrs.forecast",
    "fit_polynomial": "trimtab.schedule.refined.polynomial",
    "hessian_noise": "trimtab.schedule.rmt_scaling.batch_curvature",
    "inner_product_test": "trimtab.schedule.adadagrad.adadagrad",
    "marchenko_pastur_extremal": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "marchenko_pastur_knee": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "maximal_learning_rate": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "norm_test": "trimtab.schedule.adadagrad.adadagrad",
    "numerical_schedule": "trimtab.schedule.refined.numerical",
    "orthogonality_test": "trimtab.schedule.adadagrad.adadagrad",
    "read_schedule": "trimtab.schedule.refined.refinement",
    "refine_schedule": "trimtab.schedule.refined.refined",
    "scale_batch_size": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "scale_damping": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "scale_learning_rate": "trimtab.schedule.rmt_scaling.rmt_scaling",
    "wigner_knee": "trimtab.schedule.rmt_scaling.rmt_scaling",
}
"""What the family exports beside the classes of its catalogue, and where it is."""

__all__ = list(exports.names("schedule", _HELPERS))

if not TYPE_CHECKING:  # names are checked by the imports above

    def __getattr__(name: str) -> object:
        return exports.load("schedule", _HELPERS, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
