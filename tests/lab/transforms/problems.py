"""Small problems, and transforms that do one thing."""

import copy

import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab.lab.transforms.pruned import Pruned
from trimtab.primitives.masks import prunable_weights, set_masks


class SmallPruned(Pruned):
    name = "small-pruned"
    calibration_samples = 30

    def __init__(self, sparsity=0.5, **more):
        super().__init__(Toy(), sparsity, **{"train_steps": 4, "finetune_steps": 20, **more})


def halve(model, calibration, target, *, finetune, generator):
    """Masks the first weights of every layer, exactly as many as have to go, and trains."""
    pruned = copy.deepcopy(model)
    weights = prunable_weights(pruned)
    left = round(target * sum(weight.numel() for weight in weights.values()))
    keep = {}
    for name, weight in weights.items():
        here = min(left, weight.numel())
        keep[name] = (torch.arange(weight.numel()) >= here).reshape(weight.shape)
        left -= here
    set_masks(pruned, keep)
    finetune(pruned)
    return pruned


def nothing(model, calibration, target, *, finetune, generator):
    return model


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
