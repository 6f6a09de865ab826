"""What other optimizers would do at the same parameters (Pan & Li, 2023, arXiv:2306.00204)."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.primitives.layout import working_dtype
from trimtab.primitives.modes import has_modes
from trimtab.primitives.wrapping import OptimizerWrapper, demands_closure


class PseudoUpdates:
    """The directions that several optimizers would take along one trajectory.

    Directions can be compared only at the same parameters, and optimizers on trajectories of their own are elsewhere.
    Here each of them sees every gradient of a trajectory that somebody else follows, keeps its state, and says in which
    direction it would go:

    .. code-block:: python

        pseudo = PseudoUpdates(model, {"sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.1), "lion": ...})
        for batch in loader:
            optimizer.zero_grad()
            loss_of(batch).backward()
            pseudo.observe()                      # before the step
            directions = pseudo.direction("sgd")  # the change of each parameter
            optimizer.step()

    Each optimizer has a copy of the model. Before its step the trajectory's parameters are copied there; its direction
    is by how much the step moves them, whatever its formula, weight decay included. So any ``torch.optim.Optimizer``
    will do that needs no more than gradients. An optimizer that remembers parameters of earlier steps (averages of
    weights, say) sees those of the trajectory and not its own.

    Differences: the scripts that go with the paper begin Adam's bias correction at its second step; here it is that of
    the optimizer.

    Warning:
        * A direction is the difference of two numbers in the parameter's precision (float32 at least), so a step far
          smaller than its parameter is known to few digits. Lengths do not matter for sharpness: give a ``lr`` that is
          not tiny.
        * An optimizer that draws from torch's global generator moves it on.

    Args:
        model: whose parameters the trajectory moves; it is not written to.
        algorithms: name to what builds the optimizer for a copy of the model.

    Raises:
        TypeError: something that was built is no optimizer, needs more than gradients (a session, the graph of the
            gradients, a closure), or has modes, as schedule-free ones do. The message names it.
        ValueError: building an optimizer changed the model's parameters.
    """

    def __init__(self, model: nn.Module, algorithms: Mapping[str, Callable[[nn.Module], Optimizer]]) -> None:
        self._params = list(model.parameters())
        self._optimizers: dict[str, Optimizer] = {}
        self._shadows: dict[str, list[Tensor]] = {}
        self._start: list[Tensor] | None = None
        self._moving: list[int] = []
        for name, build in algorithms.items():
            shadow = copy.deepcopy(model)
            for param in shadow.parameters():
                param.data = param.data.to(working_dtype(param.dtype))
            optimizer = build(shadow)
            refuse_unfit(name, optimizer)
            own: list[Tensor] = list(shadow.parameters())
            if [param.shape for param in own] != [param.shape for param in self._params]:
                raise ValueError(f"{name}: building the optimizer changed the model's parameters")
            self._optimizers[name], self._shadows[name] = optimizer, own

    @property
    def params(self) -> list[Tensor]:
        """The model's parameters that require a gradient now, each once. Gradients and directions are in this order."""
        return [param for param in self._params if param.requires_grad]

    @property
    def names(self) -> tuple[str, ...]:
        """The optimizers' names."""
        return tuple(self._optimizers)

    def observe(self, grads: Sequence[Float[Tensor, "..."] | None] | None = None) -> None:
        """Has every optimizer take its step from the model's present parameters.

        Args:
            grads: the gradients of ``params``, ``None`` where there is none; those in ``.grad`` by default. They are
                not written to. Under a gradient scaler, observe after ``scaler.unscale_``, and finite ones only.

        Raises:
            ValueError: there are more or fewer gradients than parameters, or a gradient has another shape.
        """
        params = self.params
        given = [param.grad for param in params] if grads is None else list(grads)
        if len(given) != len(params):
            raise ValueError(f"grads has {len(given)} tensors for {len(params)} parameters")
        for index, (param, grad) in enumerate(zip(params, given, strict=True)):
            if grad is not None and grad.shape != param.shape:
                raise ValueError(f"grads[{index}] has shape {tuple(grad.shape)}, not {tuple(param.shape)}")
        self._moving = [index for index, param in enumerate(self._params) if param.requires_grad]
        self._start = [param.detach().to(working_dtype(param.dtype), copy=True) for param in params]
        for name, optimizer in self._optimizers.items():
            for shadow, param in zip(self._shadows[name], self._params, strict=True):
                shadow.requires_grad_(param.requires_grad)
            for index, value, grad in zip(self._moving, self._start, given, strict=True):
                shadow = self._shadows[name][index]
                shadow.detach().copy_(value)
                shadow.grad = None if grad is None else grad.detach().to(shadow.dtype, copy=True)
            optimizer.step()
            for param in self._shadows[name]:
                param.grad = None

    def direction(self, name: str) -> list[Float[Tensor, "..."]]:
        """Returns by how much an optimizer's step would have changed each of ``params``, as they were last observed.

        Raises:
            ValueError: there is no such optimizer.
            RuntimeError: nothing has been observed yet, or not since a state was loaded.
        """
        if name not in self._optimizers:
            raise ValueError(f"name={name!r} must be one of {', '.join(self._optimizers)}")
        if self._start is None:
            raise RuntimeError("nothing has been observed yet: call observe() first")
        ends = [self._shadows[name][index].detach() for index in self._moving]
        return [end - value for end, value in zip(ends, self._start, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Returns the optimizers' states by name; the directions from the last step are not among them."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads what :meth:`state_dict` returned; from there, directions are the same bit for bit.

        Raises:
            ValueError: the names are others. Nothing was changed.
        """
        if state_dict.keys() != self._optimizers.keys():
            raise ValueError(f"the state is of {', '.join(state_dict)}, and here are {', '.join(self._optimizers)}")
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state_dict[name])
        self._start = None


def refuse_unfit(name: str, optimizer: object) -> None:
    """Checks that something is an optimizer which needs no more than gradients.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: built a {type(optimizer).__name__}, expected a torch.optim.Optimizer")
    inner: object = optimizer
    while inner is not None:
        kind = type(inner).__name__
        if hasattr(inner, "step_on"):
            raise TypeError(
                f"{name}: {kind} steps from more than gradients, which it takes from a session, and so has no "
                "direction for a gradient that is given"
            )
        if has_modes(inner) and not has_modes(getattr(inner, "inner", None)):
            raise TypeError(
                f"{name}: {kind} has modes for training and evaluation, because it trains with weights of its own "
                "trajectory, and so has no direction on another's"
            )
        if isinstance(inner, Optimizer) and demands_closure(inner):
            raise TypeError(f"{name}: {kind} evaluates the loss several times a step, by a closure")
        inner = inner.inner if isinstance(inner, OptimizerWrapper) else None
