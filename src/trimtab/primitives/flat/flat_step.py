r"""The engine of element-wise update rules: everything about an optimizer but its mathematics.

A rule says in which direction a parameter moves. The engine holds the state, and writes

.. math:: p \leftarrow p\,(1 - \alpha\lambda) - \alpha\,d

with learning rate :math:`\alpha`, weight decay :math:`\lambda` and the rule's direction :math:`d`.

This file is the contract with ``torch.optim`` and with the user; that with the rule is in ``rule``. How the rule
becomes code is in ``kernel``, how parameters become flat memory in ``chunks``, and the two come together in ``walk``.
"""

from collections.abc import Callable, Sequence, Set
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias, overload

import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.optim.optimizer import ParamsT

from trimtab.primitives import saved_state
from trimtab.primitives.flat.chunks import Chunk, Plan
from trimtab.primitives.flat.compiling import CompileMode, Pinned
from trimtab.primitives.flat.kernel import Recipe, WeightDecay, rule_of
from trimtab.primitives.flat.options import ENGINE_CHECKS, EngineOptions, choose_modes
from trimtab.primitives.flat.refusals import (
    refuse_non_finite_gradients,
    refuse_other_types,
    refuse_shared_elements,
    refuse_sparse_gradients,
)
from trimtab.primitives.flat.rule import Inputs, UpdateRule
from trimtab.primitives.flat.walk import Scratch, Walk
from trimtab.primitives.flat.watching import Observer, Sums, step_norms
from trimtab.primitives.hyperparameters import keep_own_rate
from trimtab.primitives.idle import is_idle
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.members import count_once
from trimtab.primitives.rounding import rounding_key

Group: TypeAlias = dict[str, Any]

gradient: Callable[[Tensor], Tensor | None] = attrgetter("grad")

__all__ = ["EngineOptions", "FlatOptimizer", "Inputs", "WeightDecay"]


class FlatOptimizer(UpdateRule, torch.optim.Optimizer):
    """A ``torch.optim.Optimizer`` whose update is the same function of every element.

    What a subclass writes is described by :class:`~trimtab.primitives.flat.rule.UpdateRule`.

    Arithmetic is in float32, or in float64 for parameters of that type; a result is rounded once, when it is stored.
    Steps are counted for each parameter, because a parameter may get its first gradient late. ``lr = 0`` leaves
    parameters as they are. Gradients are never written to.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: learning rate, >= 0; a tensor of one element is copied.
        weight_decay: >= 0.
        state_dtype: what state is stored in; float32 by default, float64 for parameters of that type.
        rounding_seed: a whole number rounds what is stored in bfloat16 stochastically: up or down at random, so that it
            is right on average, and steps that are too small for the format are not lost. The noise is a function of
            this seed, the step and the position of the element, so a run that resumes goes on bit for bit. ``None``
            rounds to the nearest. Divided parameters get other noise than whole ones.
        compile: True compiles the rule, once for all parameters of a type; False runs it operation by operation;
            ``"auto"`` compiles if a compiler is at hand and the model is large enough to repay the start. The results
            differ in the last digit, so the first step's choice replaces ``"auto"`` in ``param_groups``, and is saved
            and loaded like every setting.
        check_finite: look at all gradients first, and refuse to step if one is not finite. It reads them once more.
        maximize: climb instead of descend.
        **hypers: the rule's own hyper-parameters.

    Raises:
        TypeError: a hyper-parameter has the wrong type, or a parameter is not of a real floating type.
        ValueError: a hyper-parameter is outside its range. Values that are set later, in ``param_groups``, are checked
            by the next :meth:`step`.
    """

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: float | Tensor,
        weight_decay: float,
        state_dtype: torch.dtype | None = None,
        rounding_seed: int | None = None,
        compile: CompileMode = "auto",
        check_finite: bool = False,
        maximize: bool = False,
        **hypers: object,
    ) -> None:
        unknown = hypers.keys() - self.hyperparameters.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no argument {', '.join(map(repr, sorted(unknown)))}")
        self._plans: dict[int, Plan] = {}
        self._modes: list[CompileMode] = []
        self._scratch = Scratch()
        self._observer: Observer | None = None
        defaults = {"lr": lr, "weight_decay": weight_decay, **hypers}
        defaults |= {"maximize": maximize, "state_dtype": state_dtype, "rounding_seed": rounding_seed}
        defaults |= {"compile": compile, "check_finite": check_finite}
        super().__init__(params, self._checked(defaults))

    def refuse_parameters(self, group: Group) -> None:
        """Checks the parameters of a group that is about to be added.

        Raises:
            TypeError: one is not of a real floating type.
            ValueError: elements of one share memory.
        """
        refuse_other_types(group, type(self).__name__)
        refuse_shared_elements(group, type(self).__name__)

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group of parameters; see ``torch.optim.Optimizer.add_param_group``.

        Raises:
            TypeError: a parameter is not of a real floating type, or a hyper-parameter has the wrong type.
            ValueError: a hyper-parameter is outside its range, or elements of a parameter share memory.
        """
        super().add_param_group({**param_group})
        group = self.param_groups[-1]
        count_once(group)
        try:
            group.update(self._checked(group))
            self.refuse_parameters(group)
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise
        keep_own_rate(group)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Takes one step with every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients; called first, with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse or, with ``check_finite``, not finite; or the rule shall be compiled, and
                there is no compiler. Nothing was written.
            TypeError: a hyper-parameter was set to a value of the wrong type, or a parameter that was unfrozen is of a
                type that is not real and floating. Nothing was written.
            ValueError: a hyper-parameter was set to a value outside its range. Nothing was written.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._step_everything(alone=closure is None)
        return loss

    def watch(self, observer: Observer | None) -> None:
        """Has every step report the norms of gradients, weights and updates, for a log.

        Args:
            observer: called after every step with one :class:`~trimtab.primitives.flat.watching.StepNorms` for each
                parameter group, e.g. to hand them to TensorBoard; ``None`` ends it, and then it costs nothing. Copies
                of the optimizer are not watched.
        """
        self._observer = observer

    def forget(self, params: Set[Tensor]) -> None:
        """Gives up the memory that was prepared for steps with parameters which do not come back.

        Args:
            params: these parameters.
        """
        self._plans = {index: plan for index, plan in self._plans.items() if params.isdisjoint(plan.params)}

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of the state, which later steps leave alone."""
        return saved_state.copied(super().state_dict())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans, self._modes = {}, []
        self._scratch = Scratch()
        # Torch comes here for a copy, which nobody watches, and also when a state is loaded.
        self._observer = getattr(self, "_observer", None)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads a copy of a state, in the precision in which it was saved.

        Raises:
            TypeError: a saved hyper-parameter has the wrong type. Nothing was changed.
            ValueError: the state is another optimizer's or another model's. Nothing was changed.
        """
        saved: dict[str, Any] = {}

        def check_and_keep(_: torch.optim.Optimizer, given: dict[str, Any]) -> dict[str, Any]:
            incoming = saved_state.without_blanks(given)
            saved.update(incoming)
            names = self._saved_names(incoming)
            saved_state.refuse_foreign_state(incoming, self.param_groups, names, type(self).__name__)
            return incoming

        def adopt(_: torch.optim.Optimizer) -> None:
            for param, own in saved_state.adopted(saved, self.param_groups, self._saved_names(saved)).items():
                self.state[param].update(own)

        with saved_state.loaded_by(self, check_and_keep, adopt):
            super().load_state_dict(state_dict)

    def _checked(self, group: Group) -> Group:
        """Returns the group's hyper-parameters as plain values, or says which is wrong."""
        checks = {**ENGINE_CHECKS, **self.hyperparameters}
        missing = checks.keys() - group.keys()
        if missing:
            raise ValueError(f"{type(self).__name__} needs {', '.join(sorted(missing))} in every parameter group")
        checked = {name: check(name, group[name]) for name, check in checks.items()}
        hypers = self._own_hypers(checked)
        self.weight_decay_for(hypers)
        self.norm_scaling_for(hypers)
        return checked

    def _own_hypers(self, group: Group) -> dict[str, Any]:
        return {name: group[name] for name in self.hyperparameters}

    @_disable_dynamo  # a compiled training step calls ours as it is
    def _step_everything(self, *, alone: bool) -> None:
        with Pinned():
            idle = alone and is_idle(self)
            grads = [list(map(gradient, group["params"])) for group in self.param_groups]
            for group, own in zip(self.param_groups, grads, strict=True):
                group.update(self._checked(group))
                refuse_sparse_gradients(group, own, type(self).__name__)
            self._choose_modes()
            refuse_non_finite_gradients([group for group in self.param_groups if group["check_finite"]])
            inputs = self.read_beside_gradients(grads)
            plans = [self._plan(index, own) for index, own in enumerate(grads)]  # refuses before anything is written
            if idle:  # there is state now, and nothing else has happened
                return
            sums = [self._step_group(index, plans[index], grads[index], inputs[index]) for index in range(len(grads))]
            if self._observer is not None:
                self._observer([step_norms(each) for each in sums])

    def _choose_modes(self) -> None:
        modes = [group["compile"] for group in self.param_groups]
        if "auto" in modes or modes != self._modes:  # looked at once, for it takes as long as a small step
            self._modes = choose_modes(self.param_groups)

    def _step_group(self, index: int, plan: Plan, all_grads: Sequence[Tensor | None], inputs: Inputs) -> list[Sums]:
        group = self.param_groups[index]
        hypers, grads = self._own_hypers(group), [grad for grad in all_grads if grad is not None]
        own, scaling = self._engine_numbers(group), self.norm_scaling_for(hypers)

        @cache
        def walk(step: int) -> Walk:
            scalars = self.scalars(step, **hypers)
            return Walk(self._recipe(group, tuple(scalars)), own, scalars, scaling, self._scratch)

        def noise(chunk: Chunk, position: int, step: int) -> float:
            seed = group["rounding_seed"]
            # Copies of the same piece must be rounded alike, and different pieces differently.
            return 0.0 if seed is None else rounding_key(seed, index, position, step, chunk.coordinates)

        steps = [chunk.count() for chunk in plan.chunks]
        return [
            walk(step)(chunk, grads, inputs, noise(chunk, position, step))
            for position, (step, chunk) in enumerate(zip(steps, plan.chunks, strict=True))
        ]

    def _recipe(self, group: Group, scalar_names: tuple[str, ...]) -> Recipe:
        hypers = self._own_hypers(group)
        return Recipe(
            direction=rule_of(self.direction_for(hypers)),
            scalar_names=scalar_names,
            weight_decay=self.weight_decay_for(hypers),
            maximize=group["maximize"],
            watched=self._observer is not None,
            rounded=group["rounding_seed"] is not None,
            compiled=group["compile"],
            read_only=len(self.read_only_for(hypers)),
        )

    def _plan(self, index: int, all_grads: Sequence[Tensor | None]) -> Plan:
        group, grads = self.param_groups[index], [grad for grad in all_grads if grad is not None]
        names, params = self.state_names_for(self._own_hypers(group)), group["params"]
        if len(grads) < len(params):
            params = [param for param in params if param.grad is not None]
        plan = self._plans.get(index)
        if plan is None or not plan.fits(params, grads, self.state, names):
            refuse_other_types(group, type(self).__name__)  # one may have been frozen when it was added
            for param in params:
                self.begin_state(param, names, group["state_dtype"])
            plan = self._plans[index] = Plan(params, grads, self.state, names)
        return plan

    def _engine_numbers(self, group: Group) -> dict[str, float]:
        lr, weight_decay = float(group["lr"]), group["weight_decay"]
        shrinks = {"decoupled": lr * weight_decay, "fixed": weight_decay if lr else 0.0}
        shrink = shrinks.get(self.weight_decay_for(self._own_hypers(group)), 0.0)
        return {"lr": lr, "shrink": 1.0 - shrink, "decay": weight_decay}

    def begin_state(self, param: Tensor, names: tuple[str, ...], dtype: torch.dtype | None) -> None:
        """Makes the states of a parameter that it has not got yet."""
        state: dict[str, Any] = self.state[param]
        state.setdefault("step", 0)
        for name in names:
            if name not in state:
                state[name] = torch.zeros_like(param, dtype=dtype or working_dtype(param.dtype))

    def _saved_names(self, saved: dict[str, Any]) -> list[tuple[str, ...]]:
        return [self.state_names_for(self._own_hypers(self._checked(group))) for group in saved["param_groups"]]
