"""What the catalogue's controllers have in common in experiments: settings, ranges and lines to paste."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch.optim import Optimizer

from trimtab.lab.controller import SessionController
from trimtab.primitives.hyperparameters import Check
from trimtab.study.tunable import Tunables

SOME_STEPS = 1000
"""Stands in code to paste for a run's length that is not known."""


class CatalogueController(SessionController):
    """A controller of a session that a candidate can name.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        **settings: the values of ``hyperparameters``.

    Attributes:
        prefix: begins the names of its settings in messages.
        hyperparameters: its settings, each with its check.
        tunables: ranges of those that are tuned.
        owns: settings of the optimizer that it sets by itself, so that they are not for tuning.
        bounds: of a setting that it owns, the two of its own that the ends of the optimizer's range go to.
        sets: settings of the optimizer that it writes to; two that write to the same one do not go together.
        usage: the lines that do the same in a loop of one's own, after ``optimizer`` was made, with the imports that
            they need; ``{name}`` stands for a setting, and ``{total_steps}`` for the length of the run.
        settings: its settings, checked.

    Raises:
        TypeError: ``beside`` is neither, or a setting has the wrong type.
        ValueError: a setting is outside its range.
    """

    prefix: ClassVar[str]
    hyperparameters: ClassVar[Mapping[str, Check]] = {}
    tunables: ClassVar[Tunables] = {}
    owns: ClassVar[tuple[str, ...]] = ()
    bounds: ClassVar[Mapping[str, tuple[str, str]]] = {}
    sets: ClassVar[tuple[str, ...]] = ("lr",)
    usage: ClassVar[str]

    def __init__(self, beside: Optimizer | SessionController, **settings: Any) -> None:
        super().__init__(beside)
        checks = self.hyperparameters
        self.settings = {name: checks[name](f"{self.prefix}_{name}", value) for name, value in settings.items()}

    @classmethod
    def usage_lines(cls, settings: Mapping[str, Any], total_steps: int | None = None) -> str:
        """Returns :attr:`usage` with its settings.

        Args:
            settings: name to value.
            total_steps: length of the run; some number, to be changed, by default.
        """
        return cls.usage.format(**settings, total_steps=SOME_STEPS if total_steps is None else total_steps)
