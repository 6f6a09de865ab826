"""From the file of a run to the schedule of the next: what ``trimtab refine`` does."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.schedule.refined.polynomial import PolynomialFit, fit_polynomial
from trimtab.schedule.refined.recorded_run import RecordedRun, read_run
from trimtab.schedule.refined.refined import Numbers, filter_width, refine_schedule, resampled, smoothed_norms
from trimtab.study.checks import check_path
from trimtab.study.errors import InputError
from trimtab.study.files import write_atomically

SCHEMA = "trimtab.schedule"


@dataclass(frozen=True)
class Refinement:
    """A run's norms, and the schedule that they suggest.

    Args:
        source: the file that they come from.
        run: the norms.
        norm: which norm they were taken for.
        smoothing: share of the run over which medians are taken.
        cap: quantile at which weights were cut, if any.
        smooth: norms after smoothing; not finite where the norm was not.
        schedule: multipliers of the next run, a step each.
        fit: the schedule in two numbers.
        notes: what a reader should know of the norms.
    """

    source: str
    run: RecordedRun
    norm: str
    smoothing: float
    cap: float | None
    smooth: Numbers
    schedule: Numbers
    fit: PolynomialFit
    notes: tuple[str, ...]

    @property
    def total_steps(self) -> int:
        """Length of the next run."""
        return len(self.schedule)

    @property
    def peak(self) -> float:
        """Where in the run the multiplier is largest, as a share of it."""
        return float(np.argmax(self.schedule)) / max(1, self.total_steps - 1)


def refine_run(
    path: str | Path,
    *,
    column: str | None = None,
    norm: str | None = None,
    smoothing: float = 0.1,
    cap: float | None = None,
    total_steps: int | None = None,
) -> Refinement:
    """Makes the schedule of the next run from the file of one.

    Args:
        path: see :func:`~trimtab.schedule.refined.recorded_run.read_run`.
        column: the same.
        norm: which norm it is, where the file does not say; ``"l2"`` by default.
        smoothing: see :func:`~trimtab.schedule.refined.refined.refine_schedule`.
        cap: the same.
        total_steps: length of the next run; that of the recorded one by default.

    Raises:
        InputError: the file cannot be read or an argument cannot be; the message names it.
    """
    run = read_run(path, column)
    if norm is not None and run.norm not in (None, norm):
        raise InputError(f"norm={norm!r}, and {path} holds norms of the kind {run.norm!r}")
    kind = norm or run.norm or "l2"
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = refine_schedule(run.norms, kind, smoothing, cap)
            schedule = resampled(made, run.total_steps if total_steps is None else total_steps)
            fit = fit_polynomial(schedule)
        notes = tuple(str(warning.message) for warning in caught)
        return Refinement(str(path), run, kind, smoothing, cap, _smooth(run, smoothing), schedule, fit, notes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(str(error)) from error


def _smooth(run: RecordedRun, smoothing: float) -> Numbers:
    values = np.asarray(run.norms)
    finite = np.isfinite(values)
    with warnings.catch_warnings(action="ignore"):  # the schedule's have been noted
        values[finite] = smoothed_norms(values[finite], smoothing)
    return values


def schedule_path(run: str | Path, out: str | Path | None) -> Path:
    """Returns where the schedule of a run is to lie as JSON.

    Args:
        run: the file that it is made from.
        out: what was asked for; beside the run by default.

    Raises:
        InputError: ``out`` does not end in ``.json``, or is the run's own file.
    """
    run = Path(run)
    schedule = run.with_name(f"{run.stem}.schedule.json") if out is None else Path(out)
    if schedule.suffix != ".json" or schedule.resolve() == run.resolve():
        raise InputError(f"out={str(schedule)!r} must end in .json, and be another file than {run}")
    return schedule


def write_schedule(made: Refinement, path: str | Path) -> Path:
    """Writes a schedule as JSON, for :func:`read_schedule` and for other programs.

    Args:
        made: the schedule.
        path: of the file; its directory is made if it is missing.

    Raises:
        UnwritableError: the operating system refuses.
    """
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "source": Path(made.source).name,
        "norm": made.norm,
        "smoothing": made.smoothing,
        "filter_width": filter_width(int(np.isfinite(made.run.norms).sum()), made.smoothing),
        "cap": made.cap,
        "total_steps": made.total_steps,
        "peak": made.peak,
        "polynomial": {"warmup": made.fit.warmup, "power": made.fit.power, "error": made.fit.error},
        "multipliers": made.schedule.tolist(),
    }
    return write_atomically(path, json.dumps(values, allow_nan=False))


def read_schedule(path: str | Path) -> Numbers:
    """Reads the multipliers that ``trimtab refine`` wrote, for :class:`~trimtab.schedule.refined.refined.RefinedLR`.

    Args:
        path: of the file.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    check_path("path", path)
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not isinstance(found.get("multipliers"), list):
        raise InputError(f"{path} holds no schedule as `trimtab refine` writes it")
    return resampled(found["multipliers"], None)
