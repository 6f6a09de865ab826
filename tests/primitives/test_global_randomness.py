"""The global generators: seeded within a context, and as they were behind it."""

import random

import numpy as np
import pytest
import torch

from trimtab.primitives.global_randomness import seeded_globally


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def drawn(seed):
    with seeded_globally(seed):
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002  # the global one is meant


def test_the_same_seed_draws_the_same_and_leaves_no_trace():
    before = states()
    assert drawn(2**40 + 3) == drawn(2**40 + 3)
    assert all(one != other for one, other in zip(drawn(3), drawn(4), strict=True))
    with pytest.raises(RuntimeError, match="within"), seeded_globally(1):
        raise RuntimeError("within")
    assert states() == before
