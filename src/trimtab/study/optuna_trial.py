"""Points as Optuna's trials, and back."""

from collections.abc import Iterable, Mapping

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, column, delete, table

from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import Choice, LogUniform, Tunable, Tunables, Uniform


def point_of(trial: FrozenTrial) -> Point:
    """Returns the point that a trial stands for; its ranges are left out."""
    return Point.from_key(trial.user_attrs["key"], dict(trial.params), trial.user_attrs["seed"])


def outcome_of(trial: FrozenTrial) -> Outcome:
    """Returns the outcome of a finished trial."""
    return Outcome.from_dict(trial.user_attrs["outcome"])


def ranges_of(trials: Iterable[FrozenTrial]) -> dict[str, Tunables]:
    """Returns the ranges of groups of trials: those of the first trial of each, since they may go on later."""
    found: dict[str, tuple[int, Tunables]] = {}
    for trial in trials:
        point = point_of(trial)
        if point.group not in found or point.index < found[point.group][0]:
            found[point.group] = point.index, _tunables(trial.distributions)
    return {group: tunables for group, (_, tunables) in found.items()}


def _tunables(distributions: Mapping[str, BaseDistribution]) -> Tunables:
    found: dict[str, Tunable] = {}
    for name, each in distributions.items():
        if isinstance(each, FloatDistribution):
            found[name] = (LogUniform if each.log else Uniform)(each.low, each.high)
        elif isinstance(each, CategoricalDistribution):
            found[name] = Choice(tuple(each.choices))
    return found


def waiting_trial(point: Point) -> FrozenTrial:
    """Returns a trial for a point that is to be run."""
    return create_trial(
        state=TrialState.WAITING,
        params=dict(point.settings),
        distributions=_distributions(point.tunables),
        user_attrs={"key": point.key, "seed": point.seed},
    )


def forget_reports(connection: Connection, trial: int) -> None:
    """Forgets what a trial has reported, for which Optuna's storages have no method: a pruner would see it again.

    Args:
        connection: of the transaction to which it belongs.
        trial: its number in the storage.
    """
    reports = table("trial_intermediate_values", column("trial_id"))
    connection.execute(delete(reports).where(reports.c.trial_id == trial))


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
