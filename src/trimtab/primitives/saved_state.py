"""Saving and loading the state of an update rule: copies both ways, each tensor in the precision that it had."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, TypeAlias

from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from trimtab.primitives.layout import copied_like
from trimtab.primitives.sharding import gathered, local, shards_of

Saved: TypeAlias = Mapping[str, Any]
Names: TypeAlias = Sequence[tuple[str, ...]]


def copied(saved: Saved) -> dict[str, Any]:
    """Copies a state dictionary; a tensor that is a view of a larger memory becomes a tensor of its own."""
    return {
        key: {index: _copied(entry) for index, entry in value.items()} if key == "state" else deepcopy(value)
        for key, value in saved.items()
    }


def without_blanks(saved: Saved) -> dict[str, Any]:
    """Leaves out of a state dictionary what was not there when it was saved.

    ``torch.distributed.checkpoint.state_dict`` flattens states, and where it puts them together again, a parameter that
    had none, because it had no gradient, gets an empty dictionary in the place of every value.
    """
    state: dict[Any, Any] = {}
    for key, entry in saved["state"].items():
        if not isinstance(entry, Mapping) or not any(map(_is_blank, entry.values())):
            state[key] = entry
        elif kept := {name: value for name, value in entry.items() if not _is_blank(value)}:
            state[key] = kept
    return {**saved, "state": state}


@contextmanager
def loaded_by(
    optimizer: Optimizer,
    check: Callable[[Optimizer, dict[str, Any]], dict[str, Any]],
    adopt: Callable[[Optimizer], None],
) -> Iterator[None]:
    """Has torch's own loading of a state call two functions.

    Torch casts floating state to its parameter's type. What was saved is caught on the way in, after the hooks of users
    have had a hand in it, and put back before they see the result.

    Args:
        optimizer: it loads within the context.
        check: called with a state before anything is changed; returns what is loaded.
        adopt: called when torch has loaded that.
    """
    before = optimizer.register_load_state_dict_pre_hook(check)
    after = optimizer.register_load_state_dict_post_hook(adopt, prepend=True)
    try:
        yield
    finally:
        before.remove()
        after.remove()


def refuse_foreign_state(saved: Saved, groups: Sequence[Saved], names: Names, owner: str) -> None:
    """Checks that a state is that of the same rule and of parameters of the same shapes.

    Args:
        saved: what is to be loaded.
        groups: the optimizer's parameter groups.
        names: for each saved group, the states that its rule needs.
        owner: the rule's name, for messages.

    Raises:
        ValueError: a state is missing or has another shape, or its parameter is still to be initialised.
    """
    for param, state, needed in _entries(saved, groups, names):
        if is_lazy(param):
            raise ValueError(
                f"{owner} cannot tell whether a saved state fits a lazy layer that has seen no batch: run the model on "
                "one, or load the model's state, before the optimizer's"
            )
        missing = {"step", *needed} - state.keys()
        if missing:
            raise ValueError(f"a saved state lacks {', '.join(sorted(missing))}: it is not that of {owner}")
        for name in needed:
            if state[name].shape != param.shape:
                shapes = f"{tuple(state[name].shape)}, but its parameter has {tuple(param.shape)}"
                raise ValueError(f"a saved {name} has shape {shapes}")


def adopted(saved: Saved, groups: Sequence[Saved], names: Names) -> dict[Tensor, dict[str, Any]]:
    """Returns the state of each parameter, as copies in the parameter's layout and in the saved precision."""
    return {
        param: {"step": int(state["step"]), **{name: placed(param, state[name]) for name in needed}}
        for param, state, needed in _entries(saved, groups, names)
    }


def placed(param: Tensor, value: Tensor) -> Tensor:
    """Copies a state to where its parameter is, divided over processes as that is, whatever the saved one was."""
    shards = shards_of(param)
    if shards is None:
        return copied_like(param, gathered(value))
    divided = shards.divided(value.to(param.device)) if shards_of(value) is None else value
    return shards.whole(copied_like(local(param.detach()), shards.local(divided)), param)


def _entries(
    saved: Saved, groups: Sequence[Saved], names: Names
) -> Iterator[tuple[Tensor, dict[str, Any], tuple[str, ...]]]:
    # Torch complains where the lengths differ.
    for saved_group, group, needed in zip(saved["param_groups"], groups, names, strict=False):
        for key, param in zip(saved_group["params"], group["params"], strict=False):
            if saved["state"].get(key):
                yield param, saved["state"][key], needed


def _is_blank(value: Any) -> bool:
    return isinstance(value, Mapping) and not value


def _copied(value: Any) -> Any:
    """Copies what is kept of a parameter, or beside all parameters: users may put there what they like."""
    if isinstance(value, Mapping):
        return {name: _copied(each) for name, each in value.items()}
    return value.detach().clone() if isinstance(value, Tensor) else deepcopy(value)
