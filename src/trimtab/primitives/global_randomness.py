"""The global generators of Python, NumPy and torch, lent to code that draws from them and can be handed no other."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_globally(seed: int) -> Iterator[None]:
    """Seeds the three within the context, and puts back what was there.

    Args:
        seed: a whole number >= 0; NumPy takes its last 32 bits.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # NumPy's global generator is meant
    # named, as it warns of several; a device that nothing has used yet is left alone
    used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch has no types here
    devices = list(range(torch.cuda.device_count())) if used else []
    with torch.random.fork_rng(devices=devices):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  # NumPy's global generator is meant
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002  # NumPy's global generator is meant
