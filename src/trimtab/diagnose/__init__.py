"""How sharp the directions of optimizers are, at the same parameters along one trajectory."""

DEFAULT_DIAGNOSED = "sgd,clip(sgd),adamw,lion"
"""Whose directions are diagnosed where nothing else is said: what is sharp, what is less so, and what is not."""
