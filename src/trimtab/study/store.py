"""Where a study's results are kept: an Optuna storage, one Optuna study a group, one Optuna trial a point.

Optuna's own tools (its dashboard, its visualisations) can therefore read a study of ours. A point *is* its Optuna
trial, for good: waiting, running, then finished. A trial whose run was cut off goes back from running to waiting,
instead of being copied; what it had reported is forgotten.

The protocol, by which processes on several machines share a store:

* A table of ours, ``trimtab_leases``, holds a row for each point: its key (the primary key, so that no point can be
  added twice), its trial, its owner, and whether it is finished. A point without an owner waits; who writes his name
  there while it is empty has the point. ``trimtab_owners`` holds a row for each process, with its last sign of life.
* Each step is one transaction over these tables and Optuna's: adding points with their trials, claiming a point,
  recording an outcome with the trial's state, freeing points. Nothing is ever half done, and a step may be repeated
  when the connection broke and nobody knows whether it was done: the second time it changes nothing.
* An outcome is recorded only while the point is the process's own, or nobody's. Points are taken from a process that
  gives no sign of life for ``takeover`` seconds (by the database's clock: those of the machines may differ), by
  deleting its row if its last beat is still the one that was seen. A process claims points only after renewing its
  row, so what it owns can be found through it. When it comes back, recording what was taken over changes nothing.
* Points are added, and the manifest is checked, under a lock on the row of the study named ``trimtab``.
* A study without an outcome, at which no other process is at work, binds nobody: whoever opens its store begins anew,
  and gives it another mark. A process writes its row when it opens a store, so that others see it before it has
  points; one that was silent for so long that others have begun anew sees the mark, and ends.
* A file of SQLite belongs to one process, through a lock that the operating system takes back when the process dies.
  Whoever has the lock knows that all other owners are dead, and takes over at once; the rest is the same.
* Optuna's heartbeats are not used, because they beat only inside ``Study.optimize`` and make copies of trials.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import optuna
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, column, select, table

from trimtab.study.checks import check_callable
from trimtab.study.database import Database
from trimtab.study.errors import InputError, StoreAwayError, StudyMismatchError
from trimtab.study.lease import Heart, Leases, Limits
from trimtab.study.location import Location
from trimtab.study.manifest import MANIFEST, Words, each_difference, plain_manifest, refusal
from trimtab.study.optuna_trial import forget_reports, outcome_of, point_of, ranges_of, waiting_trial
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import Tunables

_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


class Store:
    """The results of one study, in a directory or on a database server.

    Use it as a context manager: within, a directory is locked against other processes, and a server knows that this
    process is alive. Methods that deal with points raise :class:`~trimtab.study.errors.StoreAwayError` while a database
    that was open does not answer, and may then be called again.

    Args:
        location: a directory, made if it is missing, whose ``study.db`` holds the results; or, as text, the SQLAlchemy
            URL of a database.
        manifest: what makes this study this study. Plain values. A store that holds outcomes of another one, or at
            which a process is at work on another one, is refused.
        limits: how long processes wait for each other.
        words: tells how manifests differ: from the one that is there, the one that is asked for, and the annotation
            that is there.

    Raises:
        InputError: the location cannot be one.
        StudyMismatchError: the store holds another study; the message says what differs.
        CorruptStoreError: it cannot be read.
        StoreInUseError: another process has the directory open.
        StoreUnreachableError: the server does not answer, or refuses us.
    """

    def __init__(
        self,
        location: Location,
        manifest: Mapping[str, Any],
        limits: Limits | None = None,
        words: Words | None = None,
    ) -> None:
        if limits is not None and not isinstance(limits, Limits):
            raise InputError(f"limits={limits!r}: Limits are needed")
        if words is not None:
            check_callable("words", words)
        plain = plain_manifest(manifest)
        self._words = each_difference if words is None else words
        self.limits = Limits() if limits is None else limits
        self._database = Database(location, stall=self.limits.takeover)
        self._storage = self._database.storage
        self._leases = Leases(self.limits)
        self._heart: Heart | None = None
        self._groups: dict[str, int] = {}
        self._trials: dict[str, int] = {}
        self._outcomes: dict[str, tuple[Point, Outcome]] = {}
        self._studies: dict[str, optuna.Study] = {}
        self._mark: str | None = None
        try:
            with self._database.readable(), self._database.transaction() as connection:
                self._check_manifest(connection, plain)
                self._load(connection)
                if self.shared:
                    self._leases.enter(connection)
        except BaseException:
            self._database.close()
            raise
        if self.shared:
            self._heart = Heart(self._database.engine, self._leases)
            self._heart.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Where it is, as it may be printed."""
        return self._database.name

    @property
    def shared(self) -> bool:
        """Whether other processes may work on the study at the same time."""
        return self._database.shared

    def close(self) -> None:
        """Gives back what was not finished, and lets other processes open the directory."""
        if self._heart is not None:
            self._heart.stop()
        try:
            self.give_back()
        finally:
            self._database.close()

    def give_back(self) -> None:
        """Gives back what was not finished; of a database that is away, others take it when their time comes."""
        with contextlib.suppress(StoreAwayError), self._database.transaction() as connection:
            self._wait_again(connection, self._leases.leave(connection))

    def _check_manifest(self, connection: Connection, manifest: dict[str, Any]) -> None:
        studies = [study.study_name for study in self._storage.get_all_studies()]
        if MANIFEST not in studies:
            if studies:
                raise StudyMismatchError(
                    f"{self.name} holds studies of Optuna's that are not trimtab's ({studies[0]}, ...); use a database "
                    "of its own"
                )
            with contextlib.suppress(optuna.exceptions.DuplicatedStudyError):  # another process was faster
                self._storage.create_new_study([StudyDirection.MINIMIZE], MANIFEST)
        self._manifest_study = self._storage.get_study_id_from_name(MANIFEST)
        self._lock(connection)
        recorded = self._holds_outcomes()
        known = self._storage.get_study_user_attrs(self._manifest_study)
        if "manifest" not in known or not (recorded or (self.shared and self._leases.has_company(connection))):
            self._begin_anew(connection, manifest)
            return
        self._mark = known.get("mark")
        if known["manifest"] != manifest:
            changes = self._words(known["manifest"], manifest, known.get("annotation", {}))
            raise StudyMismatchError(refusal(self.name, changes, shared=self.shared, recorded=recorded))

    def _holds_outcomes(self) -> bool:
        """Whether there is an outcome, or a trial that is not of our making."""
        return any(
            trial.state.is_finished() or "key" not in trial.user_attrs
            for study in self._storage.get_all_studies()
            for trial in self._storage.get_all_trials(study._study_id, deepcopy=False)
        )

    def _begin_anew(self, connection: Connection, manifest: dict[str, Any]) -> None:
        """Forgets what was planned by whoever was here before and left no outcome."""
        for study in self._storage.get_all_studies():
            if self._storage.get_n_trials(study._study_id):
                self._storage.delete_study(study._study_id)
        self._leases.forget_all(connection)
        self._mark = secrets.token_hex(8)
        for name, value in (("manifest", manifest), ("annotation", {}), ("mark", self._mark)):
            self._storage.set_study_user_attr(self._manifest_study, name, value)

    def _check_mark(self) -> None:
        """Checks that nobody has begun anew since, who took this process for dead."""
        if self.shared and self._storage.get_study_user_attrs(self._manifest_study).get("mark") != self._mark:
            raise StudyMismatchError(
                f"{self.name} was begun anew by another process while this one gave no sign of life, before there was "
                "any outcome; the same command joins it if it is the same study"
            )

    def _lock(self, connection: Connection) -> None:
        """Keeps other processes from adding points until the end of the transaction."""
        studies = table("studies", column("study_id"), column("study_name"))
        connection.execute(select(studies.c.study_id).where(studies.c.study_name == MANIFEST).with_for_update())

    def _load(self, connection: Connection) -> None:
        known = self._leases.trials(connection)
        for study in self._storage.get_all_studies():
            if study.study_name == MANIFEST:
                continue
            for trial in self._storage.get_all_trials(study._study_id, deepcopy=False):
                key = str(trial.user_attrs.get("key"))
                if key not in known and not self.shared:  # from before there were leases
                    self._leases.offer(connection, key, trial._trial_id, finished=trial.state.is_finished())
                    if trial.state == TrialState.RUNNING:
                        self._wait_again(connection, [trial._trial_id])
                elif known.get(key) != trial._trial_id:
                    continue
                self._take_in(key, trial)
        self._wait_again(connection, self._leases.take_back(connection, everybody=not self.shared))

    def _take_in(self, key: str, trial: FrozenTrial) -> None:
        self._trials[key] = trial._trial_id
        if trial.state.is_finished():
            self._outcomes[key] = (point_of(trial), outcome_of(trial))

    def _wait_again(self, connection: Connection, trials: Iterable[int]) -> None:
        for trial in trials:
            forget_reports(connection, trial)
            self._storage.set_trial_state_values(trial, TrialState.WAITING)

    def outcomes(self) -> dict[str, tuple[Point, Outcome]]:
        """Returns what is known to be finished: key to point and outcome."""
        return dict(self._outcomes)

    def ranges(self) -> dict[str, Tunables]:
        """Returns the ranges in which settings are tried, by the name of a group of trials."""
        with self._database.readable(), self._database.transaction():
            return ranges_of(
                trial
                for study in self._storage.get_all_studies()
                for trial in self._storage.get_all_trials(study._study_id, deepcopy=False)
                if "key" in trial.user_attrs
            )

    def sync(self) -> dict[str, tuple[Point, Outcome]]:
        """Frees the points of processes that are gone, and returns what others have finished since the last time."""
        with self._database.transaction() as connection:
            self._check_mark()
            self._wait_again(connection, self._leases.take_back(connection))
            finished = self._leases.trials(connection, finished=True)
            new = {key: self._storage.get_trial(finished[key]) for key in finished.keys() - self._outcomes.keys()}
        for key, trial in new.items():  # after the end: what is told once must have been heard
            self._take_in(key, trial)
        return {key: self._outcomes[key] for key in new}

    def annotate(self, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Writes plain values beside the manifest, which readers need and which may change from run to run.

        Args:
            change: is given what is there and returns what shall be; no other process writes in between.
        """
        with self._database.readable(), self._database.transaction() as connection:
            self._lock(connection)
            self._check_mark()
            known = self._storage.get_study_user_attrs(self._manifest_study).get("annotation", {})
            self._storage.set_study_user_attr(self._manifest_study, "annotation", change(known))

    def add(self, points: Iterable[Point]) -> None:
        """Writes down points that are to be run; those that are known already stay as they are."""
        points = [point for point in points if point.key not in self._trials]
        if not points:
            return
        with self._database.transaction() as connection:
            self._lock(connection)
            self._check_mark()
            trials = self._leases.trials(connection)
            groups = {study.study_name: study._study_id for study in self._storage.get_all_studies()}
            for point in points:
                if point.key not in trials:
                    if point.group not in groups:
                        groups[point.group] = self._storage.create_new_study([StudyDirection.MINIMIZE], point.group)
                    trials[point.key] = self._storage.create_new_trial(groups[point.group], waiting_trial(point))
                    self._leases.offer(connection, point.key, trials[point.key])
        self._trials.update(trials)

    def claim(self, points: Sequence[Point]) -> Point | None:
        """Marks the first of these points that is waiting as running here; ``None`` if others have them all."""
        with self._database.transaction() as connection:
            self._check_mark()
            key = self._leases.claim(connection, [point.key for point in points])
            if key is None:
                return None
            self._storage.set_trial_state_values(self._trials[key], TrialState.RUNNING)
        return next(point for point in points if point.key == key)

    def release(self, point: Point) -> None:
        """Marks a point of ours as waiting again, because its run was cut off."""
        with self._database.transaction() as connection:
            if self._leases.release(connection, point.key):
                self._wait_again(connection, [self._trials[point.key]])

    def finish(self, point: Point, outcome: Outcome) -> bool:
        """Records the outcome of a point that was claimed, for good.

        Returns:
            Whether it is recorded. If not, somebody else has taken the point over: the outcome will be theirs.
        """
        trial = self._trials[point.key]
        values = None if outcome.loss is None else [outcome.loss]
        with self._database.transaction() as connection:
            self._check_mark()
            if self._leases.finish(connection, point.key):
                self._storage.set_trial_user_attr(trial, "outcome", outcome.to_dict())
                state = _STATES.get(outcome.status, TrialState.FAIL)
                self._storage.set_trial_state_values(trial, state, values)
            elif not self._leases.finished_by_us(connection, point.key):
                return False
        self._outcomes[point.key] = (point, outcome)
        return True

    def hopeless(self, point: Point, cost: int, loss: float, pruner: BasePruner) -> bool:
        """Reports an intermediate loss and asks a pruner whether the trial is worth going on with.

        The pruner sees the trials of the point's own group, so that no candidate is judged by another's pace.
        """
        trial = self._trials[point.key]
        with self._database.transaction() as connection:
            try:
                if not self._leases.holds(connection, point.key):  # who has taken it over reports by himself
                    return self._storage.get_trial(trial).state.is_finished()
                self._storage.set_trial_intermediate_value(trial, cost, loss)
            except KeyError:
                return True  # somebody else has begun anew
            if point.group not in self._studies:  # opening one costs more than asking it
                self._studies[point.group] = optuna.load_study(study_name=point.group, storage=self._storage)
            return pruner.prune(self._studies[point.group], self._storage.get_trial(trial))
