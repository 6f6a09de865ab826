"""What all controllers have in common: objects beside an optimizer that turn a knob of the run while it goes on."""

from typing import Any, Protocol, TypeAlias, runtime_checkable

History: TypeAlias = list[dict[str, float]]
"""What a controller did: a record for each change, with ``"step"`` and the new values of its knobs by name."""


@runtime_checkable
class Controller(Protocol):
    """Watches a run and sets knobs of it between steps: the learning rate, the momentum, the batch size.

    It stands beside an optimizer, as torch's schedulers do. What else it needs of the run, such as the gradients or a
    way back, it is given when it is made.

    Attributes:
        history: what it did so far.
    """

    history: History

    def observe(self, loss: float) -> None:
        """Takes note of a step that was just taken, and sets the knobs for the next one.

        Args:
            loss: of the batch, before the step.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that its future depends on, with the history, in plain values and tensors."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        ...
