"""The engine of element-wise update rules: each is applied to all parameters in few passes over memory."""

from trimtab.primitives.flat.flat_step import FlatOptimizer
from trimtab.primitives.flat.rule import UpdateRule

__all__ = ["FlatOptimizer", "UpdateRule"]
