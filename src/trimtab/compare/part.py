"""One problem of a comparison: what is planned for it, and what its store has to say of it."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trimtab.catalog.fillings import typed_settings
from trimtab.catalog.recipes import with_its_warmup
from trimtab.catalog.slots import remarks, with_recipe
from trimtab.compare.budget import Budget, Numbers, starting_numbers, written
from trimtab.compare.changes import definition_changes, remedies
from trimtab.compare.options import Options
from trimtab.compare.plan import Plan
from trimtab.compare.posing import Posed
from trimtab.compare.race import Terms
from trimtab.compare.tuning import may_go_on
from trimtab.compare.within import within
from trimtab.compare.within import written as brought
from trimtab.lab.devices import as_the_only_one, described
from trimtab.lab.problem import Filling, Problem
from trimtab.study.environment import environment
from trimtab.study.errors import StudyMismatchError
from trimtab.study.facts import Facts
from trimtab.study.location import Location, shown
from trimtab.study.point import Point
from trimtab.study.tunable import LogOneMinus, Tunable, Tunables, Uniform


class Part:
    """A problem with its plan.

    Args:
        posed: what is posed.
        candidates: what is compared, without the recipe.
        kept: label of the candidate that verdicts compare with.
        options: of the comparison.
        budget: the time that all of it may take. With one, the plan's trials and seeds are the fewest, until they are
            chosen.
        location: where outcomes are kept.
    """

    def __init__(
        self,
        posed: Posed,
        candidates: tuple[Filling, ...],
        *,
        kept: str,
        options: Options,
        budget: Budget | None,
        location: Location,
    ) -> None:
        problem = posed.problem
        self._steps = posed.steps(options.steps)
        recipe = options.recipe(posed.schedule, self._steps, problem.recipe)
        trained = with_recipe(problem, candidates, recipe)
        trials = options.trials if problem.tuned else 0
        counts = starting_numbers(budget, trials, problem.seeds if options.seeds is None else options.seeds)
        self.problem, self.reference, self.budget, self.location = problem, posed.reference, budget, location
        self.chosen = budget is None
        self.plan = Plan(
            problem=posed.name,
            fingerprint=posed.fingerprint,
            candidates=tuple(within(problem.name, problem.tunables, candidate) for candidate in trained),
            trials=counts.trials,
            seeds=counts.seeds,
            budget=problem.budget(options.steps),
            pruning=options.pruner,
            race=Terms(kept, options.against_reference) if options.race else None,
            tuning_seeds=_tuning_seeds(problem, options),
            goes_on=_going_on(problem, candidates, options),
            definition={**problem.definition(), **brought(problem.tunables), "device": as_the_only_one(options.device)},
        )
        self._kept, self._options = kept, options
        self._given, self._recipe, self._schedule = candidates, recipe, posed.schedule

    @functools.cached_property
    def facts(self) -> Facts:
        """What a reader has to know of the problem."""
        found = self.problem.facts(self.reference, self.plan.candidates, self.plan.budget)
        sentences = remarks(self.problem, self._given, self._recipe, self._steps)
        if not self._recipe.plain:
            found = replace(found, recipe=self._recipe.words)
            sentences = [f"All candidates are trained alike: {self._recipe.words}.", *sentences]
        schedule = "" if self._schedule is None else with_its_warmup(self._schedule)[0]
        name = self.plan.problem if self.plan.problem != self.problem.name.replace("/", "-") else found.name
        paragraphs = [("Recipe", " ".join(sentences))] if sentences else []
        return replace(found, name=name, schedule=schedule, paragraphs=(*found.paragraphs, *paragraphs))

    def identity(self) -> dict[str, Any]:
        """Returns those of its notes that say which problem it is."""
        return {"slot": self.problem.slot, "facts": self.facts.to_dict()}

    def adopt(self, notes: Mapping[str, Any]) -> None:
        """Takes over how a store's notes say that is tuned, and the numbers of trials and seeds that were chosen.

        Raises:
            StudyMismatchError: they are not those that were asked for, or were chosen for another budget.
        """
        if notes:
            self._adopt_tuning(notes)
        trials = notes.get("trials")
        if trials is None:
            return
        wanted: int | None = self.plan.trials
        time, time_there = None, notes.get("time")
        if self.budget is not None:
            wanted, time = self.budget.trials, written(self.budget.seconds)
        if wanted not in (None, trials) or (time is not None and time != time_there):
            # where nothing is tuned, seeds are what was chosen
            kind, count = ("trials", trials) if trials else ("seeds", notes["seeds"])
            there = f"{kind}: {count} there" + (f", planned for --budget {time_there}" if time_there else "")
            here = f"{wanted or 'as many as fit'} here" + (f", for --budget {time}" if time else "")
            thing = "output directory" if self._options.store is None else "database"
            more = "" if self.plan.race is not None else ", or with more seeds"
            go_on = f"{f'--trials {trials} ' if trials else ''}--seeds {notes['seeds']}"
            raise StudyMismatchError(
                f"{shown(self.location)} holds the results of another study ({there}, {here}). Go on with {go_on}"
                f"{more}; or choose another {thing}, or remove this one to start again."
            )
        seeds = self.plan.seeds if self.budget is None else self.budget.seeds
        if self.plan.race is not None and seeds not in (None, notes["seeds"]):
            raise StudyMismatchError(
                f"{shown(self.location)} holds a race over {notes['seeds']} seeds at most, and how sure each of its "
                f"looks must be follows from that number: go on with --seeds {notes['seeds']}, or start another race"
            )
        if self.budget is not None and not self.chosen:
            self.choose(Numbers(trials, notes["seeds"] if self.budget.seeds is None else self.budget.seeds, 0.0))

    def _adopt_tuning(self, notes: Mapping[str, Any]) -> None:
        """Goes on as a study was begun, whatever today's defaults are."""
        there, wanted = tuning_of(notes), self._options.tuning_seeds
        if wanted not in (None, there["tuning_seeds"]) and self.plan.trials:
            thing = "output directory" if self._options.store is None else "database"
            raise StudyMismatchError(
                f"{shown(self.location)} holds the results of another study (tuning seeds: {there['tuning_seeds']} "
                f"there, {wanted} here). Go on with --tuning-seeds {there['tuning_seeds']}; or choose another {thing}, "
                "or remove this one to start again."
            )
        goes_on = {} if there["goes_on"] is None else {**self.plan.goes_on, **there["goes_on"]}
        self.plan = replace(self.plan, tuning_seeds=there["tuning_seeds"], goes_on=goes_on)

    def adopt_ranges(self, ranges: Mapping[str, Tunables]) -> None:
        """Goes on tuning within the ranges that a store has, which may have been others than today's.

        Args:
            ranges: of the store's groups of trials.
        """
        self.plan = replace(self.plan, ranges=tuned_ranges(self.plan.problem, self.plan.candidates, ranges))

    def choose(self, numbers: Numbers) -> None:
        """Plans with these numbers of trials and seeds, unless others are chosen already."""
        if not self.chosen:
            self.plan = replace(self.plan, trials=numbers.trials, seeds=numbers.seeds)
            self.chosen = True

    def annotation(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a reader of the store needs beside the manifest.

        Raises:
            StudyMismatchError: what is known there is of other candidates.
        """
        time = None if self.budget is None else written(self.budget.seconds)
        going_on = self.plan.goes_on.items()
        return {
            **self.identity(),
            "candidates": list(self.plan.labels()),
            "definitions": self._definitions(known.get("definitions", {})),
            "trials": self.plan.trials if self.chosen else None,
            "seeds": self.plan.seeds if self.chosen else None,
            "tuning_seeds": self.plan.tuning_seeds,
            "goes_on": {**(known.get("goes_on") or {}), **{label: list(names) for label, names in going_on}} or None,
            "time": known["time"] if known.get("trials") is not None else time,
            "jobs": self._options.at_once,
            "reference": self._kept,
            "against_reference": self._options.against_reference,
            "environment": {**environment(), "device": described(self._options.device)},
        }

    def _definitions(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Those of all candidates that ever took part, so that none can come back as another one."""
        ours = {c.label: json.loads(json.dumps(c.definition())) for c in self.plan.candidates}
        for candidate in self.plan.candidates:
            definition, there = ours[candidate.label], known.get(candidate.label)
            if "command" in definition and there is not None:
                definition["ranges"] = {**definition["ranges"], **self._from_catalogue(candidate, there)}
                within, before = definition.pop("files_within"), there.get("files_within")
                if before is not None:  # as in studies from before it was noted
                    # what was not there when it was begun may have been written by a trial since
                    definition["files_within"] = {path: hash for path, hash in within.items() if path in before}
        changed: dict[str, list[str]] = {}
        for label, definition in ours.items():
            if changes := definition_changes(known.get(label, definition), definition, self._steps):
                changed.setdefault("; ".join(changes), []).append(label)
        if changed:
            words = ". ".join(f"{', '.join(labels)}: {changes}" for changes, labels in changed.items())
            raise StudyMismatchError(
                f"{shown(self.location)} holds trials of the same names from before a change, and new ones could not "
                f"be compared with them. {words}. {remedies(self.location)}."
            )
        return {**known, **ours}

    def _from_catalogue(self, candidate: Filling, there: Mapping[str, Any]) -> dict[str, Any]:
        """The ranges of a command that are nobody's wish but the catalogue's, as they were when a study was begun."""
        typed, before = typed_settings(candidate, self._options.tune), there.get("ranges", {})
        return {name: before[name] for name in candidate.tunables if name in before and name not in typed}


def tuning_of(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how a store's notes say that is tuned: in studies from before it was noted, with one seed.

    Returns:
        ``tuning_seeds``, and ``goes_on``: label to the settings whose ranges may go on, ``None`` if none may.
    """
    return {"tuning_seeds": notes.get("tuning_seeds", 1), "goes_on": notes.get("goes_on")}


def tuned_ranges(problem: str, candidates: Iterable[Filling], ranges: Mapping[str, Tunables]) -> dict[str, Tunables]:
    """Returns label to the ranges in which candidates are tuned, as far as a store has trials of them.

    Args:
        problem: name of the problem.
        candidates: who takes part.
        ranges: of the store's groups of trials.
    """
    found: dict[str, Tunables] = {}
    for each in candidates:
        there = ranges.get(Point(problem, "tune", each.label, 0, {}, 0).group)
        if there is not None:
            found[each.label] = {name: _as_here(range_, each.tunables.get(name)) for name, range_ in there.items()}
    return found


def _as_here(there: Tunable, here: Tunable | None) -> Tunable:
    """Returns a range of a store, which knows of no scale in what lacks to one."""
    if isinstance(there, Uniform) and type(there) is Uniform and isinstance(here, LogOneMinus):
        return here if (there.low, there.high) == (here.low, here.high) else there
    return there


def _tuning_seeds(problem: Problem, options: Options) -> int:
    if not problem.tuned:
        return 1
    return problem.tuning_seeds if options.tuning_seeds is None else options.tuning_seeds


def _going_on(problem: Problem, candidates: Sequence[Filling], options: Options) -> dict[str, Sequence[str]]:
    """Label to the settings whose ranges may go on; a range that somebody has typed is a wish."""
    if not problem.tuned:
        return {}
    found: dict[str, Sequence[str]] = {}
    for each in candidates:
        typed = typed_settings(each, options.tune)
        found[each.label] = may_go_on({**each.tunables, **problem.tunables}, typed)
    return found
