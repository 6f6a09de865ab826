"""The rule of the tutorial against the whole contract of ``torch.optim``."""

from own_rule import Signum

from trimtab.testing import OptimizerConformance


class TestSignum(OptimizerConformance):
    optimizer = Signum
