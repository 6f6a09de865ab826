"""Trials in MLflow."""

import re

from trimtab.report.tracking.trial_log import LoggedTrial, TrialLog, check_package
from trimtab.study.callbacks import StudyAbout
from trimtab.study.checks import check_text

LONGEST_VALUE = 5000
"""Characters of a tag that every version of MLflow takes."""

METRICS_AT_ONCE = 1000
"""So many values MLflow takes in one request."""

STATES = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}

_STUDY, _TRIAL, _WHOLE = "trimtab.comparison", "trimtab.trial", "trimtab.whole"


class MlflowCallback(TrialLog):
    """Logs each trial of a comparison as a run of MLflow.

    A run's tags say which trial of which comparison it is. One that is there and whole is left as it is; one that was
    cut off while it was written is deleted and written anew.

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
        self._there = None  # what others have logged meanwhile is looked up
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
        self._whole: set[str] = set()
        self._cut_off: dict[str, str] = {}
        page = None
        while True:
            runs = self._client.search_runs([self._id], f"tags.`{_STUDY}` = '{study}'", page_token=page)
            for run in runs:
                key = run.data.tags.get(_TRIAL, "")
                if _WHOLE in run.data.tags:
                    self._whole.add(key)
                else:
                    self._cut_off[key] = run.info.run_id
            page = runs.token
            if not page:
                return

    def log(self, trial: LoggedTrial) -> None:
        key = trial.point.key
        if key in self._whole:
            return
        if key in self._cut_off:
            self._client.delete_run(self._cut_off.pop(key))
        tags = {**trial.tags, _STUDY: trial.about.id, _TRIAL: key}
        run = self._client.create_run(self._id, run_name=trial.name, tags=tags).info.run_id
        self._cut_off[key] = run
        self._write(run, trial)
        self._client.set_tag(run, _WHOLE, "yes")
        self._client.set_terminated(run, STATES[trial.outcome.status])
        del self._cut_off[key]
        self._whole.add(key)

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


def _name(text: str) -> str:
    """A name as MLflow takes it."""
    return re.sub(r"[^\w\-. /]", "_", text)[:250]
