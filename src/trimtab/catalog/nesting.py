"""What can go around what: a wrapper around an optimizer, a controller beside one, by what their classes say of it."""

from collections.abc import Sequence

from trimtab.catalog.entries import Entry
from trimtab.primitives.modes import has_modes
from trimtab.study.errors import InputError


def check_nesting(entry: Entry, inside: Sequence[Entry] | None) -> None:
    """Checks that an entry can go around others, before there is a model.

    Args:
        entry: the outermost.
        inside: the others, the innermost first; ``None`` where it stands by itself.

    Raises:
        InputError: a wrapper has nothing inside, or what cannot be inside of it; an optimizer has something; a wrapper
            stands there twice.
    """
    name = entry.id
    if not entry.around:
        if inside is not None:
            raise InputError(f"{name} goes around nothing: it is no wrapper")
        return
    if inside is None:
        example = entry.inner or "adamw"
        if entry.kind == "controller":
            raise InputError(f"{name} stands beside an optimizer: {example}+{name}")
        raise InputError(f"{name} goes around an optimizer: {name}({example})")
    if name in [each.id for each in inside]:
        raise InputError(f"{name} is around itself: leave one of them out")
    for each in inside:
        if each.loadable:
            _check_pair(entry, each)


def _check_pair(outside: Entry, inside: Entry) -> None:
    """Checks that a wrapper can go around an entry, as its class does."""
    wrapper, optimizer = outside.load(), inside.load()
    if outside.kind != "controller" and inside.kind == "controller":
        remedy = f"write {outside.id}(...)+{inside.id}"
        raise InputError(f"{inside.id} stands beside an optimizer, and outside of its wrappers: {remedy}")
    if hasattr(optimizer, "step_on") and not getattr(wrapper, "passes_steps_on", True):
        remedy = f"write {inside.id}({outside.id}(...))" if inside.around else "leave it out"
        raise InputError(
            f"{outside.id} changes the gradients of a step, and {inside.id} steps from more than these: {remedy}"
        )
    if has_modes(wrapper) and has_modes(optimizer):
        raise InputError(f"{outside.id} and {inside.id} both average weights: take one of the two")
    if has_modes(optimizer) and not getattr(wrapper, "keeps_shapes", True):
        remedy = f"write {inside.id}({outside.id}(...))" if inside.around else "take one of the two"
        raise InputError(
            f"{outside.id} moves matrices in subspaces, and {inside.id} averages weights as they are: {remedy}"
        )
    if not (getattr(wrapper, "keeps_shapes", True) or getattr(optimizer, "keeps_shapes", True)):
        raise InputError(f"{outside.id} and {inside.id} both move matrices in subspaces: take one of the two")
    for name in getattr(wrapper, "sets", ()):
        if name in getattr(optimizer, "sets", ()):
            raise InputError(f"{outside.id} and {inside.id} both set {name}: take one of the two")
