"""What workers prepare for that train: one import of torch, their share of the cores, random numbers of their own."""

import sys

NEEDED = ("torch", "torch._dynamo", "trimtab.lab.session")
"""What every worker imports sooner or later: seconds of work, and the first optimizer makes it import the second."""

LIKELY = ("sklearn.datasets",)
"""What a worker's task will import if this process's has."""


class TrainingWork:
    """The part of a :class:`~trimtab.study.trial.PreparedWork` that all who train have in common."""

    @property
    def modules(self) -> tuple[str, ...]:
        """What workers import."""
        ours = type(self).__module__
        likely = [name for name in LIKELY if name in sys.modules]
        return (*NEEDED, *([ours] if ours.startswith("trimtab.") else []), *likely)

    def begin(self, threads: int) -> None:
        """Prepares a worker for training."""
        begin_training(threads)


def begin_training(threads: int) -> None:
    """Gives torch so many threads, and seeds the global generators, which tasks may use."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    # Workers that were forked from one process share its generators' state, so that all would draw the same.
    torch.seed()
    np.random.seed()  # noqa: NPY002 - seeds the global generator
