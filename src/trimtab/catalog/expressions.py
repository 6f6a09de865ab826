"""Optimizers by expression: ``lion``, ``adamw(weight_decay=0.1)``, ``clip(lion, fraction=0.1)``.

A wrapper goes around another expression, and ``a+b`` means ``b(a)``. Settings of the innermost optimizer keep their
names; those of a wrapper are written ``clip.fraction``.
"""

import ast
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from trimtab.catalog.entries import Entry, find
from trimtab.catalog.nesting import check_nesting
from trimtab.catalog.own import OWN
from trimtab.catalog.parameters import forget_names, has_decay, parameters_of, split_of
from trimtab.catalog.pasted_code import construction, groups_of_model, with_imports_first
from trimtab.catalog.ranges import ends_of, parse_range
from trimtab.catalog.signatures import check_settings, default_of, parts_of, settings_of
from trimtab.lab.controller import SessionController
from trimtab.optim.groups import parameter_groups
from trimtab.study.errors import InputError
from trimtab.study.tunable import Settings, Tunables, Value, as_given, rounded

_PART = re.compile(r"[a-z]\d$")
"""How the name of a part of a pair ends, as beta2."""


def _is_tuple(value: Value) -> bool:
    """Tells whether a value is a text that stands for a tuple, as choices of pairs are kept."""
    return isinstance(value, str) and value.startswith("(") and value.endswith(")")


@dataclass(frozen=True)
class Expression:
    """An entry of the catalogue with some of its settings fixed, perhaps around another expression.

    Args:
        entry: the entry.
        fixed: settings that are not tuned, in the order in which they were written.
        inner: what a wrapper goes around; ``None`` for an optimizer.

    Raises:
        InputError: a wrapper has nothing inside, or what cannot be inside of it; an optimizer has something; a wrapper
            stands there twice; or a fixed setting is unknown.
    """

    entry: Entry
    fixed: tuple[tuple[str, Value], ...] = ()
    inner: "Expression | None" = None

    def __post_init__(self) -> None:
        if self.entry.family == OWN and self.entry.loadable:
            _check_own(self.entry)
        check_nesting(self.entry, None if self.inner is None else [node.entry for node in self.inner.nodes()])
        check_settings(self.entry, [setting for setting, _ in self.fixed])

    def definition(self) -> dict[str, Any]:
        """Returns what of it its label does not say: the files of classes that are somebody's own."""
        own = {node.entry.id: node.entry.definition() for node in self.nodes() if node.entry.family == OWN}
        if not own:
            return {}
        files = {name: found["files"][name] for name, found in own.items()}
        ranges = {f"{name}.{key}": text for name, found in own.items() for key, text in found["ranges"].items()}
        return {"files": files, "ranges": ranges, "own": own}

    def nodes(self) -> Iterator["Expression"]:
        """Yields the innermost expression first, and this one last."""
        if self.inner is not None:
            yield from self.inner.nodes()
        yield self

    @property
    def label(self) -> str:
        """The expression, written out in one way."""
        arguments = [f"{name}={value!r}" for name, value in self.fixed]
        beside = ""
        if self.inner is not None and self.entry.kind == "controller":
            beside = f"{self.inner.label}+"
        elif self.inner is not None:
            arguments.insert(0, self.inner.label)
        return beside + (f"{self.entry.id}({', '.join(arguments)})" if arguments else self.entry.id)

    @property
    def normalised(self) -> bool:
        """Whether the length of its optimizer's step does not depend on that of the gradients."""
        return next(self.nodes()).entry.normalised

    @property
    def in_any_order(self) -> object:
        """What two expressions share that differ in nothing but the order of their settings."""
        return tuple((node.entry.id, frozenset(node.fixed)) for node in self.nodes())

    @property
    def tunables(self) -> Tunables:
        """What is tuned: every range, but for what is fixed and what a wrapper sets by itself."""
        fixed, owners = self.all_fixed, self.set_by_wrappers
        return {name: t for name, t in self.ranges.items() if name not in fixed and name not in owners}

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that it is built with.

        Args:
            tuned: values of the tunables.

        Raises:
            InputError: one of them is fixed to another value.
        """
        for name, value in self.all_fixed.items():
            if name in tuned and tuned[name] != value:
                raise InputError(
                    f"{name} is given twice: {self.label} fixes it to {value!r}, and {name}={tuned[name]!r} is given "
                    "beside it; leave one of them out"
                )
        own = {node.place_of(name): value for node in self.nodes() for name, value in node.entry.settings.items()}
        return self._put_together({**own, **self._bounds(), **self.all_fixed, **self._switched(tuned)})

    def _switched(self, tuned: Settings) -> dict[str, Value]:
        """Switches as the catalogue's classes have them, which are tuned as 0 and 1; one's own gets what was typed."""
        found = dict(tuned)
        for name in (name for name, value in tuned.items() if type(value) is int and value in (0, 1)):
            entry = self.owner_of(name).entry
            if entry.family != OWN and isinstance(default_of(entry.load(), name.rpartition(".")[2]), bool):
                found[name] = bool(found[name])
        return found

    def _put_together(self, settings: dict[str, Value]) -> dict[str, Value]:
        """Makes pairs again of those that are tuned by their parts, or that are written as texts."""
        if not any(_PART.search(name) or _is_tuple(value) for name, value in settings.items()):
            return settings
        found: dict[str, Any] = {
            name: ast.literal_eval(str(value)) if _is_tuple(value) else value for name, value in settings.items()
        }
        for node in self.nodes():
            if node.entry.family == OWN:
                continue
            for part, (whole, place) in parts_of(node.entry).items():
                if (name := node.place_of(part)) in found:
                    pair = list(found.get(node.place_of(whole), default_of(node.entry.load(), whole)))
                    pair[place] = found.pop(name)
                    found[node.place_of(whole)] = tuple(pair)
        return found

    def build(
        self, model_or_params: nn.Module | Iterable[Any], tuned: Settings, *, no_decay: bool = False
    ) -> torch.optim.Optimizer | SessionController:
        """Builds the optimizer, or the outermost controller beside it.

        Args:
            model_or_params: a model, whose parameters are all meant, or parameters or groups as in ``torch.optim``.
            tuned: settings beside those that are fixed.
            no_decay: puts biases and the parameters of normalisation layers into a group without weight decay, unless
                the optimizer has none.

        Raises:
            InputError: a setting is written with a name that no wrapper here has, or is fixed to another value.
        """
        settings = self.settings(tuned)
        self._check_owned(settings)
        built: Any = None
        for node in self.nodes():
            own = node._own(settings)
            if built is None:
                inside = parameters_of(model_or_params, own, no_decay, optimizer=node.entry.load())
            else:
                inside = built
            # another package's constructor may print (Prodigy's does), once in every trial
            with redirect_stdout(io.StringIO()) if node.entry.extra else nullcontext():
                built = node.entry.load()(inside, **own)
        made: torch.optim.Optimizer | SessionController = built
        if isinstance(model_or_params, nn.Module):
            forget_names(made.optimizer if isinstance(made, SessionController) else made)
        return made

    def code(self, tuned: Settings, total_steps: int | None = None, *, no_decay: bool = False) -> str:
        """Returns the lines that use it outside of trimtab's experiments; what is the reader's is named beside.

        Args:
            tuned: values of the tunables, which are written as they are.
            total_steps: length of a run, where schedules need it.
            no_decay: as for :meth:`build`.
        """
        settings, lines = self.settings(tuned), list[str]()
        named = any(node.entry.loadable and getattr(node.entry.load(), "needs_names", False) for node in self.nodes())
        call = "model.named_parameters()" if named else "model.parameters()"
        innermost = next(self.nodes()).entry
        optimizer = innermost.load() if innermost.loadable else torch.optim.Optimizer  # one that is shown may be gone
        split, no_decay = split_of(optimizer), no_decay and has_decay(optimizer, next(self.nodes())._own(settings))
        if split is not parameter_groups or no_decay:
            lines, call = groups_of_model(settings.get("weight_decay"), split, no_decay=no_decay, named=named)
        for node in self.nodes():
            if node.entry.kind == "controller":
                lines += node.usage(settings, total_steps).splitlines()
                continue
            beside, call = construction(node.entry, call, node._own(settings))
            lines += beside
        return with_imports_first([f"optimizer = {call}", *lines])

    def usage(self, settings: Settings, total_steps: int | None = None) -> str:
        """Returns the lines of a controller in a loop of one's own, with the imports that they need.

        Args:
            settings: of the whole expression, as :meth:`settings` returns them; what is missing is in the middle of its
                range.
            total_steps: length of a run, if it is known.
        """
        middle = {name: rounded(tunable.at(0.5)) for name, tunable in self.entry.load_tunables().items()}
        own = {key: as_given(value) for key, value in {**middle, **self._own(settings)}.items()}
        lines: str = self.entry.load().usage_lines(own, total_steps)
        return lines

    def place_of(self, name: str) -> str:
        """Returns what a setting of this node is called in the whole expression."""
        return name if self.inner is None else f"{self.entry.id}.{name}"

    def owner_of(self, name: str) -> "Expression":
        """Returns the node whose setting is called that in the whole expression: the innermost, if no wrapper's is."""
        setting = name.rpartition(".")[2]
        return next((node for node in self.nodes() if node.place_of(setting) == name), next(self.nodes()))

    def _own(self, settings: Mapping[str, Value]) -> dict[str, Value]:
        """This node's part of the settings of the whole expression."""
        if self.inner is None:
            return {name: value for name, value in settings.items() if "." not in name}
        start = f"{self.entry.id}."
        return {name.removeprefix(start): value for name, value in settings.items() if name.startswith(start)}

    def _check_owned(self, settings: Iterable[str]) -> None:
        innermost, *around = self.nodes()
        wrappers = [node.entry.id for node in around]
        for name in settings:
            owner, dot, _ = name.partition(".")
            if around and not dot and name not in settings_of(innermost.entry):
                for node in around:
                    node._check_not_own(name)
            if dot and owner not in wrappers:
                begin = " or ".join(f"{wrapper}." for wrapper in wrappers)
                theirs = f"a wrapper's begin with {begin}" if wrappers else "there is no wrapper"
                raise InputError(f"{self.label} has no setting {name!r}: an optimizer's stand alone, and {theirs}")
        for node in self.nodes():
            try:
                check_settings(node.entry, node._own(dict.fromkeys(settings, 0)))
            except InputError as error:  # as the class itself would refuse an argument
                raise TypeError(str(error)) from None

    def _check_not_own(self, name: str) -> None:
        """Checks that a setting which stands alone is none of this wrapper's."""
        own, setting = self.entry.id, name.removeprefix(f"{self.entry.id}_")
        if setting in settings_of(self.entry):
            raise InputError(
                f"{name!r} is a setting of {own}: give it as '{own}.{setting}', or in brackets, "
                f"{own}(..., {setting}=...)"
            )

    def _wrapping(self, attribute: str, otherwise: Any) -> Any:
        """What a wrapper's class says of the optimizers inside."""
        return getattr(self.entry.load(), attribute, otherwise) if self.inner is not None else otherwise

    @property
    def all_fixed(self) -> dict[str, Value]:
        """The settings that are fixed anywhere in it."""
        return {node.place_of(name): value for node in self.nodes() for name, value in node.fixed}

    @property
    def ranges(self) -> Tunables:
        """Every range: as the wrappers around its owner stretch it, or as somebody has typed it."""
        ranges, typed = dict[str, Any](), {name: parse_range(text) for name, text in self.typed.items()}
        for node in self.nodes():
            for name, factor in node._wrapping("rescales", {}).items():
                if name in ranges and name not in typed:
                    ranges[name] = ranges[name].scaled(factor)
            ranges |= {node.place_of(name): tunable for name, tunable in node.entry.load_tunables().items()}
        return {**ranges, **typed}

    @property
    def typed(self) -> dict[str, str]:
        """The ranges that somebody has typed."""
        return {node.place_of(name): text for node in self.nodes() for name, text in node.entry.typed.items()}

    def with_typed(self, typed: Mapping[str, str]) -> "Expression":
        """Returns it with ranges that somebody has typed, beside those that it has, by their names in all of it."""
        settings = {name: name.rpartition(".")[2] for name in typed}
        own = {setting: typed[name] for name, setting in settings.items() if self.place_of(setting) == name}
        inner = None if self.inner is None else self.inner.with_typed(typed)
        return replace(self, entry=replace(self.entry, typed={**self.entry.typed, **own}), inner=inner)

    @property
    def searched(self) -> dict[str, tuple[str, str]]:
        """The settings that wrappers search by themselves, to those of theirs that the ends of its range go to."""
        return {
            name: (node.place_of(low), node.place_of(high))
            for node in self.nodes()
            for name, (low, high) in node._wrapping("bounds", {}).items()
        }

    def _bounds(self) -> dict[str, Value]:
        """The ends of ranges that a wrapper searches by itself."""
        ranges, searched = self.ranges, self.searched
        ends = {name: ends_of(ranges[name]) for name in searched if name in ranges}
        return {place: end for name, two in ends.items() for place, end in zip(searched[name], two, strict=False)}

    @property
    def set_by_wrappers(self) -> dict[str, str]:
        """The settings that wrappers set by themselves, to who does."""
        return {name: node.entry.id for node in self.nodes() for name in node._wrapping("owns", ())}


def example(entry: Entry) -> Expression:
    """Returns an expression for an entry: by itself, or, for a wrapper, around AdamW or what else it needs."""
    return Expression(entry, inner=Expression(find(entry.inner)) if entry.around else None)


def _check_own(entry: Entry) -> None:
    found: object = entry.load()
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise InputError(f"{entry.id} is no torch.optim.Optimizer")
