"""An optimizer whose steps read an estimate of the Hessian's diagonal, which it takes out of the gradients' graphs."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, overload

from torch import Tensor
from torch._compile import _disable_dynamo
from torch.nn.parameter import is_lazy

from trimtab.primitives import curvature
from trimtab.primitives.curvature import block_mean, refuse_uneven_blocks
from trimtab.primitives.flat.flat_step import FlatOptimizer, Group, Inputs
from trimtab.primitives.flat.refusals import moves, refuse_gradients_without_values, refuse_sparse_gradients
from trimtab.primitives.hutchinson import DiagonalEstimates, Member, cut_graphs
from trimtab.primitives.hyperparameters import POSITIVE, integer, whole_number
from trimtab.primitives.idle import is_idle
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.loss_scaling import Scaling, scaling_of
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.sharding import shards_of

if TYPE_CHECKING:
    from trimtab.lab.session import Session

NO_GRAPH = (
    "the gradients are differentiated once more, and none of them has kept its graph: call "
    "loss.backward(create_graph=optimizer.needs_graph) before optimizer.step()"
)
UNKNOWN_SCALE = (
    "the curvature is of a scaled loss, and after scaler.unscale_ nothing tells it the scale: call "
    "optimizer.accumulate_curvature(scaler.get_scale()) after each backward, before scaler.unscale_"
)
CLOSURE_UNDER_SCALER = (
    "a gradient scaler looks at gradients before the closure has computed them: call the closure first, and "
    "scaler.step(optimizer) without it"
)


class HessianDiagonalOptimizer(FlatOptimizer):
    """Gives a rule the diagonal of the Hessian as ``hessian_diag``, beside gradients and states.

    Its hyper-parameters are those of the estimate; :class:`~trimtab.optim.adahessian.adahessian.AdaHessian` describes
    them.
    """

    _step_supports_amp_scaling = True  # a scaler unscales gradients, and not what is made of their graph

    read_only = ("hessian_diag",)
    hyperparameters: ClassVar = {
        "block": curvature.block,
        "samples": whole_number(1),
        "every": whole_number(1),
        "seed": integer,
    }

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._estimates = DiagonalEstimates()
        self._given: Sequence[Tensor] | None = None
        self._scaling: Scaling | None = None
        super().__init__(*args, **settings)

    @classmethod
    def state_names_for(cls, hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns the rule's states and, where it must last for several steps, the diagonal."""
        return cls.state_names if hypers["every"] == 1 else (*cls.state_names, *cls.read_only)

    @property
    def needs_graph(self) -> bool:
        """Whether the next step needs the graph of the gradients; with ``every=1`` always.

        With ``every > 1``, also while some parameter that requires gradients has never had one.
        """
        return self._products() > 0

    @overload
    def step(self, closure: None = None, *, hessian_diag: Sequence[Tensor] | None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float], *, hessian_diag: Sequence[Tensor] | None = None) -> float: ...

    @_disable_dynamo
    def step(
        self, closure: Callable[[], float] | None = None, *, hessian_diag: Sequence[Tensor] | None = None
    ) -> float | None:
        """Takes one step with every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients, and keeps their graph if :attr:`needs_graph` says so; called
                first, with gradients enabled.
            hessian_diag: the diagonal where it is known, a tensor for each parameter of all groups; then no graph is
                needed.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: no gradient has kept its graph, or something in the graph has no second derivative; a gradient
                is sparse or, with ``check_finite``, a gradient or the diagonal is not finite; a scaler takes the step,
                and there is a closure, the diagonal is not finite, or the scale is not known. Nothing was written.
            TypeError: a hyper-parameter was set to a value of the wrong type. Nothing was written.
            ValueError: a hyper-parameter was set to a value outside its range, or a tensor of ``hessian_diag`` has
                another shape than its parameter. Nothing was written.
        """
        loss = None
        with scaling_of(self) as scaling:
            if scaling is not None and closure is not None:
                raise RuntimeError(CLOSURE_UNDER_SCALER)
            if scaling is not None and scaling.overflows:
                cut_graphs(param for group in self.param_groups for param in group["params"])
            else:
                self._given, self._scaling = hessian_diag, scaling
                try:
                    loss = super().step(closure)
                finally:
                    self._given = self._scaling = None
        self._estimates = DiagonalEstimates()
        return loss

    def step_on(self, session: "Session") -> Tensor:
        """Takes a step on a session's batch, whose products with the Hessian cost as much as so many gradients."""
        products = self._products()
        closure: Any = session.closure(create_graph=products > 0)  # it returns a tensor where torch says a float
        loss: Any = self.step(closure)
        session.meter.charge(products * session.samples)
        value: Tensor = loss
        return value

    def accumulate_curvature(self, loss_scale: float | None = None) -> None:
        """Takes the curvature out of the gradients and frees their graph, once for each micro-batch of a step.

        Call it after every ``backward``; after the last one the step does so too. The signs are the same for all, so
        that a step is that of one batch which holds them all. ``zero_grad`` forgets what was accumulated.

        Args:
            loss_scale: what the loss was multiplied with, ``scaler.get_scale()``; without it, what the scaler says that
                takes the step.

        Raises:
            RuntimeError: as for :meth:`step`.
            TypeError: ``loss_scale`` is not a number.
            ValueError: ``loss_scale`` is not positive, or not that of the step's other micro-batches.
        """
        if loss_scale is not None:
            scale, known = POSITIVE("loss_scale", loss_scale), self._estimates.loss_scale
            if known not in (None, scale):
                raise ValueError(f"loss_scale={scale}, and {known} before: the micro-batches of a step have one scale")
            self._estimates.loss_scale = scale
        for group in self.param_groups:
            group.update(self._checked(group))
            refuse_sparse_gradients(group, [param.grad for param in group["params"]], type(self).__name__)
        self._accumulate()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Resets the gradients, and forgets the curvature that was accumulated."""
        super().zero_grad(set_to_none)
        self._estimates = DiagonalEstimates()

    def read_beside_gradients(self, grads: Sequence[Sequence[Tensor | None]]) -> Sequence[Inputs]:
        """Returns the diagonals of groups that have new ones at every step; others keep theirs among the states."""
        scale = self._loss_scale()
        if self._given is None:
            self._accumulate()
        estimates = self._estimates.sums if self._given is None else self._by_parameter(self._given)
        fresh = {
            param: self._checked_mean(estimates[param], scale, group, index)
            for group in self.param_groups
            for index, param in enumerate(group["params"])
            if param in estimates
        }
        inputs: list[Inputs] = []
        for group, own in zip(self.param_groups, grads, strict=True):
            params = [param for param, grad in zip(group["params"], own, strict=True) if grad is not None]
            if group["every"] == 1:
                inputs.append([[fresh[param] for param in params]])
            else:
                inputs.append([])
                self._keep(group, {param: fresh[param] for param in params if param in fresh})
        if self._scaling is not None:
            self._scaling.unscale_(grad for own in grads for grad in own if grad is not None)
        return inputs

    def refuse_parameters(self, group: Group) -> None:
        """Checks the parameters of a group that is about to be added.

        Raises:
            TypeError: one is not of a real floating type, or divided over processes.
            ValueError: blocks do not fit.
        """
        super().refuse_parameters(group)
        for index, param in enumerate(group["params"]):
            if shards_of(param) is not None:
                raise TypeError(
                    f"{type(self).__name__} differentiates gradients once more, which does not work across processes, "
                    f"and {parameter_name(group, index)} is divided over some (FSDP2): use it without fully_shard"
                )
            if is_lazy(param):  # the first step checks it
                continue
            try:
                refuse_uneven_blocks(param.shape, group["block"])
            except ValueError as error:
                raise ValueError(f"{error}: give {parameter_name(group, index)} another block") from None

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._estimates, self._given, self._scaling = DiagonalEstimates(), None, None

    def _accumulate(self) -> None:
        due = self._due()
        graph = any(each.grad.requires_grad for each in due)
        if due and not (graph or self._estimates.sums or is_idle(self)):
            raise RuntimeError(NO_GRAPH)
        for group in self.param_groups:
            grads = [param.grad for param in group["params"]]
            refuse_gradients_without_values(group, grads, type(self).__name__)
        if any(self._steps(each.param) == 0 for each in due):  # the whole graph is walked, so once must do
            curvature.refuse_dead_ends([each.grad for each in due])
        self._estimates.add(due)
        cut_graphs(param for group in self.param_groups for param in group["params"])

    def _due(self) -> list[Member]:
        return [
            Member(param, group["samples"], (group["seed"], index, position, self._steps(param)))
            for index, group in enumerate(self.param_groups)
            for position, param in enumerate(group["params"])
            if param.grad is not None and self._is_due(param, group)
        ]

    def _is_due(self, param: Tensor, group: Group) -> bool:
        every: int = group["every"]
        return every == 1 or "hessian_diag" not in self.state.get(param, {}) or self._steps(param) % every == 0

    def _steps(self, param: Tensor) -> int:
        return int(self.state.get(param, {}).get("step", 0))

    def _products(self) -> int:
        """Returns how many products with the Hessian the next step takes."""
        return max(
            (
                group["samples"]
                for group in self.param_groups
                if any(param.requires_grad and self._is_due(param, group) for param in group["params"])
            ),
            default=0,
        )

    def _loss_scale(self) -> float:
        """Returns what the loss was multiplied with of which the curvature is taken."""
        if self._given is not None:
            return 1.0
        if self._estimates.loss_scale is not None:
            return self._estimates.loss_scale
        if self._scaling is None:
            return 1.0
        if self._scaling.scale is None and self._due():
            raise RuntimeError(UNKNOWN_SCALE)
        return 1.0 if self._scaling.scale is None else float(self._scaling.scale)

    def _by_parameter(self, given: Sequence[Tensor]) -> dict[Tensor, Tensor]:
        params = [param for group in self.param_groups for param in group["params"]]
        if len(given) != len(params):
            raise ValueError(f"hessian_diag has {len(given)} tensors for {len(params)} parameters")
        for index, (param, values) in enumerate(zip(params, given, strict=True)):
            if values.shape != param.shape:
                shapes = f"{tuple(values.shape)}, and its parameter has {tuple(param.shape)}"
                raise ValueError(f"hessian_diag[{index}] has shape {shapes}")
        return {
            param: values.detach().to(param.device, working_dtype(param.dtype))
            for param, values in zip(params, given, strict=True)
            if moves(param)
        }

    def _keep(self, group: Group, fresh: Mapping[Tensor, Tensor]) -> None:
        for param, diagonal in fresh.items():
            self.begin_state(param, self.state_names_for(group), group["state_dtype"])
            self.state[param]["hessian_diag"].copy_(diagonal)

    def _checked_mean(self, estimate: Tensor, scale: float, group: Group, index: int) -> Tensor:
        """Returns the magnitudes of an estimate, averaged over blocks."""
        diagonal = block_mean(estimate.abs() / scale if scale != 1 else estimate.abs(), group["block"])
        scaled = self._scaling is not None
        if (group["check_finite"] or scaled) and not diagonal.isfinite().all():
            remedy = f" under a loss scale of {scale:g}: lower it, or use bfloat16, which needs none" if scaled else ""
            name = parameter_name(group, index)
            raise RuntimeError(f"the Hessian's diagonal of {name} is not finite{remedy}; nothing was written")
        return diagonal
