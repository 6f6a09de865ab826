"""What an element-wise update rule says of itself; the engine that runs it is in ``flat_step``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.flat.kernel import WeightDecay
from trimtab.primitives.flat.walk import NormScaling
from trimtab.primitives.hyperparameters import Check

Inputs: TypeAlias = Sequence[Sequence[Tensor]]
"""What a rule reads of the parameters of one group, beside gradients and states."""


class UpdateRule:
    """A rule: the direction in which every element moves, as a function of its gradient and its state.

    A rule writes :meth:`direction`, most often :meth:`scalars`, and class attributes. One with options takes them as
    hyper-parameters: :meth:`scalars` turns them into numbers, and where an option changes what is stored, how weights
    decay or the rule itself, :meth:`state_names_for`, :meth:`weight_decay_for` or :meth:`direction_for` says so.
    Options may differ by group.

    Attributes:
        state_names: the tensors kept for each parameter, which start at zero, in the order that ``direction`` takes.
        weight_decay: ``"decoupled"`` shrinks the parameter by ``lr * weight_decay``, ``"fixed"`` by ``weight_decay``;
            ``"coupled"`` adds ``weight_decay * parameter`` to the gradient, ``"direction"`` to the direction.
        hyperparameters: the rule's own hyper-parameters, each with its check; they are what ``scalars`` gets.
        read_only: the last of what ``direction`` takes, which it does not return: states that the optimizer renews by
            itself, or what :meth:`read_beside_gradients` returns.
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    weight_decay: ClassVar[WeightDecay] = "decoupled"
    hyperparameters: ClassVar[Mapping[str, Check]] = {}
    read_only: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def scalars(step: int, /, *args: Any, **hypers: Any) -> dict[str, float]:
        """Returns what :meth:`direction` needs to know besides tensors, as Python numbers.

        Args:
            step: 1 at a parameter's first step.
            *args: nothing; it lets subclasses spell their hyper-parameters out.
            **hypers: the values of ``hyperparameters``.
        """
        raise NotImplementedError

    @staticmethod
    def direction(grad: Float[Tensor, "..."], *args: Any, **kwargs: Any) -> tuple[Float[Tensor, "..."], ...]:
        """Returns the direction and the new value of every state that is not read only; writes to no argument.

        Args:
            grad: the gradient, with coupled weight decay and with the sign of a minimisation.
            *args: the states, in the order of ``state_names``, and then what :meth:`read_beside_gradients` returned.
            **kwargs: what :meth:`scalars` returned.
        """
        raise NotImplementedError

    @classmethod
    def direction_for(cls, _hypers: Mapping[str, Any], /) -> Callable[..., tuple[Tensor, ...]]:
        """Returns the rule that is followed under these hyper-parameters, which :meth:`direction` describes."""
        return cls.direction

    @classmethod
    def read_only_for(cls, _hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns the names of what the rule only reads under these hyper-parameters."""
        return cls.read_only

    @classmethod
    def state_names_for(cls, _hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns the names of what is stored under these hyper-parameters."""
        return cls.state_names

    @classmethod
    def weight_decay_for(cls, _hypers: Mapping[str, Any], /) -> WeightDecay:
        """Returns how weights decay under these hyper-parameters.

        Raises:
            ValueError: some of them contradict each other.
        """
        return cls.weight_decay

    @classmethod
    def norm_scaling_for(cls, _hypers: Mapping[str, Any], /) -> NormScaling | None:
        """Returns how the norms of a parameter scale its step under these hyper-parameters, if they do.

        Raises:
            ValueError: some of them contradict each other.
        """
        return None

    def read_beside_gradients(self, grads: Sequence[Sequence[Tensor | None]]) -> Sequence[Inputs]:
        """Returns what the rule reads of every parameter beside its gradient and its states.

        It is called once a step, when nothing stands in the way of the step any more and nothing was written.

        Args:
            grads: for each group, the gradients of all its parameters.

        Returns:
            For each group a sequence of inputs, which ``direction`` gets after the states. Each input is one tensor for
            each parameter of the group that has a gradient, in the parameter's shape.
        """
        return [()] * len(grads)
