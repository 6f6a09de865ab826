import torch

from trimtab.optim import AdaBelief, GaLore, Lion
from trimtab.testing import OptimizerConformance


def galore_lion(params, **settings):
    return GaLore(Lion(params, **{"compile": False, **settings}), rank=1, update_proj_gap=2)


def galore_adabelief(params, **settings):
    return GaLore(AdaBelief(params, **{"compile": False, **settings}), update_proj_gap=2)


def galore_adamw(params, **settings):
    return GaLore(torch.optim.AdamW(params, **settings), rank=1, update_proj_gap=2)


NO_MATRIX = {"layout": "the check's parameter is no matrix, of which there must be one"}


class TestLion(OptimizerConformance):
    optimizer = galore_lion
    exceptions = NO_MATRIX


class TestAdaBelief(OptimizerConformance):
    optimizer = galore_adabelief
    exceptions = NO_MATRIX


class TestAdamW(OptimizerConformance):
    optimizer = galore_adamw
    exceptions = NO_MATRIX


class TestPlainAdamW(OptimizerConformance):
    optimizer = torch.optim.AdamW
