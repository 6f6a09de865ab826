"""Where a study's results are kept: an Optuna storage, one Optuna study a group, one Optuna trial a point.

Optuna's own tools (its dashboard, its visualisations) can therefore read a study of ours.

A point *is* its Optuna trial, for good: waiting, running, then finished. A trial whose worker died goes back from
running to waiting instead of being copied, so no point can ever have two results. Optuna's heartbeats are not used,
because they beat only inside ``Study.optimize``; one process at a time owns the store, through a lock that the
operating system takes back when the process dies, and so whatever it finds running when it opens the store is left over
from a dead one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from trimtab.lab.errors import CorruptStoreError, StoreInUseError, StudyMismatchError
from trimtab.lab.trial import Outcome, Point
from trimtab.lab.tunable import Choice, LogUniform, Tunables, Uniform

FILE_NAME = "study.db"
_MANIFEST = "trimtab"
_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Store:
    """The results of one study, in a directory.

    Use it as a context manager: it is locked against other processes within.

    Args:
        directory: made if it is missing; the results are in its ``study.db``.
        manifest: what makes this study this study. Plain values. A directory that holds another one is refused.

    Raises:
        StudyMismatchError: the directory holds another study; the message says what differs.
        CorruptStoreError: the file cannot be read.
        StoreInUseError: another process has the store open.
    """

    def __init__(self, directory: Path, manifest: Mapping[str, Any]) -> None:
        self.path = directory / FILE_NAME
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(directory / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreInUseError(
                f"{directory} is in use by another running trimtab process; wait for it or choose another directory"
            ) from None
        try:
            with _readable(self.path):
                self._storage = _open(self.path)
                self._check_manifest(json.loads(json.dumps(manifest)))
                self._groups: dict[str, int] = {}
                self._trials: dict[str, FrozenTrial] = {}
                self._studies: dict[str, optuna.Study] = {}
                self._load()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets other processes open the store."""
        self._storage.remove_session()
        self._storage.engine.dispose()
        self._lock.release()

    def _check_manifest(self, manifest: dict[str, Any]) -> None:
        studies = {study.study_name: study._study_id for study in self._storage.get_all_studies()}
        if _MANIFEST not in studies:
            studies[_MANIFEST] = self._storage.create_new_study([StudyDirection.MINIMIZE], _MANIFEST)
        stored = self._storage.get_study_user_attrs(studies[_MANIFEST]).get("manifest")
        if stored is None:  # new, or its first process died before it could say what it is
            self._storage.set_study_user_attr(studies[_MANIFEST], "manifest", manifest)
            return
        differing = sorted(key for key in {*stored, *manifest} if stored.get(key) != manifest.get(key))
        if differing:
            changes = "; ".join(f"{key}: {stored.get(key)!r} there, {manifest.get(key)!r} here" for key in differing)
            raise StudyMismatchError(
                f"{self.path.parent} holds the results of another study ({changes}). Choose another output directory, "
                "or remove this one to start again."
            )

    def _load(self) -> None:
        for study in self._storage.get_all_studies():
            if study.study_name == _MANIFEST:
                continue
            self._groups[study.study_name] = study._study_id
            for trial in self._storage.get_all_trials(study._study_id, deepcopy=False):
                if trial.state == TrialState.RUNNING:  # its process is dead, or the lock would not be ours
                    self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
                self._trials[trial.user_attrs["key"]] = trial

    def outcomes(self) -> dict[str, tuple[Point, Outcome]]:
        """Returns what is finished: key to point and outcome."""
        with _readable(self.path):
            return {
                key: (_point(trial), Outcome.from_dict(trial.user_attrs["outcome"]))
                for key, trial in self._trials.items()
                if trial.state.is_finished()
            }

    def annotate(self, annotation: Mapping[str, Any]) -> None:
        """Writes plain values beside the manifest, which readers need and which may change from run to run."""
        study = self._storage.get_study_id_from_name(_MANIFEST)
        self._storage.set_study_user_attr(study, "annotation", annotation)

    def add(self, points: Iterable[Point]) -> None:
        """Writes down points that are to be run; those that are known already stay as they are."""
        for point in points:
            if point.key in self._trials:
                continue
            if point.group not in self._groups:
                self._groups[point.group] = self._storage.create_new_study([StudyDirection.MINIMIZE], point.group)
            template = create_trial(
                state=TrialState.WAITING,
                params=dict(point.settings),
                distributions=_distributions(point.tunables),
                user_attrs={"key": point.key, "index": point.index, "seed": point.seed, "test": point.test},
            )
            trial_id = self._storage.create_new_trial(self._groups[point.group], template)
            self._trials[point.key] = self._storage.get_trial(trial_id)

    def claim(self, point: Point) -> None:
        """Marks a waiting point as running."""
        self._storage.set_trial_state_values(self._trials[point.key]._trial_id, TrialState.RUNNING)

    def release(self, point: Point) -> None:
        """Marks a running point as waiting again, because its run was cut off."""
        self._storage.set_trial_state_values(self._trials[point.key]._trial_id, TrialState.WAITING)

    def finish(self, point: Point, outcome: Outcome) -> None:
        """Records the outcome of a running point, for good."""
        trial_id = self._trials[point.key]._trial_id
        # the outcome first: a process that dies in between leaves the point running, and it is run again
        self._storage.set_trial_user_attr(trial_id, "outcome", outcome.to_dict())
        values = None if outcome.loss is None else [outcome.loss]
        self._storage.set_trial_state_values(trial_id, _STATES.get(outcome.status, TrialState.FAIL), values)
        self._trials[point.key] = self._storage.get_trial(trial_id)

    def hopeless(self, point: Point, cost: int, loss: float, pruner: BasePruner) -> bool:
        """Reports an intermediate loss and asks a pruner whether the trial is worth going on with.

        The pruner sees the trials of the point's own group, so that no candidate is judged by another's pace.
        """
        trial_id = self._trials[point.key]._trial_id
        self._storage.set_trial_intermediate_value(trial_id, cost, loss)
        if point.group not in self._studies:  # opening one costs more than asking it
            self._studies[point.group] = optuna.load_study(study_name=point.group, storage=self._storage)
        return pruner.prune(self._studies[point.group], self._storage.get_trial(trial_id))


@dataclass(frozen=True)
class StoredStudy:
    """What a store holds, read without owning it.

    Args:
        manifest: what makes the study this study.
        annotation: what was written beside it.
        outcomes: key to outcome, of what is finished.
    """

    manifest: dict[str, Any]
    annotation: dict[str, Any]
    outcomes: dict[str, Outcome]


def read_store(directory: Path) -> StoredStudy:
    """Reads the study in a directory, which may be running.

    Raises:
        StudyMismatchError: there is no study in it.
        CorruptStoreError: the file cannot be read.
    """
    path = directory / FILE_NAME
    if not path.is_file():
        raise StudyMismatchError(f"there is no study in {directory}: {FILE_NAME} is missing")
    with _readable(path):
        storage = _open(path)
        attributes = _study_attributes(storage)
        outcomes = {
            trial.user_attrs["key"]: Outcome.from_dict(trial.user_attrs["outcome"])
            for study in storage.get_all_studies()
            if study.study_name != _MANIFEST
            for trial in storage.get_all_trials(study._study_id, deepcopy=False)
            if trial.state.is_finished()
        }
        storage.engine.dispose()
        return StoredStudy(attributes["manifest"], attributes.get("annotation", {}), outcomes)


def _study_attributes(storage: RDBStorage) -> dict[str, Any]:
    for study in storage.get_all_studies():
        if study.study_name == _MANIFEST:
            return dict(study.user_attrs)
    return {}


def _open(path: Path) -> RDBStorage:
    return RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}})


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (
        SQLAlchemyError,
        optuna.exceptions.OptunaError,
        RuntimeError,
        KeyError,
        TypeError,
        json.JSONDecodeError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptStoreError(
            f"{path} cannot be read ({reason}). Put back a copy of it, or move it away and run the same command "
            "again to start from the beginning."
        ) from error


def _point(trial: FrozenTrial) -> Point:
    attributes = trial.user_attrs
    group = attributes["key"].rpartition("/")[0]
    return Point(group, attributes["index"], dict(trial.params), attributes["seed"], attributes["test"])


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
