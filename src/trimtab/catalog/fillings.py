"""How candidates of each slot are read, written down and shown; what one slot needs is imported for it alone."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from trimtab.catalog.entries import Entry
from trimtab.catalog.ranges import parse_tunes
from trimtab.catalog.recipes import Recipe
from trimtab.lab.problem import Filling, Problem
from trimtab.study.checks import check_texts

Given: TypeAlias = str | Sequence[str] | Mapping[str, str]
"""Candidates as they are given: names, in one string or in several; a mapping gives names what is theirs."""


def in_one_string(given: Given) -> str:
    """Returns names in one string with commas."""
    if isinstance(given, str):
        return given
    check_texts("candidates", given)
    return ",".join(given)


def samplers(_problem: Problem | None, given: Given, _tune: Sequence[str]) -> tuple[Filling, ...]:
    """Returns samplers that were named; ranges are refused where nothing is tuned, whoever takes part."""
    from trimtab.catalog.samplers import read_samplers

    return read_samplers(in_one_string(given))


def sampler_example(entry: Entry) -> Filling:
    """Returns a sampler, to be shown."""
    from trimtab.catalog.samplers import Sampler

    return Sampler(entry)


def samplers_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    """Returns samplers as they were written down."""
    from trimtab.catalog.samplers import samplers_again as again

    return again(labels, definitions)


def transforms(_problem: Problem | None, given: Given, tune: Sequence[str]) -> tuple[Filling, ...]:
    """Returns transforms that were named."""
    from trimtab.catalog.transforms import read_transforms

    return read_transforms(in_one_string(given), tune)


def transform_example(entry: Entry) -> Filling:
    """Returns a transform, to be shown."""
    from trimtab.catalog.transforms import TransformCall

    return TransformCall(entry)


def transforms_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    """Returns transforms as they were written down."""
    from trimtab.catalog.transforms import transforms_again as again

    return again(labels, definitions)


def optimizers(_problem: Problem | None, given: Given, tune: Sequence[str]) -> tuple[Filling, ...]:
    """Returns optimizers that were named."""
    from trimtab.catalog.candidates import parse_candidates

    return tuple(parse_candidates(in_one_string(given), tune))


def optimizer_example(entry: Entry) -> Filling:
    """Returns an optimizer, to be shown."""
    from trimtab.catalog.candidates import Candidate
    from trimtab.catalog.expressions import example

    return Candidate(example(entry))


def optimizers_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    """Returns optimizers as they were written down."""
    from trimtab.catalog.candidates import candidates_again

    return candidates_again(labels, definitions)


def optimizer_with_recipe(candidate: Any, recipe: Recipe) -> Filling:
    """Returns an optimizer with a recipe around it."""
    from trimtab.catalog.candidates import with_recipe

    return with_recipe(candidate, recipe)


def optimizer_remarks(problem: Any, candidates: Sequence[Filling], recipe: Recipe, steps: int | None) -> list[str]:
    """Returns what a reader should know of how optimizers train a task's model."""
    import torch

    from trimtab.catalog.candidates import remarks

    def model() -> Any:
        with torch.random.fork_rng(devices=[]):
            return problem.model(torch.Generator().manual_seed(0))

    return remarks(candidates, recipe, model, steps)


def commands(problem: Problem | None, given: Given, tune: Sequence[str]) -> tuple[Filling, ...]:
    """Returns what was named for the places of a command."""
    from trimtab.catalog.command_candidates import candidates_of, named_commands
    from trimtab.lab.commands.problem import CommandProblem

    if isinstance(given, Mapping):
        check_texts("candidates", [*given, *given.values()])
        own = dict(given)
    else:
        own = named_commands(in_one_string(given), [])
    return candidates_of(cast(CommandProblem, problem), own, tune)


def commands_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[Filling, ...]:
    """Returns them as they were written down."""
    from trimtab.catalog.commands import CommandCandidate

    return tuple(CommandCandidate.from_definition(label, definitions[label]) for label in labels)


def typed_settings(candidate: Any, tune: Sequence[str]) -> set[str]:
    """Returns the settings of a candidate whose ranges somebody has typed, as the candidate calls them.

    A range without a candidate's name is for places of commands and for classes of one's own, and for nobody else.

    Args:
        candidate: as it was read, with ``tune``.
        tune: ranges as they are typed.
    """
    definition, tunes = candidate.definition(), parse_tunes(tune)

    def given(owner: str) -> list[str]:
        return [each.setting for each in tunes if each.candidate in (None, owner)]

    if "command" in definition:
        return set(given(candidate.label))
    if "files" in definition and "own" not in definition:  # a class of one's own that nothing goes around
        return set().union(*(given(reference) for reference in definition["files"]))
    return set(definition.get("tuned", {}))
