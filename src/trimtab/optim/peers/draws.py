"""Random numbers for code that draws from global generators: what follows from a seed and a step, and nobody else's."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.optim import Optimizer

from trimtab.lab.randomness import OwnedRandomness, derived_seed


def device_of(optimizer: Optimizer) -> torch.device:
    """Returns where an optimizer's first parameter is; groups may have none, and then nothing is drawn."""
    params = (param for group in optimizer.param_groups for param in group["params"])
    return next((param.device for param in params), torch.device("cpu"))


@contextmanager
def draws_of(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Puts the global generators of torch and NumPy where a seed and a step lead, and puts back what was there.

    A run then resumes bit for bit with nothing more to save, and disturbs no other.

    Args:
        seed: of the optimizer, >= 0.
        step: how many steps it has taken.
        device: where random tensors are made.
    """
    start = derived_seed(seed, step)
    # PSGD-Kron's package draws from NumPy's global generator and takes no other: it is lent, and given back as it was
    kept = np.random.get_state()  # noqa: NPY002
    np.random.seed(start % 2**32)  # noqa: NPY002
    try:
        with OwnedRandomness(start, device).lent():
            yield
    finally:
        np.random.set_state(kept)  # noqa: NPY002
