"""Methods that adapt the update: each is a ``torch.optim.Optimizer``."""

from typing import TYPE_CHECKING

from trimtab import exports

if TYPE_CHECKING:
    from trimtab.optim.adabelief import AdaBelief as AdaBelief
    from trimtab.optim.adagrad_norm import AdaGradNorm as AdaGradNorm
    from trimtab.optim.adahessian.adahessian import AdaHessian as AdaHessian
    from trimtab.optim.agvm.agvm import AGVM as AGVM
    from trimtab.optim.agvm.modules import module_parameter_groups as module_parameter_groups
    from trimtab.optim.conversion.conversion import convert_state_dict as convert_state_dict
    from trimtab.optim.coordinate_clipping.clipped_adam import ClippedAdam as ClippedAdam
    from trimtab.optim.coordinate_clipping.coordinate_clipping import CoordinateClip as CoordinateClip
    from trimtab.optim.coordinate_clipping.coordinate_clipping import clip_coordinates_ as clip_coordinates_
    from trimtab.optim.coordinate_clipping.pseudo_updates import PseudoUpdates as PseudoUpdates
    from trimtab.optim.coordinate_clipping.sharpness import directional_sharpness as directional_sharpness
    from trimtab.optim.coordinate_clipping.sharpness import gradient_correlation as gradient_correlation
    from trimtab.optim.coordinate_clipping.sharpness import line_landscape as line_landscape
    from trimtab.optim.coordinate_clipping.sharpness import local_decrease as local_decrease
    from trimtab.optim.diffgrad import DiffGrad as DiffGrad
    from trimtab.optim.ema import EMA as EMA
    from trimtab.optim.exadam import EXAdam as EXAdam
    from trimtab.optim.galore.galore import GaLore as GaLore
    from trimtab.optim.galore.projected_layers import galore_parameter_groups as galore_parameter_groups
    from trimtab.optim.galore.projected_layers import quantize_linears as quantize_linears
    from trimtab.optim.groups import groups_by_role as groups_by_role
    from trimtab.optim.groups import parameter_groups as parameter_groups
    from trimtab.optim.lamb import Lamb as Lamb
    from trimtab.optim.lars import Lars as Lars
    from trimtab.optim.lion import Lion as Lion
    from trimtab.optim.muon import Muon as Muon
    from trimtab.optim.norm_clipping import AdaptiveClip as AdaptiveClip
    from trimtab.optim.norm_clipping import NormClip as NormClip
    from trimtab.optim.q_galore import QGaLore as QGaLore
    from trimtab.optim.sso.armijo import ArmijoGradientDescent as ArmijoGradientDescent
    from trimtab.optim.sso.sso import SSO as SSO
    from trimtab.optim.sso.target_loss import LineSearch as LineSearch

_HELPERS = {
    "ArmijoGradientDescent": "trimtab.optim.sso.armijo",
    "LineSearch": "trimtab.optim.sso.target_loss",
    "PseudoUpdates": "trimtab.optim.coordinate_clipping.pseudo_updates",
    "clip_coordinates_": "trimtab.optim.coordinate_clipping.coordinate_clipping",
    "convert_state_dict": "trimtab.optim.conversion.conversion",
    "directional_sharpness": "trimtab.optim.coordinate_clipping.sharpness",
    "galore_parameter_groups": "trimtab.optim.galore.projected_layers",
    "gradient_correlation": "trimtab.optim.coordinate_clipping.sharpness",
    "groups_by_role": "trimtab.optim.groups",
    "line_landscape": "trimtab.optim.coordinate_clipping.sharpness",
    "local_decrease": "trimtab.optim.coordinate_clipping.sharpness",
    "module_parameter_groups": "trimtab.optim.agvm.modules",
    "parameter_groups": "trimtab.optim.groups",
    "quantize_linears": "trimtab.optim.galore.projected_layers",
}
"""What the family exports beside the classes of its catalogue, and where it is."""

__all__ = list(exports.names("optim", _HELPERS))

if not TYPE_CHECKING:  # names are checked by the imports above

    def __getattr__(name: str) -> object:
        return exports.load("optim", _HELPERS, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
