"""A candidate: an optimizer of the catalogue, with some of its settings fixed and the others to be tuned.

It is written as an expression: ``lion``, ``adamw(weight_decay=0.1)``, ``clip(lion)``; several are separated by commas.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from trimtab.catalog.calls import check_tuned
from trimtab.catalog.entries import Entry
from trimtab.catalog.expressions import Expression
from trimtab.catalog.own import OWN, OWN_KIND, OwnEntry, own_entry
from trimtab.catalog.parameters import split_of
from trimtab.catalog.parsing import SLOT, parse_expressions
from trimtab.catalog.ranges import parse_tunes
from trimtab.catalog.recipes import Recipe
from trimtab.catalog.signatures import default_of, settings_of
from trimtab.catalog.tuned import with_ranges
from trimtab.lab.controller import SessionController
from trimtab.optim.ema import EMA
from trimtab.study.errors import InputError
from trimtab.study.phrases import listed
from trimtab.study.tunable import Choice, Settings, Tunables, Value, rounded


@dataclass(frozen=True)
class Candidate:
    """What a comparison tunes and runs.

    Args:
        expression: what it is.
        recipe: what goes around it, as around all others of a comparison.

    Raises:
        InputError: a part of the recipe cannot.
    """

    expression: Expression
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        _ = self.whole

    @cached_property
    def whole(self) -> Expression:
        """What is built: the expression with the recipe around it."""
        return self.recipe.around(self.expression)

    @property
    def label(self) -> str:
        """The expression that names it."""
        return self.expression.label

    @property
    def title(self) -> str:
        """Its full name."""
        return " in ".join(node.entry.title for node in self.expression.nodes())

    @property
    def kind(self) -> str:
        """``your own`` if something of it is in no catalogue, ``baseline`` if it is the host's, else ``method``."""
        if any(node.entry.family == OWN for node in self.expression.nodes()):
            return OWN_KIND
        return "baseline" if self.expression.entry.kind == "baseline" else "method"

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return self.expression.entry.summary

    @property
    def tunables(self) -> Tunables:
        """What is tuned, in the order of the catalogue, and then what somebody has asked for."""
        return self.whole.tunables

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that the optimizer is built with; those of the recipe are the same for everybody."""
        return self.expression.settings(tuned)

    def build(self, tuned: Settings) -> Callable[[nn.Module], torch.optim.Optimizer | SessionController]:
        """Returns what makes the optimizer for a model, or the outermost controller beside it."""
        return partial(self.whole.build, tuned=tuned, no_decay=self.recipe.no_decay)

    def definition(self) -> dict[str, Any]:
        """Returns what of it its label does not say."""
        found = self.expression.definition()
        recipe = {} if self.recipe.plain else {"recipe": self.recipe.to_dict()}
        typed = self.expression.typed
        if not typed:
            return {**found, **recipe}
        owners = {name: self.expression.owner_of(name).entry.family for name in typed}
        listed = {name: text for name, text in typed.items() if owners[name] != OWN}  # whose own are there already
        return {**found, **recipe, "ranges": {**found.get("ranges", {}), **listed}, "tuned": typed}

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:
        """Returns the lines that use it outside of trimtab's experiments, in a run of so many steps.

        What was found within a range is rounded; a choice, and what is fixed, is what somebody wrote.
        """
        found = self.whole
        exact = {*found.all_fixed, *(name for name, each in self.tunables.items() if isinstance(each, Choice))}
        settings = {name: value if name in exact else rounded(value) for name, value in tuned.items()}
        return found.code(settings, total_steps, no_decay=self.recipe.no_decay)


def parse_candidates(text: str, tune: Sequence[str] | None = ()) -> list[Candidate]:
    """Reads candidates separated by commas.

    Args:
        text: the candidates.
        tune: ranges for classes of one's own, and for settings of the catalogue's; ``None`` where none can be given.

    Raises:
        InputError: the text is not of that form, a name or setting is unknown, a value is outside its range, or a
            candidate stands there twice.
    """
    tunes = parse_tunes(tune or ())
    own: dict[str, Entry] = {}

    def make(reference: str) -> Entry:
        return own.setdefault(reference, own_entry(reference, SLOT, tunes))

    expressions = parse_expressions(text, own=make)
    theirs = [each for each in tunes if each.candidate is not None and each.candidate not in own]
    check_tuned([each for each in tunes if each not in theirs], list(own.values()), ", and are named, as in adamw.lr")
    candidates = [Candidate(expression) for expression in with_ranges(expressions, theirs)]
    for candidate in candidates:
        _check_ranges(candidate, typed=tune is not None)
    if not candidates:
        raise InputError("no candidates were given; an example is sgd,adamw,lion")
    known: dict[object, str] = {}
    for candidate in candidates:
        alike = candidate.expression.in_any_order
        if alike in known:
            also = "" if known[alike] == candidate.label else f", the other time as {known[alike]}"
            raise InputError(f"the candidate {candidate.label} was given twice{also}")
        known[alike] = candidate.label
    return candidates


def _check_ranges(candidate: Candidate, *, typed: bool) -> None:
    """Checks that a class of one's own is tuned, or that somebody has said with which settings it is to run.

    One that has no settings is run as it is.

    Args:
        candidate: to be looked at.
        typed: whether ranges can be typed.
    """
    innermost = next(candidate.expression.nodes())
    own = innermost.entry.family == OWN
    if own and not innermost.entry.load_tunables() and not innermost.fixed and settings_of(innermost.entry):
        name = innermost.entry.id
        setting = settings_of(innermost.entry)[0]
        ranges = f"give ranges, as in --tune {name}.{setting}=1e-4..1e-1:log, or" if typed else "give ranges"
        raise InputError(
            f"{name} has no tunables, so that nobody knows what to try: {ranges} in the class, tunables = {{...}}, "
            f"or fix its settings in brackets: {name}({setting}=0.001)"
        )
    given = {*candidate.expression.ranges, *candidate.expression.all_fixed}
    for searched, ends in candidate.expression.searched.items():
        if searched not in given and not given.issuperset(ends):
            wrapper, low, high = *ends[0].split("."), ends[1].rpartition(".")[2]
            raise InputError(
                f"{candidate.label}: {wrapper} searches {searched} between the ends of its range, and "
                f"{innermost.entry.id} has none for it: say them, as in ...+{wrapper}({low}=1e-4, {high}=1e-1)"
            )


def candidates_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """Makes candidates again of labels and definitions, without importing what is somebody's own."""
    known = {name: each for of in definitions.values() for name, each in of.get("own", {}).items()}

    def make(reference: str) -> Entry:
        return OwnEntry.restored(reference, SLOT, known[reference])

    expressions = parse_expressions(",".join(labels), own=make)
    known_of = [definitions.get(label, {}) for label in labels]
    return tuple(
        Candidate(expression.with_typed(of.get("tuned", {})), Recipe(**of.get("recipe", {})))
        for expression, of in zip(expressions, known_of, strict=True)
    )


def with_recipe(candidate: Any, recipe: Recipe) -> Candidate:
    """Returns a candidate with a recipe around it.

    Raises:
        InputError: a part of the recipe cannot go around it.
    """
    made: Candidate = replace(candidate, recipe=recipe)
    return made


def remarks(
    candidates: Sequence[Any], recipe: Recipe, model: Callable[[], nn.Module], steps: int | None = None
) -> list[str]:
    """Returns what a reader should know of how candidates are trained, in sentences.

    Args:
        candidates: all of a comparison.
        recipe: that goes around all of them.
        model: makes one of the problem's.
        steps: of a run.
    """
    divide = [each for each in candidates if _divides(each)]
    made = model() if divide else nn.Module()
    found = recipe.remarks([each.expression for each in candidates])
    found += [] if steps is None else _short_averages(candidates, recipe, steps)
    return found + [_division(each, made) for each in divide]


def _short_averages(candidates: Sequence[Candidate], recipe: Recipe, steps: int) -> list[str]:
    """Says whose averages of weights forget sooner than their decay says, because a run is too short for it."""
    reached, decays = EMA.largest_decay(steps), {} if recipe.ema is None else {"the recipe": float(recipe.ema)}
    for candidate in candidates:
        for node in candidate.expression.nodes():
            kind = node.entry.load() if node.entry.loadable else None
            if isinstance(kind, type) and issubclass(kind, EMA):
                own: dict[str, Any] = {n: dict(node.fixed).get(n, default_of(kind, n)) for n in ("decay", "warmup")}
                if own["warmup"] and f"{node.entry.key}.decay" not in candidate.tunables:
                    decays[candidate.label] = own["decay"]
    short = [label for label, decay in decays.items() if decay > reached]
    if not short:
        return []
    return [
        f"The decay of an average begins small and grows with the steps, to {reached:.3g} in a run of {steps:,}: "
        f"that of {listed(short)} is never reached (with warmup=False it holds from the first step on)."
    ]


def _divides(candidate: Candidate) -> bool:
    innermost, *around = candidate.expression.nodes()
    if not innermost.entry.loadable:
        return False
    if hasattr(innermost.entry.load(), "kept_in_words"):
        return all(getattr(node.entry.load(), "keeps_shapes", True) for node in around)
    return hasattr(innermost.entry.load(), "rule_for")


def _division(candidate: Candidate, model: nn.Module) -> str:
    """Says how many parameters each rule has, of an optimizer that has several, or how their states are kept."""
    innermost = next(candidate.expression.nodes())
    optimizer, counts = innermost.entry.load(), Counter[str]()
    if hasattr(optimizer, "kept_in_words"):
        trained = [each for each in model.parameters() if each.requires_grad]
        kept = optimizer.kept_in_words(trained, dict(innermost.fixed))
        return f"Of the parameters, {candidate.label} {kept}."
    for group in split_of(optimizer)(model):
        counts[optimizer.rule_for(group)] += sum(each.numel() for each in group["params"] if each.requires_grad)
    shares = [f"{number:,} by {rule}" for rule, number in counts.most_common()]
    return f"Of the parameters, {candidate.label} moves {listed(shares)}."
