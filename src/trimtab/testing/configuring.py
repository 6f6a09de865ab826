"""Checks of what the constructor takes: each setting is kept, works where it is accepted, and does something."""

import itertools
import pickle
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.testing.exceptions import require
from trimtab.testing.options import alternatives, flags, kinds, numbers
from trimtab.testing.resume import follow
from trimtab.testing.support import CRASHES, REFUSALS, WARM, Gradients, Suite, gradients, parameters, values
from trimtab.testing.training import plain
from trimtab.testing.updates import UpdateChecks, words

EDGES: Final[dict[str, dict[str, float]]] = {
    "lr=0": {"lr": 0.0},
    "betas=0": {"betas": 0.0},
    "momentum=0": {"momentum": 0.0},
    "momentum=1": {"momentum": 1.0},
    "eps=0": {"eps": 0.0},
    "weight_decay=0": {"weight_decay": 0.0},
}
"""Values at the edges of what may be accepted; the first of several betas is meant."""

HIGH: Final = (1e6, 1e9)
"""Thresholds that nothing in these checks reaches."""


SHORT: Final = 24
"""Steps in which most of what can be set makes a difference."""

LONG: Final = 60
"""Steps after which what has made none is said to make none: some methods begin in earnest after dozens."""

LARGE: Final = 1024.0
"""How much larger weights are when decay that is part of the gradient shall turn its sign, where only that counts."""


class ConfigurationChecks(UpdateChecks):
    """No setting is taken and forgotten."""

    def test_settings_kept(self) -> None:
        """A setting that the constructor takes is kept somewhere: what is dropped in silence cannot do anything."""
        given = self.arguments()
        usual = self.pickled({})
        if usual is None or usual != self.pickled({}):
            pytest.skip("what is kept cannot be told from a pickle")
        dropped = []
        for name in numbers(given) + flags(given):
            value = given[name]
            others = [not value] if isinstance(value, bool) else [value / 2, value * 2, value + 1, 0.5, 0.25]
            if isinstance(value, int) and not isinstance(value, bool):
                others = [value + 1, value * 2]
            # of 0 and of infinity half and double are the same once more
            kept = [self.pickled({name: other}) for other in others if other != value]
            found = [each for each in kept if each is not None]
            if found and all(each == usual for each in found):
                dropped.append(name)
        require(not dropped, f"taken and dropped: {', '.join(dropped)}")

    def pickled(self, settings: Mapping[str, Any]) -> bytes | None:
        """Returns all that an optimizer holds but its parameters, or nothing where it cannot be made or pickled."""
        try:
            optimizer = self.make(parameters(self.shapes), **settings)
            held = {name: value for name, value in vars(optimizer).items() if name not in ("param_groups", "state")}
            groups = [{name: group[name] for name in group if name != "params"} for group in optimizer.param_groups]
            return pickle.dumps(plain([held, groups]))
        except Exception:
            return None

    @pytest.mark.parametrize("edge", EDGES)
    def test_accepted_settings(self, edge: str) -> None:
        """A value at the edge of what is accepted works: what cannot is refused at construction."""
        ((name, value),) = EDGES[edge].items()
        told: Any = value
        if name == "betas":
            (told,) = (each["betas"] for each in self.momenta("betas", value))
        else:
            self.need_number(name)
        params = parameters(self.shapes)
        try:
            optimizer = self.make(params, **{name: told})
        except CRASHES:
            raise
        except REFUSALS:
            return
        follow(optimizer, params, gradients(params, 4))
        finite = all(bool(torch.isfinite(param).all()) for param in params)
        require(finite, f"{name}={told!r} is accepted, and parameters are no longer finite after four steps")

    def test_unreached_clipping(self) -> None:
        """A threshold of clipping that nothing reaches changes nothing."""
        named = [name for name in numbers(self.arguments()) if "clip" in name]
        if not named:
            pytest.skip("nothing is clipped")
        for name in named:
            try:
                ends = [values(self.run({name: high})) for high in HIGH]
            except REFUSALS:
                continue
            same = all(torch.equal(one, other) for one, other in zip(*ends, strict=True))
            require(same, f"{name}={HIGH[0]:g} and {name}={HIGH[1]:g} differ, and nothing is as large as that")

    def test_weight_decay_forms(self) -> None:
        """Weight decay makes a difference in each of its forms, also with gradients."""
        self.need_argument("weight_decay")
        for form in self.decay_forms():
            for way in self.ways():
                told = {**form, **way}
                differ = any(self.decays(told, size) for size in (1.0, LARGE))
                require(differ, f"weight decay makes no difference ({words(told)})")

    def decays(self, told: Mapping[str, Any], size: float) -> bool:
        """Returns whether weight decay makes a difference to weights that are larger than usual by a factor."""
        with_it, without = (
            self.run({**told, **other}, steps=WARM, dtype=torch.float64, size=size)
            for other in ({}, {"weight_decay": 0.0})
        )
        return any(not torch.equal(*each) for each in zip(with_it, without, strict=True))

    def test_flags(self) -> None:
        """What can be turned on or off makes a difference, and leads down to finite values both ways."""
        given = self.arguments()
        named = flags(given)
        if not named:
            pytest.skip("there is nothing to turn on or off")
        for name in named:
            if self.makes({name: not given[name]}):
                try:
                    self.go_down({name: not given[name]})
                except AssertionError:
                    raise
                except REFUSALS as error:
                    require(False, f"{name}={not given[name]} is accepted, and a step fails: {error}")
        idle = [name for name in named if all(self.idle({name: False}, {name: True}, count) for count in (SHORT, LONG))]
        require(not idle, f"made no difference in {LONG} steps, on or off: {', '.join(idle)}")

    def test_numbers(self) -> None:
        """Every number that can be set, also one of several in a setting, makes a difference to something."""
        idle = []
        for name, value in self.arguments().items():
            for number, tried in alternatives(name, value).items():
                accepted = [{name: other} for other in tried if self.makes({name: other})]
                pairs = itertools.product((SHORT, LONG), accepted)
                if accepted and all(self.idle({name: value}, told, count) for count, told in pairs):
                    idle.append(number)
        require(not idle, f"made no difference in {LONG} steps, whatever it was: {', '.join(idle)}")

    def idle(self, one: Mapping[str, Any], other: Mapping[str, Any], count: int) -> bool:
        """Returns whether two values of a setting make no difference, whatever else is set with it."""
        beside, tried = self.beside(one), 0
        for dtype in (torch.float32, torch.bfloat16):
            for each_beside in beside:
                try:
                    ends = [self.end({**each_beside, **each}, dtype, count) for each in (one, other)]
                except REFUSALS:
                    if not each_beside:  # it is no idle setting that makes a step fail
                        return False
                    continue
                tried += 1
                if any(not torch.equal(*each) for each in zip(*ends, strict=True)):
                    return False
        return tried > 0

    def beside(self, tried: Collection[str]) -> list[dict[str, Any]]:
        """Returns what is set beside settings that are tried, as it may depend on it whether they count."""
        given = {**self.defaults(), **self.arguments()}
        beside: list[dict[str, Any]] = [{}, self.decay(), {"eps": 1e-2}, {"momentum": 0.9}]
        beside = [each for each in beside if not each or each.keys() <= given.keys()]
        alone = {flag: not given[flag] for flag in flags(given) if flag not in tried}
        beside += [{flag: value} for flag, value in alone.items()]
        beside += [{**self.decay(), flag: value} for flag, value in alone.items()]
        return beside + [{name: value} for name, value in kinds(self.factory(), given) if name not in tried]

    def end(self, settings: Mapping[str, Any], dtype: torch.dtype, count: int) -> list[Tensor]:
        """Returns where steps lead; once for the same settings, since most values are compared with the same others."""
        given, known = self.arguments(), self.__dict__.setdefault("known_ends", {})
        told = {name: value for name, value in settings.items() if name not in given or value != given[name]}
        key = repr((sorted(told.items()), dtype, count))
        if key not in known:
            known[key] = self.eventful(settings, dtype, count)
        ends: list[Tensor] = known[key]
        return ends

    def eventful(self, settings: Mapping[str, Any], dtype: torch.dtype, count: int) -> list[Tensor]:
        """Returns where steps lead with all kinds of gradients, for parameters of more kinds than usual."""
        params = parameters(self.more_shapes(), dtype)
        follow_events(self.make(params, **settings), params, eventful_gradients(params, count))
        return values(params)

    def more_shapes(self) -> list[tuple[int, ...]]:
        """Returns the suite's shapes, and one of four dimensions unless all are matrices."""
        return [*self.shapes, *([(2, 3, 2, 2)] if any(len(shape) == 1 for shape in self.shapes) else [])]


def eventful_gradients(params: Sequence[Tensor], count: int) -> Gradients:
    """Returns gradients of all kinds: mostly of one sign, large, small, of one sign alone, and zero."""
    steps: Gradients = [[None if grad is None else grad + 1 for grad in step] for step in gradients(params, count)]
    for index, factor in ((3, 100.0), (6, 0.01), (9, 0.0)):
        steps[index] = [None if grad is None else grad * factor for grad in steps[index]]
    steps[7] = [None if grad is None else grad.clamp(min=0) for grad in steps[7]]
    return steps


def follow_events(optimizer: Optimizer, params: Sequence[Tensor], steps: Gradients) -> None:
    """Takes steps, among which a schedule writes to the rates."""
    for index, step in enumerate(steps):
        for group in optimizer.param_groups if index in (5, 12) else ():
            if group.get("lr") is not None:
                group["lr"] = group["lr"] * 2 if index == 5 else group["lr"] / 4
        follow(optimizer, params, [step])


class SharingChecks(Suite):
    """State is the optimizer's own."""

    def test_state_not_shared(self) -> None:
        """No two tensors of the state share memory with each other, with a parameter or with a gradient."""
        params = parameters([*self.shapes, *self.shapes])  # each shape twice: something may be kept by shape
        optimizer = self.make(params)
        follow(optimizer, params, gradients(params, 7))
        held: dict[str, Tensor] = {}
        for whose, owner in (("", optimizer), ("inner ", getattr(optimizer, "optimizer", None))):
            if owner is None or not hasattr(owner, "state"):
                continue
            for index, param in enumerate(params):
                for name, value in owner.state.get(param, {}).items():
                    for place, tensor in tensors_in(f"{whose}{name} of parameter {index}", value):
                        held.setdefault(place, tensor)
        held |= {f"parameter {index}": param.detach() for index, param in enumerate(params)}
        held |= {
            f"the gradient of parameter {i}": param.grad for i, param in enumerate(params) if param.grad is not None
        }
        spans = sorted(
            (tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * tensor.element_size(), name)
            for name, tensor in held.items()
            if tensor.numel() and tensor.is_contiguous()
        )
        for (_, end, name), (start, _, other) in itertools.pairwise(spans):
            require(start >= end or same_thing(name, other), f"{name} and {other} are the same memory")


def tensors_in(name: str, value: Any) -> list[tuple[str, Tensor]]:
    """Returns the tensors in a value of a state, by where they are."""
    if isinstance(value, Tensor):
        return [(name, value)]
    if isinstance(value, list | tuple):
        return [each for index, item in enumerate(value) for each in tensors_in(f"{name}[{index}]", item)]
    return []


def same_thing(one: str, other: str) -> bool:
    """Returns whether two names are of one thing, which a wrapper and what it wraps may both show."""
    return one.removeprefix("inner ") == other.removeprefix("inner ")
