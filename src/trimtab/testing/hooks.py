"""Checks of how others call an optimizer, and of what it calls."""

from typing import Any

import pytest
import torch
from torch.optim import optimizer as base

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import Suite, give, gradients, parameters, require_same


class HookChecks(Suite):
    """Hosts call a step and register hooks as they do with ``torch.optim``."""

    def test_closure_by_name(self) -> None:
        """``step(closure=None)`` is ``step()``: hosts pass the argument by its name."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        for step in range(3):
            give(params, step)
            optimizer.step(closure=None)
        require_same(params, self.run(), "step(closure=None) differs from step()")

    def test_global_step_hooks(self) -> None:
        """Hooks on the steps of all optimizers run once a step, around the optimizer's own, and are given it."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        seen: list[str] = []
        given: list[Any] = []

        def noted(name: str) -> Any:
            def hook(caller: Any, *_: Any) -> None:
                seen.append(name)
                given.append(caller)

            return hook

        handles = [
            base.register_optimizer_step_pre_hook(noted("all before")),
            base.register_optimizer_step_post_hook(noted("all after")),
            optimizer.register_step_pre_hook(noted("own before")),
            optimizer.register_step_post_hook(noted("own after")),
        ]
        try:
            follow(optimizer, params, gradients(params, 1))
        finally:
            for handle in handles:
                handle.remove()
        order = ["all before", "own before", "own after", "all after"]
        require(seen == order, f"the hooks of a step ran as {seen} instead of {order}")
        require(all(caller is optimizer for caller in given), "a hook was given another optimizer than the one stepped")

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_hook_order(self, when: str) -> None:
        """Hooks of saving and loading run in the order of registration, those with ``prepend=True`` first."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        follow(optimizer, params, gradients(params, 1))
        seen: list[str] = []

        def noted(name: str) -> Any:
            def hook(*_: Any) -> None:
                seen.append(name)

            return hook

        kinds = {
            "before": ("state_dict_pre", "load_state_dict_pre"),
            "after": ("state_dict_post", "load_state_dict_post"),
        }
        for kind in kinds[when]:
            register = getattr(optimizer, f"register_{kind}_hook")
            register(noted("second"))
            register(noted("third"))
            register(noted("first"), prepend=True)
        optimizer.load_state_dict(optimizer.state_dict())
        order = ["first", "second", "third"] * 2
        require(seen == order, f"the hooks {when} saving and loading ran as {seen} instead of {order}")

    def test_default_dtype(self) -> None:
        """``torch.set_default_dtype`` changes nothing for parameters that have a type."""
        expected = self.run()
        kept = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            actual = self.run()
        finally:
            torch.set_default_dtype(kept)
        require_same(actual, expected, "steps depend on torch's default type")

    def test_printed(self) -> None:
        """An optimizer can be printed, with its name and its settings."""
        optimizer = self.make(parameters(self.shapes))
        text = repr(optimizer)
        for name in (type(optimizer).__name__, *(key for key in ("lr", "weight_decay") if key in optimizer.defaults)):
            require(name in text, f"{name} is not in the printed form {text!r}")
