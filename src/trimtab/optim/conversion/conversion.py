"""Going on with the state of another package's optimizer."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trimtab.optim.adahessian.adahessian import AdaHessian
from trimtab.optim.conversion.foreign import FOREIGN, OURS, UNUSED_IS_LOST, Foreign, Group, Meaning, Meanings, needed
from trimtab.optim.conversion.matching import places
from trimtab.optim.sso.armijo import ArmijoGradientDescent
from trimtab.optim.sso.sso import SSO
from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.wrapping import OptimizerWrapper

SCHEDULED = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "swa_lr")
"""What torch's schedulers write to parameter groups."""

UNLIKE: Mapping[type[torch.optim.Optimizer], str] = {
    AdaHessian: "its second average is of the Hessian's diagonal, over blocks that no state names; start it afresh",
    ArmijoGradientDescent: "it keeps the length of its last step, which no other state holds; start it afresh",
    SSO: "it keeps nothing of the parameters' own that another optimizer has; start it afresh",
}
"""Rules of ours that go on from no other package's state, and why."""


def convert_state_dict(
    foreign: Mapping[str, Any], optimizer: torch.optim.Optimizer, *, source: str | None = None
) -> dict[str, Any]:
    r"""Turns the state of another package's optimizer into one that ``optimizer`` can load.

    Only if every tensor that ``optimizer`` keeps has a counterpart that *means the same*: an average of the same thing,
    which forgets at the same rate, under the same sign.

    Parameters are matched by their names where both have the same (``param_names``, as of an optimizer of
    ``model.named_parameters()``), and otherwise by position in the same groups. In other groups, as AGVM makes them,
    parameters without names are matched only if their shapes come in the same order and none is in two groups.

    Taken over are the tensors and the counts of steps. Settings stay those of ``optimizer`` if it is another algorithm.
    If it is the same one, the settings that ``foreign`` holds are taken over as well, as ``load_state_dict`` does:
    ``lr`` with what schedulers keep beside it, betas, weight decay and so on. ``maximize`` is compared where
    ``foreign`` holds it, and never changed; ``state_dtype``, ``compile`` and ``check_finite`` stay as they are.

    Args:
        foreign: what ``state_dict()`` of the other optimizer returned. It is not changed, and nothing in the result
            shares memory with it.
        optimizer: one of AdaBelief, DiffGrad, EXAdam, Lamb, Lars and Lion, alone or inside a wrapper that leaves its
            state as it is (CoordinateClip, AGVM), over the same parameters. It is not changed.
            Settings of wrappers stay as they are.
        source: which optimizer ``foreign`` comes from, e.g. ``"lion_pytorch.Lion"``. It is needed where the keys of
            ``foreign`` do not tell, or where something that matters is not in it; the error says which.

    Returns:
        A new state dictionary for ``optimizer.load_state_dict``. Tensors are in the precision in which ``optimizer``
        keeps its state, on the device that they were on.

    Raises:
        TypeError: ``optimizer`` is not one of these, or ``foreign`` is not a dictionary.
        ValueError: ``foreign`` comes from an optimizer that is not known, or does not say from which; it has other
            shapes than ``optimizer``, or groups, and nothing says which parameter is which; or one of its tensors is
            missing or means something else.

    Examples:
        >>> weight = torch.nn.Parameter(torch.ones(2, 2))
        >>> adamw = torch.optim.AdamW([weight])
        >>> weight.grad = torch.ones(2, 2)
        >>> adamw.step()
        >>> lamb = Lamb([weight], lr=1e-2)
        >>> lamb.load_state_dict(convert_state_dict(adamw.state_dict(), lamb))
        >>> lamb.state[weight]["step"], lamb.param_groups[0]["lr"]
        (1, 0.01)
    """
    rule = _rule(optimizer)
    placed = places(foreign, rule.param_groups)
    origin = _named(foreign, source) if source is not None else recognised(foreign)
    result = optimizer.state_dict()
    result["state"] = {}
    groups = zip(placed, result["param_groups"], optimizer.param_groups, strict=True)
    for index, (found, ours, own) in enumerate(groups):
        numbers = {place.group for place in found} or {index} & set(range(len(foreign["param_groups"])))
        pairs = {number: _Pair(origin, foreign["param_groups"][number], rule, ours) for number in sorted(numbers)}
        _take_settings(list(pairs.values()))
        for place, own_key, param in zip(found, ours["params"], own["params"], strict=True):
            entry = _kept(foreign["state"].get(place.key, {}))
            if entry:
                result["state"][own_key] = pairs[place.group].converted(entry, param)
    return result


def _rule(optimizer: torch.optim.Optimizer) -> FlatOptimizer:
    """Returns the rule whose state is asked for: the optimizer, or what its wrappers are around."""
    rule, wrappers = optimizer, []
    while isinstance(rule, OptimizerWrapper):
        wrappers.append(type(rule).__name__)
        if not rule.keeps_shapes:
            raise TypeError(
                f"{wrappers[-1]} keeps the state of whole matrices in subspaces, which no other optimizer's state is "
                "of: start afresh with it, or convert for the rule without it"
            )
        rule = rule.inner
    if isinstance(rule, OURS):
        return rule
    name, names = type(rule).__name__, ", ".join(each.__name__ for each in OURS)
    around = f", which {' around '.join(wrappers)} is around" if wrappers else ""
    reason = next((f": {why}" for kind, why in UNLIKE.items() if isinstance(rule, kind)), "")
    if wrappers and not reason:
        reason = f": load {name}'s own state into the wrapper as it is, or convert for another rule"
    raise TypeError(f"optimizer must be one of {names}, not {name}{around}{reason}")


def _named(foreign: Mapping[str, Any], source: str) -> Foreign:
    known = {each.name: each for each in FOREIGN}
    if source not in known:
        raise ValueError(f"source={source!r} must be one of {', '.join(known)}")
    origin = known[source]
    for group in foreign["param_groups"]:
        missing = origin.settings - group.keys()
        if missing:
            raise ValueError(f"foreign is not a state of {source}: its groups lack {', '.join(sorted(missing))}")
    for entry in _entries(foreign):
        missing, unknown = origin.states.keys() - entry, entry - _possible(origin)
        if missing or unknown:
            wrong = f"lacks {', '.join(sorted(missing))}" if missing else f"holds {', '.join(sorted(unknown))}"
            raise ValueError(f"foreign is not a state of {source}: its state {wrong}")
    return origin


def recognised(foreign: Mapping[str, Any]) -> Foreign:
    """Returns the optimizer whose keys a state dictionary has.

    Raises:
        ValueError: it has no known one's, or that of several, or leaves something open that matters.
    """
    fitting = [each for each in FOREIGN if _fits(each, foreign)]
    if not fitting:
        names = ", ".join(each.name for each in FOREIGN)
        raise ValueError(
            f"foreign is not recognised as a state of one of {names}: say which it is with source=, "
            "unless it is another optimizer's"
        )
    if len(fitting) > 1:
        choices = " or ".join(f"source={each.name!r}" for each in fitting)
        raise ValueError(f"foreign does not say which optimizer it comes from: pass {choices}")
    origin = fitting[0]
    unsaid = next(filter(None, map(origin.unsaid, foreign["param_groups"])), "")
    if unsaid:
        raise ValueError(f"foreign does not say everything: pass source={origin.name!r} to say {unsaid}")
    return origin


def _fits(origin: Foreign, foreign: Mapping[str, Any]) -> bool:
    allowed = origin.settings | origin.options | {"params", "param_names", *SCHEDULED}
    groups, entries = foreign["param_groups"], list(_entries(foreign))
    return (
        bool(entries)
        and all(origin.settings <= group.keys() <= allowed and origin.evidence(group) for group in groups)
        and all(origin.states.keys() <= entry <= _possible(origin) for entry in entries)
    )


def _entries(foreign: Mapping[str, Any]) -> Iterator[set[str]]:
    """Yields the names of what is kept for each parameter; what is kept for none of them goes by its own."""
    for key, entry in foreign["state"].items():
        names = set(_kept(entry)) if isinstance(entry, Mapping) else {str(key)}
        if names:
            yield names


def _kept(entry: Mapping[str, Any]) -> dict[str, Any]:
    # Older versions of torch.optim.SGD note a buffer that does not exist yet.
    return {name: value for name, value in entry.items() if value is not None}


def _possible(origin: Foreign) -> set[str]:
    count = {"step"} if origin.counts and "step" not in origin.settings else set()
    return {*origin.states, *origin.maxima, *origin.unused, *count}


@dataclass(frozen=True)
class _Pair:
    """A group of the other optimizer and ours, which is still to be changed."""

    origin: Foreign
    theirs: Group
    optimizer: FlatOptimizer
    ours: dict[str, Any]

    @property
    def rule(self) -> str:
        return type(self.optimizer).__name__

    def settings(self) -> dict[str, Any]:
        """Returns what is taken over: nothing of another algorithm. Refuses settings that give states another meaning.

        Raises:
            ValueError: under the other group's settings its state means another thing.
        """
        origin, theirs, ours = self.origin, self.theirs, self.ours
        reason = origin.unlike(theirs)
        if reason:
            raise ValueError(f"the state of {origin.name} cannot be {self.rule}'s: {reason}")
        if theirs.get("maximize", ours["maximize"]) != ours["maximize"]:
            raise ValueError(f"foreign has maximize={theirs['maximize']}, on which signs depend: build {self.rule} so")
        if origin.same is not None and isinstance(self.optimizer, origin.same):
            return deepcopy(origin.carried(theirs) | {name: theirs[name] for name in SCHEDULED if name in theirs})
        if origin.coupled(theirs) and self.optimizer.weight_decay_for(ours) != "coupled":
            raise ValueError(
                f"foreign has weight_decay={theirs['weight_decay']}, which is, or may be, part of the gradients that "
                f"{origin.name} averages, and is not part of those that {self.rule} averages"
            )
        return {}

    def converted(self, entry: dict[str, Any], param: Tensor) -> dict[str, Any]:
        """Returns the state of one parameter."""
        tensors = {**self.origin.states, **self.origin.maxima}.keys() & entry.keys()
        held = {name: self.origin.held(name, self.theirs, param) for name in sorted(tensors)}
        wanted = needed(self.optimizer, self.ours, param)
        self._refuse_loss(held, wanted)
        # Of those that count no steps only Lion and Lars can be loaded, which do not look at the count.
        count = entry["step"] if "step" in entry else self.theirs.get("step", 0)
        converted: dict[str, Any] = {"step": int(count)}
        for name, meaning in wanted.items():
            value = entry[self._counterpart(name, meaning, held)]
            if value.shape != param.shape:
                shapes = f"{tuple(value.shape)}, but its parameter has {tuple(param.shape)}"
                raise ValueError(f"the state for {name} has shape {shapes}")
            converted[name] = value.detach().to(self.ours["state_dtype"] or working_dtype(param.dtype), copy=True)
        return converted

    def _refuse_loss(self, held: Meanings, wanted: Meanings) -> None:
        for name, meaning in held.items():
            if meaning in UNUSED_IS_LOST and meaning not in wanted.values():
                raise ValueError(
                    f"{self.rule} has no place for {name}, {meaning.of}, under its settings: to go on without it, "
                    "delete it from every entry of foreign['state']"
                )

    def _counterpart(self, name: str, meaning: Meaning, held: Meanings) -> str:
        """Returns which of the tensors that are held means the same as ``name``."""
        for candidate, other in held.items():
            if other.of != meaning.of:
                continue
            here, there = _rate(self.ours, meaning), _rate(self.theirs, other)
            if here != there:
                raise ValueError(
                    f"{self.origin.name}'s {candidate} is {other.of} with {other.rate}={there}, and {self.rule}'s "
                    f"{name} is that with {meaning.rate}={here}: not the same"
                )
            return candidate
        has = " and ".join(f"{candidate} ({other.of})" for candidate, other in held.items())
        raise ValueError(f"{self.rule} needs {name}, {meaning.of}; {self.origin.name} has {has}, which is not that")


def _take_settings(pairs: Sequence[_Pair]) -> None:
    """Takes over the settings of those groups of the other optimizer whose parameters are in one of ours."""
    each = [pair.settings() for pair in pairs]
    for pair, taken in zip(pairs, each, strict=True):
        other = next((name for name, value in taken.items() if each[0].get(name) != value), None)
        if other is not None:
            raise ValueError(
                f"foreign has groups with {other}={each[0].get(other)} and {other}={taken[other]}, and optimizer has "
                "their parameters in one group: it must have several as well"
            )
        pair.ours.update(taken)
        for name, check in pair.optimizer.hyperparameters.items() if taken else ():
            pair.ours[name] = check(name, pair.ours[name])


def _rate(group: Group, meaning: Meaning) -> float | None:
    """Returns how fast an average forgets: the value of a setting such as ``betas[0]``."""
    if not meaning.rate:
        return None
    name, _, index = meaning.rate.rstrip("]").partition("[")
    return float(group[name][int(index)] if index else group[name])
