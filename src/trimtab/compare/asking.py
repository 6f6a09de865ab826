"""From what somebody asks for to what is compared; all that is wrong with it is said at once, before anything runs."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trimtab.catalog.fillings import Given
from trimtab.catalog.slots import candidates_for, candidates_on_each, check_candidates
from trimtab.compare.options import Options, chosen_reference
from trimtab.compare.posing import Posed, posed_problems
from trimtab.lab.problem import Filling, Problem
from trimtab.lab.tables.references import with_target
from trimtab.study.errors import Faults, InputError
from trimtab.study.statistics.sequential import FEWEST

_OF_CANDIDATES: tuple[tuple[str, Any], ...] = (("tune", ()), ("reference", None))


@dataclass(frozen=True)
class Asked:
    """What is compared, with nothing wrong that can be seen without running anything.

    Args:
        problems: as they are posed, at least one.
        candidates: of each problem, who takes part, without the recipe.
        reference: label of the candidate that verdicts compare with.
        options: of the comparison.
    """

    problems: Sequence[Posed]
    candidates: Sequence[tuple[Filling, ...]]
    reference: str
    options: Options


def asked(
    problems: str | Problem | Sequence[str | Problem],
    candidates: Given | None,
    target: str | None,
    options: Options | None,
    more: Mapping[str, Any],
) -> Asked:
    """Returns what is compared when somebody asks for this.

    Args:
        problems: one, or several.
        candidates: what fits them; the usual ones by default.
        target: of every table among the problems that does not say it, the column that is to be learned.
        options: of the comparison.
        more: options by name, which go before the others.

    Raises:
        InputError: something cannot work; the message names all that is wrong.
        TypeError: there is no such option.
    """
    faults = Faults()
    chosen = Options()  # until those that were given are looked at
    with faults:
        chosen = _options(options, more)
    given = [problems] if isinstance(problems, str | Problem) else problems
    if isinstance(given, Sequence):
        with faults:
            given = with_target(given, target)
    posed: list[Posed] = []
    with faults:
        posed = posed_problems(given, faults, chosen.schedules)
    # looked at whatever is wrong with other options
    tune, wanted = (more.get(name, getattr(options, name, default)) for name, default in _OF_CANDIDATES)
    found, reference = list[tuple[Filling, ...]](), ""
    with faults:
        if posed:
            found = candidates_on_each([each.problem for each in posed], candidates, tune)
            labels = [each.label for each in found[0]]
            reference = chosen_reference(labels, _as_labelled([each.problem for each in posed], labels, wanted))
        elif isinstance(given, Sequence):
            check_candidates(given, candidates, tune)
    with faults:
        _refuse_tuning([each.problem for each in posed], chosen)
    with faults:
        _refuse_short_races(posed, chosen)
    faults.raise_any()
    return Asked(posed, found, reference, chosen)


def _as_labelled(problems: Sequence[Problem], labels: Sequence[str], wanted: str | None) -> str | None:
    """Returns a reference as results name it, if it is written as a candidate may be: ``adamw(lr=1e-3)``."""
    if isinstance(wanted, str) and wanted not in labels:
        with contextlib.suppress(InputError):
            meant = [each.label for each in candidates_for(problems, wanted)]
            return meant[0] if len(meant) == 1 and meant[0] in labels else wanted
    return wanted


def _options(options: Options | None, more: Mapping[str, Any]) -> Options:
    if options is not None and not isinstance(options, Options):
        raise InputError(f"options={options!r}: Options are needed")
    unknown = [name for name in more if name not in Options.__dataclass_fields__]
    if unknown:
        raise TypeError(f"Comparison has no option {', '.join(map(repr, unknown))}")
    return Options(**more) if options is None else replace(options, **more)


def _refuse_tuning(problems: Sequence[Problem], options: Options) -> None:
    """Refuses what is for tuning where nothing is tuned."""
    for problem in problems:
        for name in ("trials", "tuning_seeds", "pruner", "tune"):
            if not problem.tuned and getattr(options, name):
                raise InputError(
                    f"{name}={getattr(options, name)!r}: nothing is tuned on {problem.name}; settings in brackets make "
                    "another candidate, and --seeds says how often each runs"
                )


def _refuse_short_races(posed: Sequence[Posed], options: Options) -> None:
    """Refuses races over so few seeds that nobody could leave them."""
    for each in posed:
        if options.race and options.seeds is None and options.budget is None and each.problem.seeds < FEWEST:
            raise InputError(f"race=True: {each.name} has {each.problem.seeds} seeds; --seeds {FEWEST} or more")
