"""A stream of random numbers that belongs to one run.

Layers such as dropout draw from torch's global generators and cannot be handed another one. A run therefore lends its
own state to the global generators for as long as its code runs, and puts back what was there: two runs in one process
do not disturb each other, nor anybody else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def derived_seed(seed: int, stream: int) -> int:
    """Returns a seed for one of several independent streams of the run with ``seed``."""
    import numpy as np

    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> np.uint64(1))


class OwnedRandomness:
    """The global generators' state as one run sees it.

    Args:
        seed: where the stream starts.
        device: a CUDA device's generator is owned along with the CPU's.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._states: dict[str, Tensor] = {"cpu": torch.Generator().manual_seed(seed).get_state()}
        if device.type == "cuda":
            self._states["cuda"] = torch.Generator(device).manual_seed(seed).get_state()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Gives the run's state to the global generators within the context."""
        outside = self._global_states()
        self._set_global_states(self._states)
        try:
            yield
        finally:
            self._states = self._global_states()
            self._set_global_states(outside)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the states, as bytes."""
        return {name: state.clone() for name, state in self._states.items()}

    def load_state_dict(self, states: dict[str, Tensor]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        self._states = {name: state.clone() for name, state in states.items()}

    def _global_states(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self._device)
        return states

    def _set_global_states(self, states: dict[str, Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"], self._device)
