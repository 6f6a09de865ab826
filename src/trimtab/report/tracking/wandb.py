"""Trials in Weights & Biases."""

import hashlib
import os
from pathlib import Path
from typing import Any

from trimtab.report.tracking.trial_log import LoggedTrial, TrialLog, check_package
from trimtab.study.callbacks import StudyAbout
from trimtab.study.checks import check_text
from trimtab.study.errors import InputError

LONGEST_GROUP = 128
"""Characters that Weights & Biases takes for a group."""

_OURS = ("id", "name", "group", "job_type", "config", "resume", "reinit", "dir")


class WandbCallback(TrialLog):
    """Logs each trial of a comparison as a run of Weights & Biases.

    A run has an id that follows from the comparison and the trial, and its rows are numbered: what is logged again,
    from another machine or after a run was cut off, changes nothing. Which trials are logged is noted in ``wandb``
    beside the report as well, where the client keeps its files.

    Args:
        project: where the runs belong; by default ``WANDB_PROJECT``, or else ``trimtab``.
        **init: what else ``wandb.init`` is given, such as ``entity="me"`` or ``mode="offline"``.

    Raises:
        InputError: the package wandb is not installed, or an argument is this callback's own.
    """

    def __init__(self, project: str | None = None, **init: Any) -> None:
        if project is not None:
            check_text("project", project)
        taken = [name for name in init if name in _OURS]
        if taken:
            raise InputError(f"{taken[0]}={init[taken[0]]!r}: each trial has its own, which WandbCallback gives it")
        check_package("WandbCallback", "wandb", "wandb")
        super().__init__()
        self._project, self._init = project, init
        self._noted: set[str] = set()

    def begun(self, about: StudyAbout) -> None:
        """It is told of this study from now on."""
        super().begun(about)
        note = self._note
        self._noted = set(note.read_text(encoding="utf-8").split()) if note.is_file() else set()

    @property
    def _place(self) -> str:
        return self._project or os.environ.get("WANDB_PROJECT") or "trimtab"

    @property
    def _note(self) -> Path:
        return self.about.directory / "wandb" / f"logged-{self.about.id}.txt"

    def log(self, trial: LoggedTrial) -> None:
        """Logs a trial, unless it is noted as logged."""
        run_id = _run_id(trial, self._place)
        if run_id in self._noted:
            return
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._write(trial, run_id)
        self._noted.add(run_id)
        with self._note.open("a", encoding="utf-8") as file:
            file.write(f"{run_id}\n")

    def _write(self, trial: LoggedTrial, run_id: str) -> None:
        import wandb

        about = trial.about
        usual = {
            "project": self._place,
            "settings": wandb.Settings(silent=True, console="off"),  # or each trial would tell of itself, and log bars
        }
        run = wandb.init(
            **{**usual, **self._init},
            id=run_id,
            name=trial.name,
            group=trial.group[:LONGEST_GROUP],
            job_type=trial.point.phase,
            config={**trial.tags, **trial.settings, "comparison": about.name, "comparison id": about.id},
            resume="allow",
            reinit="create_new",  # a notebook may have a run of its own
            dir=str(about.directory),
        )
        failed = True
        try:
            unit = trial.facts.cost.many
            run.define_metric("*", step_metric=unit)
            for row, (cost, values) in enumerate(trial.curve):
                run.log({unit: cost, **values}, step=row)  # numbered: a row that is there already is not taken again
            run.summary.update({**trial.ends, "status": trial.outcome.status, "error": trial.outcome.error or ""})
            failed = trial.outcome.status == "failed"
        finally:
            run.finish(exit_code=int(failed))


def _run_id(trial: LoggedTrial, project: str) -> str:
    words = f"{trial.about.id}\n{project}\n{trial.point.key}"
    return hashlib.sha256(words.encode()).hexdigest()[:24]
