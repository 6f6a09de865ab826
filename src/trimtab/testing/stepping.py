"""Checks of a step: what it calls, what it reads and what it leaves alone."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.testing.exceptions import require
from trimtab.testing.global_randomness import global_states, require_untouched, same_draws
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    Suite,
    give,
    gradients,
    held,
    parameters,
    require_close,
    require_moved,
    require_same,
    values,
)


class StepChecks(Suite):
    """A step moves what has a gradient, and touches nothing else."""

    def test_closure(self) -> None:
        """A closure runs with gradients enabled, even under ``no_grad``, and its loss is returned."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        modes, losses = [], []

        def closure() -> Tensor:
            modes.append(torch.is_grad_enabled())
            optimizer.zero_grad()
            with torch.enable_grad():  # the mode was noted; what follows shall not fail for it
                loss = torch.stack([(param * 3).square().sum() for param in params]).sum()
                loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.item())
            return loss.detach()

        follow(optimizer, params, gradients(params, self.resting()))
        before = values(params)
        for outer in (False, True):
            modes.clear()
            losses.clear()
            with torch.set_grad_enabled(outer):
                result: Any = optimizer.step(closure)  # type: ignore[arg-type]
                require(torch.is_grad_enabled() is outer, "step changed the caller's grad mode")
            require(modes, "the closure was not called")
            require(all(modes), f"the closure ran with gradients disabled (outside they were {outer})")
            require(result is not None, "step returned nothing instead of the closure's loss")
            require(float(result) == losses[0], f"step returned {float(result)} instead of the loss {losses[0]}")
        require_moved(params, before, "a step with a closure")

    def test_step_builds_no_graph(self) -> None:
        """A step runs under ``no_grad``: parameters stay leaves, and state needs no gradient."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        give(params)
        with torch.enable_grad():
            optimizer.step()
            require(torch.is_grad_enabled(), "step left gradients disabled")
        for param in params:
            require(param.is_leaf and param.requires_grad, "a parameter is no longer a leaf that requires gradients")
            for name, value in optimizer.state.get(param, {}).items():
                needs = isinstance(value, Tensor) and value.requires_grad
                require(not needs, f"state {name!r} requires a gradient: step has kept the graph")

    def test_step_hooks(self) -> None:
        """Hooks run once a step, before and after the parameters move, until they are removed."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        follow(optimizer, params, gradients(params, self.resting()))
        before = values(params)
        seen: list[tuple[str, bool, bool]] = []

        def note(when: str) -> Any:
            def hook(caller: Optimizer, _args: Any, _kwargs: Any) -> None:
                moved = any(not torch.equal(param, old) for param, old in zip(params, before, strict=True))
                seen.append((when, moved, caller is optimizer))

            return hook

        handles = [optimizer.register_step_pre_hook(note("pre")), optimizer.register_step_post_hook(note("post"))]
        give(params)
        optimizer.step()
        expected = [("pre", False, True), ("post", True, True)]
        require(seen == expected, f"hooks saw {seen}, expected (when, moved, same optimizer): {expected}")
        for handle in handles:
            handle.remove()
        optimizer.step()
        require(len(seen) == 2, "a removed hook was called")

    def test_gradients_unchanged(self) -> None:
        """A step neither writes to gradients nor replaces them."""
        for setting in ({}, self.decay(), self.ascent()):
            params = parameters(self.shapes)
            optimizer = self.make(params, **setting)
            for step in range(2):
                grads = give(params, step)
                copies = values(grads)
                optimizer.step()
                require(
                    all(param.grad is grad for param, grad in zip(params, grads, strict=True)),
                    f"a gradient was replaced with settings {setting}",
                )
                require_same(grads, copies, f"a gradient was written to with settings {setting}")

    def test_storage_not_moved(self) -> None:
        """Parameters are updated in place: views and other holders of their memory see the new values."""
        params = parameters(self.shapes)
        views = [param.detach() for param in params]
        before = values(params)
        optimizer = self.make(params)
        rest = self.resting()
        follow(optimizer, params, gradients(params, 2 + rest))
        optimizer.load_state_dict(optimizer.state_dict())
        follow(optimizer, params, gradients(params, 1, 2 + rest))
        for param, view in zip(params, views, strict=True):
            require(param.data_ptr() == view.data_ptr(), "a parameter's storage was moved")
        require_same(views, params, "a view taken before the step does not see it")
        require_moved(views, before, "an update in place")
        require(set(map(id, held(optimizer))) == set(map(id, params)), "the groups hold other parameters")

    def test_global_random_state(self) -> None:
        """Building, stepping, saving and loading leave the global random generators as they were."""
        params = parameters(self.shapes)
        before = global_states()
        optimizer = self.make(params)
        follow(optimizer, params, gradients(params, 2))
        optimizer.load_state_dict(optimizer.state_dict())
        follow(optimizer, params, gradients(params, 2, 2))
        require_untouched(before)

    def test_zero_lr(self) -> None:
        """A step with ``lr = 0`` and zero gradients makes the state and leaves parameters, for checkpointing."""
        self.default_lr()
        for scale in (0, 1):
            params = parameters(self.shapes)
            before = values(params)
            optimizer = self.make(params, **self.decay())
            for group in optimizer.param_groups:
                group["lr"] = 0.0
            for grad in give(params):
                grad.mul_(scale)
            optimizer.step()
            require_same(params, before, f"lr = 0 moved a parameter (gradients times {scale})")

            stepped = parameters(self.shapes)
            other = self.make(stepped, **self.decay())
            give(stepped)
            other.step()
            kept = [
                set(optimizer.state[param]) == set(other.state[twin])
                for param, twin in zip(params, stepped, strict=True)
            ]
            require(all(kept), "a step with lr = 0 does not make the state that an ordinary step makes")

    def test_maximize(self) -> None:
        """``maximize=True`` is a descent along the negated gradient, in each way in which steps are computed."""
        if not self.ascent():
            pytest.skip("maximize is not among the optimizer's settings")
        for way in self.ways():
            params, settings = parameters(self.shapes), {**self.decay(), **way}
            negated = [[None if grad is None else -grad for grad in step] for step in gradients(params, 3)]
            with same_draws():
                follow(self.make(params, maximize=True, **settings), params, negated)
            told = f" (foreach={way['foreach']})" if way else ""
            require_same(params, self.run(settings), f"maximize differs from descent along the negated gradient{told}")

    def test_zero_grad(self) -> None:
        """``zero_grad`` drops gradients, or zeroes them with ``set_to_none=False``."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        grads = give(params)
        optimizer.zero_grad(set_to_none=False)
        require(all(param.grad is grad for param, grad in zip(params, grads, strict=True)), "a gradient was replaced")
        require(not any(grad.any() for grad in grads), "zero_grad(set_to_none=False) left a gradient")
        optimizer.zero_grad()
        require(all(param.grad is None for param in params), "zero_grad() left a gradient")

    def test_without_gradients(self) -> None:
        """A parameter whose gradient is ``None`` rests, weight decay included, also when none has a gradient."""
        params = parameters(self.shapes)
        before = values(params)
        optimizer = self.make(params, **self.decay())
        optimizer.step()
        require_same(params, before, "a step without any gradient moved a parameter")
        follow(optimizer, params, gradients(params, 2 + self.resting(), without=[0]))
        require_same(params[:1], before[:1], "a parameter without gradient moved")
        require_moved(params[1:], before[1:], "a step in which another parameter has no gradient")
        resting = values(params)
        optimizer.zero_grad()
        optimizer.step()
        require_same(params, resting, "a parameter that lost its gradient moved")

    def test_late_gradients(self) -> None:
        """A parameter that gets its first gradient late moves as it would have from the start."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        follow(optimizer, params, gradients(params, 3, without=[0]))
        before, steps = values(params), 2 + self.resting()
        follow(optimizer, params, gradients(params, steps))
        require_moved(params, before, "a step with a late gradient")
        early = parameters(self.shapes)
        follow(self.make(early[:1]), early, gradients(early, steps))
        require_same(params[:1], early[:1], "a late parameter does not start like an early one")

    def test_order_of_parameters(self) -> None:
        """The same parameters in another order end up the same."""
        params = parameters(self.shapes)
        follow(self.make(params[::-1], **self.decay()), params, gradients(params, 3))
        require_same(params, self.run(self.decay()), "the order of the parameters makes a difference")

    def ascent(self) -> dict[str, bool]:
        """Returns that a maximum is looked for, as a setting, or nothing where that cannot be set."""
        told = {"maximize": True}
        return told if self.takes("maximize") and self.makes(told) else {}

    @pytest.mark.parametrize("case", ["plain", "decay", "cancelling"])
    def test_foreach(self, case: str) -> None:
        """``foreach=True`` and ``foreach=False`` agree to rounding, also where momentum and gradient cancel."""
        if self.ways() == [{}]:
            pytest.skip("foreach is not among the optimizer's settings")
        defaults = self.defaults()
        named = [value for name in ("momentum", "beta", "betas") for value in as_tuple(defaults.get(name))]
        for momentum in dict.fromkeys(named) if case == "cancelling" else (None,):
            for settings in self.decay_forms() if case == "decay" else ({},):
                ends = []
                for way in (True, False):
                    params = parameters(self.shapes)
                    steps = gradients(params, 3)
                    if momentum is not None:  # an average of these two is nothing, but for rounding
                        steps[1] = [None if grad is None else -momentum * grad for grad in steps[0]]
                    follow(self.make(params, **settings, foreach=way), params, steps)
                    ends.append(values(params))
                require_close(ends[0], ends[1], "foreach=True differs from foreach=False")


def as_tuple(value: Any) -> tuple[float, ...]:
    """Returns the numbers that a setting is made of."""
    several = value if isinstance(value, tuple | list) else (value,)
    return tuple(each for each in several if isinstance(each, float))
