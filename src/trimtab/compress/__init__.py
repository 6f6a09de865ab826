"""Smaller networks: which weights a trained network can do without."""

from trimtab.compress.allocation import Allocation, prune
from trimtab.compress.lamp import lamp_counts, lamp_pruning
from trimtab.compress.magnitude import global_counts, magnitude_pruning
from trimtab.compress.uniform import uniform_counts, uniform_pruning

__all__ = [
    "Allocation",
    "global_counts",
    "lamp_counts",
    "lamp_pruning",
    "magnitude_pruning",
    "prune",
    "uniform_counts",
    "uniform_pruning",
]
