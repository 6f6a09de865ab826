"""Trials in TensorBoard: a directory of event files for each."""

import shutil
import tempfile
import zlib
from pathlib import Path

from trimtab.report.tracking.trial_log import LoggedTrial, TrialLog, check_package
from trimtab.study.callbacks import StudyAbout
from trimtab.study.checks import check_path
from trimtab.study.errors import InputError
from trimtab.study.files import write_atomically

LONGEST_PART = 120
"""Bytes of a directory's name; most file systems have room for 255, some for 143."""

_MARK = ".trimtab-study"


class TensorBoardCallback(TrialLog):
    """Logs each trial of a comparison as a run of TensorBoard, through ``torch.utils.tensorboard``.

    A run is a directory such as ``adamw/tune-03``. One that is there is left as it is.

    Args:
        directory: of all runs; ``tensorboard`` beside the report by default.

    Raises:
        InputError: TensorBoard is not installed, or what is given is no path.
    """

    def __init__(self, directory: str | Path | None = None) -> None:
        if directory is not None:
            check_path("directory", directory)
        check_package("TensorBoardCallback", "tensorboard", "tensorboard")
        super().__init__()
        self._directory = directory

    def begun(self, about: StudyAbout) -> None:
        """It is told of this study from now on.

        Raises:
            InputError: its directory holds the runs of another study.
        """
        super().begun(about)
        mark = self.directory / _MARK
        there = mark.read_text(encoding="utf-8") if mark.is_file() else about.id
        if there != about.id:
            raise InputError(f"{self.directory} holds the runs of another comparison: remove it, or choose another one")

    @property
    def directory(self) -> Path:
        """Of all runs."""
        return self.about.directory / "tensorboard" if self._directory is None else Path(self._directory)

    def log(self, trial: LoggedTrial) -> None:
        """Logs a trial, unless its directory is there."""
        place = self.directory.joinpath(*map(_part, trial.path))
        if place.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.directory / _MARK, self.about.id)
        made = Path(tempfile.mkdtemp(prefix=".", dir=self.directory))  # a run is there whole, or not at all
        try:
            _write(trial, made)
            made.chmod(0o755)  # as mkdir makes them, so that whoever sees the report sees the runs
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _part(name: str) -> str:
    """A part of a run's name as a directory's."""
    safe = name.replace("/", "_").lstrip(".").encode()[:LONGEST_PART].decode(errors="ignore")
    return safe if safe == name else f"{safe}-{zlib.crc32(name.encode()):08x}"


def _write(trial: LoggedTrial, directory: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    ends = trial.ends
    with SummaryWriter(str(directory)) as writer:
        # torch ships hparams without annotations
        for record in hparams({**trial.tags, **trial.settings}, ends):  # type: ignore[no-untyped-call]
            writer.file_writer.add_summary(record)  # add_hparams would put them into a directory of their own
        for cost, values in trial.curve:
            for name, value in values.items():
                writer.add_scalar(name, value, round(cost))
        for name, value in ends.items():
            writer.add_scalar(name, value, round(trial.outcome.cost))
        writer.add_text("status", trial.outcome.status)
        if trial.outcome.error is not None:
            indented = "\n".join(f"    {line}" for line in trial.outcome.error.splitlines())  # as code in Markdown
            writer.add_text("error", indented)
