"""Which of a model's parameters are biases, or gains and biases of normalisation layers."""

import re

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

NORMALISATION_TYPES = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
# Model libraries bring their own, e.g. LlamaRMSNorm, T5LayerNorm, FrozenBatchNorm2d.
NORMALISATION_NAME = re.compile(r"(Batch|Group|Instance|Layer|RMS)Norm")
# bias, in_proj_bias, bias_ih_l0; not relative_position_bias_table, which is a table of weights.
BIAS_NAME = re.compile(r"bias(_|$)|.*_bias$")


def biases_and_norms(model: nn.Module) -> set[Tensor]:
    """Returns the biases, and the parameters of normalisation layers.

    Such a layer is torch's, or is called so. Of one that is only called so, what has several axes longer than one is
    left out: a ``LayerNormLinear`` is a normalisation and a matrix in one.

    Args:
        model: whose parameters.
    """
    return {
        param
        for module in model.modules()
        for name, param in module.named_parameters(recurse=False)
        if BIAS_NAME.match(name) or _is_of_norm(param, module)
    }


def _is_of_norm(param: Tensor, module: nn.Module) -> bool:
    if isinstance(module, NORMALISATION_TYPES):
        return True
    called_so = bool(NORMALISATION_NAME.search(type(module).__name__))
    return called_so and (is_lazy(param) or param.ndim < 2 or param.numel() == max(param.shape))
