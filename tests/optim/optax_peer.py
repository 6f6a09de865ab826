"""The same gradients for an optimizer and for one of optax, which is written for JAX."""

import numpy as np
import torch

from tests.optim.trajectory import follow, random_gradients, random_parameters


def difference_from_optax(make, make_optax, steps=50):
    """Returns how far an optimizer is from optax's in float64; ``make_optax`` gets the module."""
    import jax
    import optax

    ours, grads = random_parameters(), random_gradients(steps)
    with jax.enable_x64(True):
        theirs = [jax.numpy.asarray(param.detach().numpy()) for param in ours]
        transformation = make_optax(optax)
        update, state = jax.jit(transformation.update), transformation.init(theirs)
        for row in grads:
            moves, state = update([jax.numpy.asarray(grad.numpy()) for grad in row], state, theirs)
            theirs = optax.apply_updates(theirs, moves)
        ends = [torch.from_numpy(np.array(end)) for end in theirs]
    follow(ours, make(ours), grads)
    assert {end.dtype for end in ends} == {torch.float64}
    return max((a.detach() - b).abs().max().item() for a, b in zip(ours, ends, strict=True))
