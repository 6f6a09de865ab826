"""The pace: learning rate, batch size and hyper-parameters that set themselves during the run.

Controllers stand beside an optimizer in a loop of one's own, as torch's schedulers do; see
:class:`~trimtab.lab.controller.Controller`.
"""

from trimtab.schedule.batch_curvature import BatchCurvature, hessian_noise
from trimtab.schedule.lanczos_learner import LanczosLearner
from trimtab.schedule.noise_model import MarchenkoPastur, Wigner
from trimtab.schedule.rmt_scaling import (
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
    "BatchCurvature",
    "LanczosLearner",
    "MarchenkoPastur",
    "Wigner",
    "batch_extremal",
    "hessian_noise",
    "marchenko_pastur_extremal",
    "marchenko_pastur_knee",
    "maximal_learning_rate",
    "scale_batch_size",
    "scale_damping",
    "scale_learning_rate",
    "wigner_knee",
]
