"""Methods that adapt the update: each is a ``torch.optim.Optimizer``."""

from trimtab.optim.adabelief import AdaBelief
from trimtab.optim.adagrad_norm import AdaGradNorm
from trimtab.optim.adahessian.adahessian import AdaHessian
from trimtab.optim.agvm.agvm import AGVM
from trimtab.optim.agvm.modules import module_parameter_groups
from trimtab.optim.conversion.conversion import convert_state_dict
from trimtab.optim.coordinate_clipping.clipped_adam import ClippedAdam
from trimtab.optim.coordinate_clipping.coordinate_clipping import CoordinateClip, clip_coordinates_
from trimtab.optim.coordinate_clipping.pseudo_updates import PseudoUpdates
from trimtab.optim.coordinate_clipping.sharpness import (
    directional_sharpness,
    gradient_correlation,
    line_landscape,
    local_decrease,
)
from trimtab.optim.diffgrad import DiffGrad
from trimtab.optim.exadam import EXAdam
from trimtab.optim.galore.galore import GaLore
from trimtab.optim.galore.projected_layers import galore_parameter_groups, quantize_linears
from trimtab.optim.groups import parameter_groups
from trimtab.optim.lamb import Lamb
from trimtab.optim.lars import Lars
from trimtab.optim.lion import Lion
from trimtab.optim.q_galore import QGaLore
from trimtab.optim.sso.armijo import ArmijoGradientDescent
from trimtab.optim.sso.sso import SSO
from trimtab.optim.sso.target_loss import LineSearch

__all__ = [
    "AGVM",
    "SSO",
    "AdaBelief",
    "AdaGradNorm",
    "AdaHessian",
    "ArmijoGradientDescent",
    "ClippedAdam",
    "CoordinateClip",
    "DiffGrad",
    "EXAdam",
    "GaLore",
    "Lamb",
    "Lars",
    "LineSearch",
    "Lion",
    "PseudoUpdates",
    "QGaLore",
    "clip_coordinates_",
    "convert_state_dict",
    "directional_sharpness",
    "galore_parameter_groups",
    "gradient_correlation",
    "line_landscape",
    "local_decrease",
    "module_parameter_groups",
    "parameter_groups",
    "quantize_linears",
]
