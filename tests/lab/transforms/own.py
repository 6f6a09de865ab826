"""A task, a problem and candidates in a file of one's own, as users have them."""

from tests.lab.toy import Toy
from tests.lab.transforms.problems import SmallPruned, halve  # noqa: F401  # named on command lines
from trimtab.study.tunable import Uniform


class Mine(Toy):
    name = "mine"

    def __init__(self, width=6):
        super().__init__()
        self.width = width


class Problem(SmallPruned):
    """A small network, trained in no time."""


class Untouched:
    """Returns what it was given."""

    def __init__(self, share=0.5):
        self.share = share

    tunables = {"share": Uniform(0.1, 0.9)}  # noqa: RUF012

    def __call__(self, model, calibration, target, *, finetune, generator):
        return model


class NotCalled:
    """Has no ``__call__``."""


def wrong(model, calibration):
    """Takes too little."""


def clashing(model, calibration, target, *, finetune, generator, finetune_lr=0.1):
    """Has a setting that the problem has."""


clashing.tunables = {"finetune_lr": Uniform(0.1, 0.9)}
