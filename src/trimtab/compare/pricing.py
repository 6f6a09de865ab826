"""What runs take, found out where and as they will run."""

import math
import statistics
from collections.abc import Container, Sequence

from trimtab.compare.budget import Budget, Numbers
from trimtab.compare.deadline import Deadline, Smallest
from trimtab.compare.measuring import run_measurements
from trimtab.compare.part import Part
from trimtab.compare.prices import Price
from trimtab.compare.tuning import TUNING_SEED
from trimtab.lab.measures import PREPARATION_SECONDS
from trimtab.lab.problem import Filling
from trimtab.study.errors import InputError
from trimtab.study.executor import Executor
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.point import Phase, Point
from trimtab.study.running import Observer, Outcomes, run_study
from trimtab.study.store import Store


def first_point(part: Part, candidate: Filling, phase: Phase) -> Point:
    """Returns a point that tries the first settings of a candidate's tuning for something else."""
    settings = part.plan.first_points(candidate)[0].settings
    return Point(part.plan.problem, phase, candidate.label, 0, settings, TUNING_SEED)


def measured_prices(part: Part, executor: Executor, known: Container[str] = ()) -> list[Price]:
    """Measures a few steps and evaluations of each candidate; ``known`` are the keys of trials with an outcome."""
    seeds = part.plan.tuning_seeds
    points = {each.label: first_point(part, each, "measure") for each in part.plan.candidates}
    measured = run_measurements(executor, list(points.values()))
    prices = []
    for candidate in part.plan.candidates:
        found = measured[points[candidate.label].key].measures
        done = sum(point.key in known for point in part.plan.tuning_points(candidate))
        final = found["run"] + part.problem.test_share * found["evaluation"]
        prices.append(
            Price(candidate.label, bool(candidate.tunables), found["run"], final, found["first"], done, seeds)
        )
    return prices


def piloted_prices(
    part: Part, budget: Budget, store: Store, executor: Executor, *, places: int, observer: Observer | None
) -> list[Price]:
    """Runs the first settings of each candidate; they are trials like any others, and kept.

    Args:
        part: whose runs cannot be stopped after a few steps.
        budget: the time for all of it.
        store: keeps the outcomes.
        executor: runs them.
        places: how many it runs at once.
        observer: is told what happens.

    Raises:
        InputError: none of them ended well, or they take so long that the budget cannot do.
    """
    plan = part.plan
    rounds = min(2, math.ceil(places / len(plan.candidates)), plan.trials or plan.seeds)  # so that all workers are busy
    pilots = [
        point
        for index in range(rounds)
        for candidate in plan.candidates
        for point in plan.first_points(candidate)[index : index + 1]
    ]
    deadline = Deadline(executor, budget, _smallest(part, store.outcomes(), executor, places))
    answers = plan.race is not None or plan.pruning is not None  # then trials wait for one to each report
    run_study(lambda _: pilots, store, deadline, hopeless=(lambda *_: False) if answers else None, observer=observer)
    outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
    errors = [outcomes[point.key].error for point in pilots]
    if None not in errors:
        raise InputError(f"none of the first runs ended well, so that nothing can be planned:\n{errors[0]}")
    return known_prices(part, outcomes)


def _smallest(part: Part, known: Container[str], executor: Executor, places: int) -> Smallest:
    to_come, labels = {}, {}
    for candidate in part.plan.candidates:
        first = part.plan.first_points(candidate)
        tuning = part.plan.tuning(candidate)
        more = part.plan.seeds + tuning.usual - len(first) if part.plan.trials else 0
        to_come[candidate.label] = more + sum(point.key not in known for point in first)
        labels.update({point.key: candidate.label for point in first})
    numbers = Numbers(part.plan.trials, part.plan.seeds, 0.0)
    return Smallest(numbers, part.plan.tuning_seeds, to_come, labels, places, isinstance(executor, LocalExecutor))


def known_prices(part: Part, outcomes: Outcomes) -> list[Price]:
    """What the tuning trials took that have an outcome; a run that failed early says less than one that did not.

    What a problem prepares for a seed is made once for all candidates: each final run has its share of that.
    """
    prices = []
    for candidate in part.plan.candidates:
        points = part.plan.first_points(candidate)
        found = [outcomes[point.key] for point in points if point.key in outcomes]
        whole = [outcome.seconds for outcome in found if outcome.status == "complete"]
        seconds = statistics.mean(whole or [outcome.seconds for outcome in found])
        prepared = [outcome.measures.get(PREPARATION_SECONDS, 0.0) for outcome in found]
        final = seconds + statistics.mean(prepared) / len(part.plan.candidates)
        done = len(found) if part.plan.trials else 0
        tuned, seeds = bool(candidate.tunables), part.plan.tuning_seeds
        prices.append(Price(candidate.label, tuned, seconds, final, done=done, tuning_seeds=seeds))
    return prices


def each_has_run(parts: Sequence[Part], outcomes: Outcomes) -> bool:
    """Tells whether each candidate has run once everywhere, so that prices are known."""
    plans = [part.plan for part in parts]
    return all(plan.first_points(each)[0].key in outcomes for plan in plans for each in plan.candidates)
