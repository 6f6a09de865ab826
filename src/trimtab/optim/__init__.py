"""Methods that adapt the update: each is a ``torch.optim.Optimizer``."""

from trimtab.optim.adabelief import AdaBelief
from trimtab.optim.adahessian import AdaHessian
from trimtab.optim.agvm import AGVM
from trimtab.optim.armijo import ArmijoGradientDescent
from trimtab.optim.clipped_adam import ClippedAdam
from trimtab.optim.conversion import convert_state_dict
from trimtab.optim.coordinate_clipping import CoordinateClip, clip_coordinates_
from trimtab.optim.diffgrad import DiffGrad
from trimtab.optim.exadam import EXAdam
from trimtab.optim.galore import GaLore
from trimtab.optim.groups import parameter_groups
from trimtab.optim.lamb import Lamb
from trimtab.optim.lars import Lars
from trimtab.optim.lion import Lion
from trimtab.optim.modules import module_parameter_groups
from trimtab.optim.projected_layers import galore_parameter_groups, quantize_linears
from trimtab.optim.pseudo_updates import PseudoUpdates
from trimtab.optim.q_galore import QGaLore
from trimtab.optim.sharpness import directional_sharpness, gradient_correlation, line_landscape, local_decrease
from trimtab.optim.sso import SSO
from trimtab.optim.target_loss import LineSearch

__all__ = [
    "AGVM",
    "SSO",
    "AdaBelief",
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
