"""The suite for third parties, run on all of our own optimizers."""

from trimtab.optim import AdaBelief, DiffGrad, EXAdam, Lion
from trimtab.testing import OptimizerConformance


class TestLion(OptimizerConformance):
    optimizer = Lion


class TestAdaBelief(OptimizerConformance):
    optimizer = AdaBelief


class TestEXAdam(OptimizerConformance):
    optimizer = EXAdam


class TestDiffGrad(OptimizerConformance):
    optimizer = DiffGrad
