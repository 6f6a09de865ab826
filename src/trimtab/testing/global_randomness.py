"""The global generators of Python, NumPy and torch, which nothing here may draw from or change."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

from trimtab.testing.exceptions import require

Made = TypeVar("Made")


def global_states() -> dict[str, object]:
    """Returns what can be compared of each global generator, by whose it is."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "random": random.getstate(),
        "NumPy": str(np.random.get_state(legacy=False)),  # noqa: NPY002  # the global one is meant
    }


def require_untouched(before: dict[str, object]) -> None:
    """Fails unless the global generators are as they were."""
    for name, state in global_states().items():
        require(state == before[name], f"the global random state of {name} was changed")


@contextmanager
def same_draws() -> Iterator[None]:
    """Lets what draws from a global generator draw the same each time, and leaves the generators as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # the global one is meant
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # the global one is meant
    torch.manual_seed(0)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002  # the global one is meant
        torch.set_rng_state(states[2])


def under_two_states(make: Callable[[], Made]) -> tuple[Made, Made]:
    """Makes something under two states of the global generators, which have to stay as they are, and puts them back."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # the global one is meant
    made = []
    try:
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002  # the global one is meant
            torch.manual_seed(seed)
            before = global_states()
            made.append(make())
            require_untouched(before)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002  # the global one is meant
        torch.set_rng_state(states[2])
    return made[0], made[1]
