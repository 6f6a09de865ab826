"""One step of one chunk: memory in, the rule's kernels, memory out."""

from collections.abc import Mapping

from trimtab.primitives.chunks import Chunk
from trimtab.primitives.kernel import Recipe


def walk(chunk: Chunk, recipe: Recipe, own: Mapping[str, float], scalars: Mapping[str, float]) -> None:
    """Takes a step with the parameters of a chunk.

    Args:
        chunk: parameters that take their step together.
        recipe: the rule.
        own: the engine's numbers.
        scalars: the rule's numbers.
    """
    param, grad, states = chunk.load()
    if not len(param):
        return
    numbers = recipe.numbers(own, scalars, param.device)
    recipe.update(param, grad, states, numbers, None)
    chunk.store()
