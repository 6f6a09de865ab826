"""An outcome: what became of a trial."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias

Status: TypeAlias = Literal["complete", "pruned", "diverged", "failed"]

Trace: TypeAlias = tuple[tuple[float, float], ...]
"""A quantity over a run: the cost and the value at each moment that was kept."""

LARGEST = 1e150
"""What is larger, either way, counts as diverged: squares of such numbers leave the range of floating point, so that a
mean of them has no spread. Scripts write 1.7e308 where they have no value."""


def is_measured(value: float) -> bool:
    """Tells whether a loss or a metric is a value that can be compared: neither infinite nor nan, nor huge."""
    return abs(value) <= LARGEST


@dataclass(frozen=True)
class CurvePoint:
    """What was measured at one moment of a run.

    Args:
        cost: what was used so far of what the budget counts.
        train_loss: mean loss of the batches since the last moment; ``None`` at the start, and where there are none.
        loss: validation loss.
        metric: validation metric.
    """

    cost: float
    train_loss: float | None
    loss: float
    metric: float


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Args:
        status: ``complete``, ``pruned`` (stopped early on request), ``diverged`` (the loss stopped being finite, or is
            larger than 1e150) or ``failed`` (an exception, or a worker that died).
        loss: what candidates are compared by, less of it being better; ``None`` unless complete.
        metric: what is quoted beside it, or ``None``.
        cost: what was used of what the budget counts.
        seconds: wall-clock seconds of the trial.
        processor_seconds: processor seconds of the trial, over all threads.
        measures: what else was measured, name to value.
        curve: the run's course.
        traces: quantities over the run, by name.
        error: the traceback or the reason, when something went wrong.
    """

    status: Status
    loss: float | None = None
    metric: float | None = None
    cost: float = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    measures: dict[str, float] = field(default_factory=dict)
    curve: tuple[CurvePoint, ...] = field(default=())
    traces: dict[str, Trace] = field(default_factory=dict)
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Builds an outcome from what :meth:`to_dict` returned, or did in trimtab 0.1."""
        plain = dict(values) if "measures" in values else _of_before(values)
        curve = tuple(CurvePoint(**point) for point in plain["curve"])
        plain["curve"] = tuple(point for point in curve if is_measured(point.loss) and is_measured(point.metric))
        plain["measures"] = {_RENAMED.get(name, name): value for name, value in plain["measures"].items()}
        plain["traces"] = {name: tuple((x, y) for x, y in trace) for name, trace in plain["traces"].items()}
        return cls(**plain)._judged()

    def _judged(self) -> Self:
        """What was recorded before huge numbers counted as diverged becomes so."""
        ends = (self.loss, self.metric, *self.measures.values())
        huge = [value for value in ends if value is not None and not is_measured(value)]
        if not huge:
            return self
        error = self.error or f"it ended at {huge[0]:.3g}; what is larger than {LARGEST:g} counts as diverged"
        measures = {name: value for name, value in self.measures.items() if is_measured(value)}
        return replace(self, status="diverged", error=error, loss=None, metric=None, measures=measures)


_RENAMED = {"updates": "steps"}

_MEASURES_OF_BEFORE = {
    "test_loss": "test loss",
    "test_metric": "test metric",
    "steps": "steps",
    "step_seconds": "step seconds",
    "state_bytes": "state bytes",
}


def _of_before(values: Mapping[str, Any]) -> dict[str, Any]:
    """Until trimtab 0.1, measures and traces of training runs were fields of their own."""
    plain = {name: value for name, value in values.items() if name in Outcome.__dataclass_fields__}
    known = {name: values[key] for key, name in _MEASURES_OF_BEFORE.items() if values.get(key) is not None}
    pace = values.get("pace", ())
    traces = {
        "learning rate": tuple((each["cost"], each["lr"]) for each in pace if each["lr"] is not None),
        "batch size": tuple((each["cost"], each["batch_size"]) for each in pace),
    }
    kept = {name: trace for name, trace in traces.items() if trace}
    return {**plain, "measures": known | values.get("probed", {}), "traces": kept}
