"""Methods that adapt the update: each is a ``torch.optim.Optimizer``."""

from trimtab.optim.adabelief import AdaBelief
from trimtab.optim.diffgrad import DiffGrad
from trimtab.optim.exadam import EXAdam
from trimtab.optim.groups import parameter_groups
from trimtab.optim.lion import Lion

__all__ = ["AdaBelief", "DiffGrad", "EXAdam", "Lion", "parameter_groups"]
