"""What a reader has to know of a problem."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class TaskFacts:
    """What a reader has to know of the task.

    Where it is a command, there is one number instead of a loss and a metric: results hold it as the metric, and as the
    loss with the sign that makes less of it better.

    Args:
        name: of the task.
        reference: how the command line names it.
        metric: name of the metric.
        direction: ``max`` or ``min``.
        target: value of the metric that counts as solved.
        samples: number of samples by split; empty where it is not known.
        parameters: trainable parameters of the model, where they are known.
        batch_size: samples a step, where it is known.
        kind: ``task``, whose parts a session trains, or ``command``, which trains by itself.
        metric_source: where a command's metric is found.
        rate: name of the setting that is shown as the learning rate; ``None`` if there is none.
        timeout: seconds after which a run of a command has failed.
        bounds: the least and the largest value that the metric can have, where the task says so.
    """

    name: str
    reference: str
    metric: str
    direction: Literal["max", "min"]
    target: float | None
    samples: dict[str, int] = field(default_factory=dict)
    parameters: int | None = None
    batch_size: int | None = None
    kind: Literal["task", "command"] = "task"
    metric_source: str = ""
    rate: str | None = "lr"
    timeout: float | None = None
    bounds: tuple[float | None, float | None] | None = None

    @property
    def objective(self) -> str:
        """The name of the number that candidates are compared by."""
        return "validation loss" if self.kind == "task" else self.metric

    @property
    def sign(self) -> int:
        """What a loss is multiplied with to get that number: -1 where more of it is better."""
        return -1 if self.kind == "command" and self.direction == "max" else 1

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)
