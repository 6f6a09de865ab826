"""Points as Optuna's trials, and back."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import Choice, LogUniform, Tunables, Uniform


def point_of(trial: FrozenTrial) -> Point:
    """Returns the point that a trial stands for; its ranges are left out."""
    return Point.from_key(trial.user_attrs["key"], dict(trial.params), trial.user_attrs["seed"])


def outcome_of(trial: FrozenTrial) -> Outcome:
    """Returns the outcome of a finished trial."""
    return Outcome.from_dict(trial.user_attrs["outcome"])


def waiting_trial(point: Point) -> FrozenTrial:
    """Returns a trial for a point that is to be run."""
    return create_trial(
        state=TrialState.WAITING,
        params=dict(point.settings),
        distributions=_distributions(point.tunables),
        user_attrs={"key": point.key, "seed": point.seed},
    )


def _distributions(tunables: Tunables) -> dict[str, BaseDistribution]:
    distributions: dict[str, BaseDistribution] = {}
    for name, tunable in tunables.items():
        if isinstance(tunable, Uniform):
            distributions[name] = FloatDistribution(tunable.low, tunable.high, log=isinstance(tunable, LogUniform))
        elif isinstance(tunable, Choice):
            distributions[name] = CategoricalDistribution(tunable.values)
        else:
            raise TypeError(f"{name}: {tunable!r} is not a range that a store can hold")
    return distributions
