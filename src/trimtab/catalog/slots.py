"""Which candidates fit a problem: the one place that asks which slot it has."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from trimtab.catalog.entries import Entry, Weighted, best_first, entries
from trimtab.catalog.recipes import Recipe
from trimtab.lab.problem import Filling, Problem
from trimtab.lab.references import parse_reference
from trimtab.lab.shipped import PROBLEMS, of_slot
from trimtab.lab.tables.references import is_table
from trimtab.study.checks import check_texts
from trimtab.study.errors import Faults, InputError

DEFAULT_OPTIMIZERS = "sgd,adamw,nadam,radam,lion,adabelief"
"""What is compared on a task where nothing else is said: what people use, and what they are told to use instead."""

Given: TypeAlias = str | Sequence[str] | Mapping[str, str]
"""Candidates as they are given: names, in one string or in several; a mapping gives names what is theirs."""


@dataclass(frozen=True)
class Slot:
    """What fills one kind of open part.

    Args:
        what: a candidate is, for messages.
        read: makes candidates of what was given, for a problem, with ranges as they are typed.
        restored: makes candidates again of labels and definitions.
        example: makes a candidate of an entry, to be shown.
        default: who is compared where nobody is named; empty if somebody has to be.
        template: name of the problem in the file that people start from; empty if there is none.
        own: how a candidate of one's own is written.
        with_recipe: puts a recipe around a candidate; ``None`` where there is nothing to train.
        remarks: says what a reader should know of how candidates are trained, in sentences.
    """

    what: str
    read: Callable[[Problem | None, Given, Sequence[str]], tuple[Filling, ...]]
    restored: Callable[[Sequence[str], Mapping[str, Any]], tuple[Filling, ...]]
    example: Callable[[Entry], Filling] | None = None
    default: str = ""
    template: str = ""
    own: str = "path/to/file.py:Class"
    with_recipe: Callable[[Any, Recipe], Filling] | None = None
    remarks: Callable[[Problem, Sequence[Filling], Recipe], list[str]] | None = None


def slot_of(problems: Sequence[Problem]) -> Slot:
    """Returns the slot that problems have in common.

    Raises:
        InputError: they have different ones.
    """
    names = {problem.slot: problem.name for problem in problems}
    if len(names) > 1:
        found = " and ".join(f"{name} by {SLOTS[slot].what}" for slot, name in names.items())
        raise InputError(f"{found} cannot be compared in one go: give them commands of their own")
    return SLOTS[problems[0].slot]


def slot_named(references: Iterable[object]) -> Slot | None:
    """Returns the slot of the problems that ship and of the tables among these, whatever is wrong with their brackets.

    Args:
        references: as the command line names problems; others tell nothing.

    Returns:
        ``None`` if none of them ships, or they have different slots.
    """
    found = set()
    for reference in references:
        with contextlib.suppress(InputError):
            place = parse_reference(reference).place if isinstance(reference, str) else ""
            shipped = PROBLEMS.get(place)
            found |= set() if shipped is None else {shipped.slot}
            found |= {"optimizer"} if is_table(place) else set()
    return SLOTS[found.pop()] if len(found) == 1 else None


def candidates_for(problems: Sequence[Problem], given: Given | None, tune: Sequence[str] = ()) -> tuple[Filling, ...]:
    """Returns candidates that fit problems.

    Args:
        problems: at least one, of one slot.
        given: who is to be compared; the slot's usual ones by default.
        tune: ranges as they are typed.

    Raises:
        InputError: problems have different slots, or candidates cannot be.
    """
    return _candidates(slot_of(problems), problems[0], given, tune)


def check_candidates(references: Iterable[object], given: Given | None, tune: Sequence[str] = ()) -> None:
    """Looks at candidates where no problem could be made, if it is known all the same what would fit.

    Args:
        references: as the command line names the problems.
        given: as for :func:`candidates_for`.
        tune: as for :func:`candidates_for`.

    Raises:
        InputError: candidates cannot be.
    """
    slot = slot_named(references)
    if slot is not None:
        _candidates(slot, None, given, tune)


def _candidates(slot: Slot, problem: Problem | None, given: Given | None, tune: Sequence[str]) -> tuple[Filling, ...]:
    check_texts("tune", tune)
    return slot.read(problem, slot.default if given is None else given, tune)


def with_recipe(problem: Problem, candidates: Sequence[Filling], recipe: Recipe) -> tuple[Filling, ...]:
    """Returns candidates with a recipe around each.

    Args:
        problem: on which they are compared.
        candidates: that fit it.
        recipe: the recipe.

    Raises:
        InputError: there is nothing to train, or a part of the recipe cannot go around a candidate.
    """
    if recipe.plain:
        return tuple(candidates)
    slot = SLOTS[problem.slot]
    if slot.with_recipe is None:
        given = next(iter(recipe.to_dict().items()))
        raise InputError(f"{given[0]}={given[1]!r} is for training runs: {problem.name} compares {slot.what}")
    faults, found = Faults(), list[Filling]()
    for candidate in candidates:
        with faults:
            found.append(slot.with_recipe(candidate, recipe))
    faults.raise_any()
    return tuple(found)


def remarks(problem: Problem, candidates: Sequence[Filling], recipe: Recipe) -> list[str]:
    """Returns what a reader should know of how candidates are trained on a problem, in sentences."""
    say = SLOTS[problem.slot].remarks
    return [] if say is None else say(problem, candidates, recipe)


def restored(slot: str, labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    """Returns candidates as they were when a study was written down."""
    return SLOTS[slot].restored(labels, definitions)


def example(entry: Entry) -> Filling:
    """Returns a candidate of an entry, to be shown.

    Raises:
        InputError: it is from a package that is not installed.
    """
    make = SLOTS[entry.slot].example if entry.slot is not None else None
    if make is None:
        raise InputError(f"{entry.key} fills no slot; trimtab verify {entry.key} runs its claim")
    return make(entry)


def with_settings(entry: Entry, text: str) -> Filling:
    """Returns a candidate of an entry, to be shown, as it is written with settings in brackets.

    Raises:
        InputError: it fills no slot, or has no such settings.
    """
    if entry.slot is None:
        return example(entry)  # which says so
    (made,) = SLOTS[entry.slot].read(None, text, ())
    return made


def in_one_string(given: Given) -> str:
    """Returns names in one string with commas."""
    if isinstance(given, str):
        return given
    check_texts("candidates", given)
    return ",".join(given)


def _samplers(_problem: Problem | None, given: Given, _tune: Sequence[str]) -> tuple[Filling, ...]:
    from trimtab.catalog.samplers import read_samplers

    return read_samplers(in_one_string(given))  # ranges are refused where nothing is tuned, whoever takes part


def _sampler(entry: Entry) -> Filling:
    from trimtab.catalog.samplers import Sampler

    return Sampler(entry)


def _transforms(_problem: Problem | None, given: Given, tune: Sequence[str]) -> tuple[Filling, ...]:
    from trimtab.catalog.transforms import read_transforms

    return read_transforms(in_one_string(given), tune)


def _transform(entry: Entry) -> Filling:
    from trimtab.catalog.transforms import TransformCall

    return TransformCall(entry)


def _transforms_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    from trimtab.catalog.transforms import transforms_again

    return transforms_again(labels, definitions)


def _optimizer(entry: Entry) -> Filling:
    from trimtab.catalog.candidates import Candidate
    from trimtab.catalog.expressions import example

    return Candidate(example(entry))


def _samplers_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    from trimtab.catalog.samplers import samplers_again

    return samplers_again(labels, definitions)


def _optimizers(_problem: Problem | None, given: Given, tune: Sequence[str]) -> tuple[Filling, ...]:
    from trimtab.catalog.candidates import parse_candidates

    return tuple(parse_candidates(in_one_string(given), tune))


def _optimizers_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    from trimtab.catalog.candidates import candidates_again

    return candidates_again(labels, definitions)


def _optimizer_with_recipe(candidate: Any, recipe: Recipe) -> Filling:
    from trimtab.catalog.candidates import with_recipe

    return with_recipe(candidate, recipe)


def _remarks_on_training(problem: Any, candidates: Sequence[Filling], recipe: Recipe) -> list[str]:
    import torch

    from trimtab.catalog.candidates import remarks

    def model() -> Any:
        with torch.random.fork_rng(devices=[]):
            return problem.model(torch.Generator().manual_seed(0))

    return remarks(candidates, recipe, model)


def _commands(problem: Problem | None, given: Given, tune: Sequence[str]) -> tuple[Filling, ...]:
    from trimtab.catalog.command_candidates import candidates_of, named_commands
    from trimtab.lab.commands.problem import CommandProblem

    if isinstance(given, Mapping):
        check_texts("candidates", [*given, *given.values()])
        own = dict(given)
    else:
        own = named_commands(in_one_string(given), [])
    return candidates_of(cast(CommandProblem, problem), own, tune)


def _commands_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    from trimtab.catalog.commands import CommandCandidate

    return tuple(CommandCandidate.from_definition(label, definitions[label]) for label in labels)


SLOTS: Mapping[str, Slot] = {
    "optimizer": Slot(
        "optimizers",
        _optimizers,
        _optimizers_again,
        _optimizer,
        default=DEFAULT_OPTIMIZERS,
        template="MyTask",
        with_recipe=_optimizer_with_recipe,
        remarks=_remarks_on_training,
    ),
    "sampler": Slot("samplers", _samplers, _samplers_again, _sampler, default="random,tpe,gp", template="MyProblem"),
    "transform": Slot(
        "transforms",
        _transforms,
        _transforms_again,
        _transform,
        default="uniform,magnitude,lamp",
        template="MyProblem",
        own="path/to/file.py:function or path/to/file.py:Class",
    ),
    "command": Slot("commands", _commands, _commands_again, own="any name"),
}


@dataclass(frozen=True)
class Listed:
    """What fills one slot, for a list.

    Args:
        what: they are.
        entries: of the catalogue.
        problems: names of those that ship, on which they can be compared.
    """

    what: str
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def listed(family: str | None = None, slot: str | None = None) -> list[Listed]:
    """Returns what there is, slot by slot, what fills none last.

    Args:
        family: only of this one.
        slot: only what fills this one.
    """
    found = [each for each in entries().values() if family in (None, each.family) and slot in (None, each.slot)]
    names = [name for name in (*SLOTS, None) if any(each.slot == name for each in found)]
    return [
        Listed(
            "compared by their claims" if name is None else SLOTS[name].what,
            tuple(each for each in found if each.slot == name),
            () if name is None else tuple(of_slot(name)),
        )
        for name in names
    ]


def problems_that_ship(slot: str | None = None) -> dict[str, dict[str, str]]:
    """Returns name to slot, candidates and summary of the problems that ship, or of those that leave a slot open."""
    found = PROBLEMS if slot is None else of_slot(slot)
    return {
        name: {"slot": each.slot, "candidates": SLOTS[each.slot].what, "summary": each.summary}
        for name, each in found.items()
    }


def search_problems(query: str) -> dict[str, dict[str, str]]:
    """Finds problems that ship by their names, their candidates and what they are, the best match first."""
    found = problems_that_ship()

    def texts(name: str) -> Weighted:
        return [(8, name), (1, f"{found[name]['candidates']} {found[name]['summary']}")]

    return {name: found[name] for name in best_first(query, found, texts)}
