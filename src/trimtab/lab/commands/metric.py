"""Where the number that candidates are compared by is found: in what a command prints, or in a file that it writes."""

from collections.abc import Mapping
from typing import Protocol

from trimtab.study.tunable import Value


class MetricError(Exception):
    """A run told no metric that can be read; the message says what was looked for and what was found."""


class Reading(Protocol):
    """The metric of one run, read while it runs."""

    def line(self, text: str) -> list[float]:
        """Returns the values in a line of output; ``nan`` and ``inf`` are values.

        Raises:
            MetricError: one cannot be read for certain.
        """
        ...

    def end(self) -> float | None:
        """Returns a value that is known at the end only.

        Raises:
            MetricError: there was none.
        """
        ...


class CommandMetric(Protocol):
    """Where a metric is found."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def source(self) -> str:
        """Where it is found, in words."""
        ...

    def start(self, values: Mapping[str, Value]) -> Reading:
        """Begins to read one run, whose command is filled with these values."""
        ...
