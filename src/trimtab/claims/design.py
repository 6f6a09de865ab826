"""The design of a claim: which trials there are, as a function of the outcomes so far.

Every arm is tuned on its own grid, each trial for the same budget by the meter; the settings with the lowest mean
validation loss are then run on fresh seeds, and only those runs look at the test data, once, at their end.
"""

import itertools
import math

from trimtab.claims.claim import AnyArm, Claim
from trimtab.study.point import Point
from trimtab.study.running import Outcomes
from trimtab.study.tunable import Choice, LogUniform, Tunables, Value

EXTENSIONS = 4
"""How often a grid may be extended by one learning rate beyond its end."""

_ANY_POSITIVE = LogUniform(1e-40, 1e40)
"""The range that the store knows of, which must not change when a grid is extended."""

Setting = dict[str, Value]


class Unfinished(Exception):  # noqa: N818  # it is not an error of the caller's, but a claim's state
    """A claim cannot be judged; the message says why."""


def points(claim: Claim, outcomes: Outcomes) -> list[Point]:
    """Returns every point that is known: all tuning trials, and the final runs of arms that are tuned."""
    tuning = [point for arm in claim.arms for point in tuning_points(claim, arm, outcomes)]
    return tuning + [point for arm in claim.arms for point in final_points(claim, arm, outcomes)]


def arm_name(point: Point) -> str:
    """Returns the name of the arm that a point belongs to."""
    return point.candidate


def tuning_points(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> list[Point]:
    """Returns an arm's tuning trials; none where nothing is tuned."""
    settings = tried_settings(claim, arm, outcomes)
    return [] if len(settings) == 1 else [point for each in settings for point in _trials(claim, arm, settings, each)]


def final_points(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> list[Point]:
    """Returns an arm's final runs; none before it is tuned."""
    best = best_setting(claim, arm, outcomes)
    if best is None:
        return []
    return [Point(claim.id, "final", arm.name, i, best, seed, _ranges(arm)) for i, seed in enumerate(arm.test_seeds)]


def tried_settings(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> list[Setting]:
    """Returns the grid and, as far as outcomes ask for it, what lies beyond its end."""
    settings = [dict(zip(arm.grid, values, strict=True)) for values in itertools.product(*arm.grid.values())]
    for _ in range(EXTENSIONS if len(settings) > 1 else 0):
        best = _best(claim, arm, settings, outcomes)
        beyond = None if best is None else _beyond(settings, best)
        if beyond is None:
            break
        settings.append(beyond)
    return settings


def best_setting(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> Setting | None:
    """Returns the settings with the lowest mean validation loss, or ``None`` while some have not been tried.

    Raises:
        Unfinished: no setting finished.
    """
    return _best(claim, arm, tried_settings(claim, arm, outcomes), outcomes)


def at_edge(claim: Claim, arm: AnyArm, outcomes: Outcomes) -> list[str]:
    """Returns the settings whose best value is the lowest or the highest tried; of rates, with the others' best."""
    settings = tried_settings(claim, arm, outcomes)
    best = _best(claim, arm, settings, outcomes)
    if best is None:
        return []
    tried = {name: [each[name] for each in settings] for name in best} | {"lr": _along(settings, best, "lr")}
    return [name for name in best if len(set(tried[name])) > 1 and best[name] in _ends(tried[name])]


def mean_loss(claim: Claim, arm: AnyArm, settings: list[Setting], chosen: Setting, outcomes: Outcomes) -> float | None:
    """Returns the mean validation loss of a setting, infinite if a run did not finish, ``None`` if one is missing."""
    trials = _trials(claim, arm, settings, chosen)
    if any(point.key not in outcomes for point in trials):
        return None
    losses = [outcomes[point.key].loss for point in trials]
    known = [loss for loss in losses if loss is not None]
    return sum(known) / len(known) if len(known) == len(losses) else math.inf


def _best(claim: Claim, arm: AnyArm, settings: list[Setting], outcomes: Outcomes) -> Setting | None:
    if len(settings) == 1:
        return settings[0]
    losses = [mean_loss(claim, arm, settings, each, outcomes) for each in settings]
    known = [(loss, -i) for i, loss in enumerate(losses) if loss is not None]
    if len(known) < len(settings):
        return None
    loss, i = min(known)
    if math.isinf(loss):
        raise Unfinished(f"{arm.name}: no setting of its grid finished")
    return settings[-i]


def _beyond(settings: list[Setting], best: Setting) -> Setting | None:
    """Returns the best setting with the next ``lr`` beyond the end of those tried, if the best one is at that end."""
    rates = sorted(float(value) for value in _along(settings, best, "lr") if isinstance(value, float))
    if len(rates) < 2 or best["lr"] not in _ends(rates):
        return None
    low = best["lr"] == rates[0]
    rate = rates[0] ** 2 / rates[1] if low else rates[-1] ** 2 / rates[-2]
    return {**best, "lr": float(f"{rate:.4g}")}


def _along(settings: list[Setting], best: Setting, name: str) -> list[Value]:
    """Returns the values of one setting that were tried with the best values of the others."""
    if name not in best:
        return []
    return [each[name] for each in settings if all(each[key] == best[key] for key in best if key != name)]


def _ends(values: list[Value] | list[float]) -> tuple[float, ...]:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return (min(numbers), max(numbers)) if numbers else ()


def _trials(claim: Claim, arm: AnyArm, settings: list[Setting], chosen: Setting) -> list[Point]:
    first = settings.index(chosen) * len(arm.tuning_seeds)
    seeds = enumerate(arm.tuning_seeds, first)
    return [Point(claim.id, "tune", arm.name, index, chosen, seed, _ranges(arm)) for index, seed in seeds]


def _ranges(arm: AnyArm) -> Tunables:
    return {
        name: _ANY_POSITIVE if isinstance(values[0], float) else Choice(values) for name, values in arm.grid.items()
    }
