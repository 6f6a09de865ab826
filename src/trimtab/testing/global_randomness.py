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


def global_settings() -> dict[str, object]:
    """Returns what else of NumPy and torch is the same for all who use them, by what it is."""
    return {
        "NumPy's way with floating-point errors": np.geterr(),
        "torch's default type": torch.get_default_dtype(),
        "torch's mode of gradients": torch.is_grad_enabled(),
        "torch's number of threads": torch.get_num_threads(),
    }


def require_untouched(before: dict[str, object], settings: dict[str, object] | None = None) -> None:
    """Fails unless the global generators are as they were, and the global settings where these are given."""
    for name, state in global_states().items():
        require(state == before[name], f"the global random state of {name} was changed")
    now = global_settings()
    for name, setting in (settings or {}).items():
        require(now[name] == setting, f"{name} was changed")


@contextmanager
def same_draws(seed: int = 0) -> Iterator[None]:
    """Lets what draws from a global generator draw the same each time, and leaves the generators as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # the global one is meant
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the global one is meant
    torch.manual_seed(seed)
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
