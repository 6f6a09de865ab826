import schedulefree
import torch
from torch import nn

from trimtab.optim import EMA, NormClip
from trimtab.primitives.modes import has_modes


def test_averages_have_modes_alone_and_inside_of_wrappers():
    params = [nn.Parameter(torch.ones(2))]
    plain = torch.optim.SGD(params, lr=0.1)
    assert not has_modes(plain)
    assert not has_modes(NormClip(plain))
    assert has_modes(NormClip(schedulefree.AdamWScheduleFree(params)))
    assert has_modes(EMA(plain))


def test_of_classes_only_those_whose_optimizers_always_have_modes():
    assert has_modes(EMA)
    assert has_modes(schedulefree.SGDScheduleFree)
    assert not has_modes(NormClip)
    assert not has_modes(None)
