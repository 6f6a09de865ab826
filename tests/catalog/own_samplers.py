"""A file with samplers of one's own, as tests write it."""

SOURCE = '''
"""Samplers of mine."""
from optuna.samplers import RandomSampler, TPESampler
from trimtab.study.tunable import Choice, LogUniform, Uniform


class Mine(RandomSampler):
    """Draws as I like it.

    And more about it.
    """

    tunables = {"width": Uniform(0.5, 2.0), "rate": LogUniform(1e-4, 1e-1), "mode": Choice(("a", "b")), "n": Choice((1, 2))}

    def __init__(self, seed=None, width=1.0):
        super().__init__(seed)
        self.width = width


class Passes(TPESampler):
    def __init__(self, **settings):
        super().__init__(**settings)


class Unseeded(RandomSampler):
    def __init__(self):
        super().__init__(0)


class Breaks(RandomSampler):
    def __init__(self, seed=None):
        raise RuntimeError("out of order")


class Odd(RandomSampler):
    tunables = {"flag": Choice((True, False))}


class Outer:
    class Inner(RandomSampler):
        pass


class NoSampler:
    def __init__(self, seed=None):
        pass


NUMBER = 3
'''
