"""Trials in MLflow."""

import re
import time
from collections.abc import Iterator
from typing import Any

from trimtab.report.tracking.trial_log import LoggedTrial, TrialLog, check_package
from trimtab.study.callbacks import StudyAbout
from trimtab.study.checks import check_text

LONGEST_VALUE = 5000
"""Characters of a tag that every version of MLflow takes."""

METRICS_AT_ONCE = 1000
"""So many values MLflow takes in one request."""

STATES = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}

LONGEST_WRITING = 60.0
"""Seconds that writing a run may take: one that is older and not whole was cut off."""

_PAUSE = 2.0
"""Seconds between two looks at a run that somebody else is writing."""

_STUDY, _TRIAL, _WHOLE = "trimtab.comparison", "trimtab.trial", "trimtab.whole"


class MlflowCallback(TrialLog):
    """Logs each trial of a comparison as a run of MLflow.

    A run's tags say which trial of which comparison it is. One that is there and whole is left as it is; one that
    another machine is writing is waited for; one that was cut off while it was written is deleted and written anew.

    Args:
        experiment: name of the experiment; that of the comparison by default.
        tracking_uri: where MLflow keeps runs; as ``MLFLOW_TRACKING_URI`` says by default.

    Raises:
        InputError: MLflow is not installed, or what is given is no text.
    """

    def __init__(self, experiment: str | None = None, tracking_uri: str | None = None) -> None:
        for name, value in (("experiment", experiment), ("tracking_uri", tracking_uri)):
            if value is not None:
                check_text(name, value)
        check_package("MlflowCallback", "mlflow", "mlflow-skinny")
        super().__init__()
        self._experiment, self._uri = experiment, tracking_uri
        self._there: _Experiment | None = None

    def begun(self, about: StudyAbout) -> None:
        """It is told of this study from now on."""
        super().begun(about)
        self._there = None

    def ended(self) -> None:
        """Nothing more will come."""
        if self._there is not None:
            self._there.forget()  # what others have logged meanwhile is looked up at once
        super().ended()

    def log(self, trial: LoggedTrial) -> None:
        """Logs a trial, unless it is there."""
        if self._there is None:
            self._there = _Experiment(self._experiment or self.about.name, self._uri, self.about.id)
        self._there.log(trial)


class _Experiment:
    """An experiment, and which trials of a study it has."""

    def __init__(self, name: str, uri: str | None, study: str) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(uri)
        found = self._client.get_experiment_by_name(name)
        self._id = self._client.create_experiment(name) if found is None else found.experiment_id
        self._study = study
        self._begun: set[str] = set()  # runs of ours
        self._whole: set[str] | None = None

    def forget(self) -> None:
        """Forgets which trials are there."""
        self._whole = None

    def log(self, trial: LoggedTrial) -> None:
        key = trial.point.key
        if self._whole is None:
            self._whole = {run.data.tags.get(_TRIAL, "") for run in self._runs() if _is_whole(run)}
        if key not in self._whole:
            while not (self._is_there(key) or self._is_written(trial)):
                pass
            self._whole.add(key)

    def _runs(self, key: str | None = None) -> Iterator[Any]:
        """Returns the runs of a trial, or of all."""
        query = f"tags.`{_STUDY}` = '{self._study}'"
        quote = '"' if key is not None and "'" in key else "'"
        if key is not None and quote not in key:
            query += f" and tags.`{_TRIAL}` = {quote}{key}{quote}"
        page = None
        while True:
            runs = self._client.search_runs([self._id], query, page_token=page)
            yield from (run for run in runs if key in (None, run.data.tags.get(_TRIAL)))
            page = runs.token
            if not page:
                return

    def _is_there(self, key: str) -> bool:
        """Whether a trial is logged; waits for whoever is just doing that, and removes what was cut off."""
        while True:
            runs = list(self._runs(key))
            whole = any(map(_is_whole, runs))
            if whole or not any(map(self._is_being_written, runs)):
                for run in runs:
                    if not _is_whole(run) and not self._is_being_written(run):
                        self._client.delete_run(run.info.run_id)
                return whole
            time.sleep(_PAUSE)

    def _is_being_written(self, run: Any) -> bool:
        """Whether somebody else is writing a run."""
        ours = run.info.run_id in self._begun
        return not ours and not _is_whole(run) and time.time() - run.info.start_time / 1000 < LONGEST_WRITING

    def _is_written(self, trial: LoggedTrial) -> bool:
        """Writes a trial; ``False`` if somebody else has begun at the same time, whose run stays."""
        key = trial.point.key
        tags = {**trial.tags, _STUDY: trial.about.id, _TRIAL: key}
        ours = self._client.create_run(self._id, run_name=trial.name, tags=tags).info.run_id
        self._begun.add(ours)
        self._write(ours, trial)
        for run in self._runs(key):
            if _is_whole(run) or (self._is_being_written(run) and run.info.run_id < ours):
                self._client.delete_run(ours)
                return False
        self._client.set_tag(ours, _WHOLE, "yes")
        self._client.set_terminated(ours, STATES[trial.outcome.status])
        return True

    def _write(self, run: str, trial: LoggedTrial) -> None:
        from mlflow.entities import Metric, Param

        parameters = [Param(_name(name), str(value)) for name, value in trial.settings.items()]
        self._client.log_batch(run, params=parameters)
        moments = [*trial.curve, (trial.outcome.cost, trial.ends)]
        # in the order of the run: MLflow has no clock for what was measured earlier
        metrics = [
            Metric(_name(name), value, place, round(cost))
            for place, (cost, values) in enumerate(moments)
            for name, value in values.items()
        ]
        for start in range(0, len(metrics), METRICS_AT_ONCE):
            self._client.log_batch(run, metrics=metrics[start : start + METRICS_AT_ONCE])
        if trial.outcome.error is not None:
            self._client.set_tag(run, "error", trial.outcome.error[-LONGEST_VALUE:])


def _is_whole(run: Any) -> bool:
    return _WHOLE in run.data.tags


def _name(text: str) -> str:
    """A name as MLflow takes it."""
    return re.sub(r"[^\w\-. /]", "_", text)[:250]
