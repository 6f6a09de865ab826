"""Which candidates fit a problem: the one place that asks which slot it has."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from trimtab.catalog import fillings
from trimtab.catalog.entries import Entry
from trimtab.catalog.fillings import Given
from trimtab.catalog.recipes import Recipe
from trimtab.lab.problem import Filling, Problem
from trimtab.lab.references import STUDY, parse_reference
from trimtab.lab.shipped import PROBLEMS
from trimtab.lab.tables.references import is_table
from trimtab.study.checks import check_texts
from trimtab.study.errors import Faults, InputError

DEFAULT_OPTIMIZERS = "sgd,adamw,nadam,radam,lion,adabelief"
"""What is compared on a task where nothing else is said: what people use, and what they are told to use instead."""

DEFAULT_SAMPLERS = "random,tpe,gp,qmc" + (",botorch,bo" if find_spec("botorch") else "")
"""What is compared on a black box where nothing else is said; where BoTorch is installed, with it."""


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
        by_problem: whether a candidate is another one on each problem, as a name is with each problem's command.
    """

    what: str
    read: Callable[[Problem | None, Given, Sequence[str]], tuple[Filling, ...]]
    restored: Callable[[Sequence[str], Mapping[str, Any]], tuple[Filling, ...]]
    example: Callable[[Entry], Filling] | None = None
    default: str = ""
    template: str = ""
    own: str = "path/to/file.py:Class"
    with_recipe: Callable[[Any, Recipe], Filling] | None = None
    remarks: Callable[[Problem, Sequence[Filling], Recipe, int | None], list[str]] | None = None
    by_problem: bool = False


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
    """Returns the slot of the problems that ship, tables and studies among these, whatever is in their brackets.

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
            found |= {"sampler"} if place.startswith(STUDY) else set()
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


def candidates_on_each(
    problems: Sequence[Problem], given: Given | None, tune: Sequence[str] = ()
) -> list[tuple[Filling, ...]]:
    """Returns candidates as :func:`candidates_for`, for each of the problems all of them.

    Raises:
        InputError: problems have different slots, or candidates cannot be.
    """
    if not slot_of(problems).by_problem:
        return [candidates_for(problems, given, tune)] * len(problems)
    faults, found = Faults(), list[tuple[Filling, ...]]()
    for problem in problems:
        with faults:
            found.append(candidates_for([problem], given, tune))
    faults.raise_any()
    return found


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


def remarks(problem: Problem, candidates: Sequence[Filling], recipe: Recipe, steps: int | None) -> list[str]:
    """Returns what a reader should know of how candidates are trained on a problem in so many steps, in sentences."""
    say = SLOTS[problem.slot].remarks
    return [] if say is None else say(problem, candidates, recipe, steps)


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


SLOTS: Mapping[str, Slot] = {
    "optimizer": Slot(
        "optimizers",
        fillings.optimizers,
        fillings.optimizers_again,
        fillings.optimizer_example,
        default=DEFAULT_OPTIMIZERS,
        template="MyTask",
        with_recipe=fillings.optimizer_with_recipe,
        remarks=fillings.optimizer_remarks,
    ),
    "sampler": Slot(
        "samplers",
        fillings.samplers,
        fillings.samplers_again,
        fillings.sampler_example,
        default=DEFAULT_SAMPLERS,
        template="MyProblem",
    ),
    "transform": Slot(
        "transforms",
        fillings.transforms,
        fillings.transforms_again,
        fillings.transform_example,
        default="uniform,magnitude,lamp",
        template="MyProblem",
        own="path/to/file.py:function or path/to/file.py:Class",
    ),
    "command": Slot("commands", fillings.commands, fillings.commands_again, own="any name", by_problem=True),
}
