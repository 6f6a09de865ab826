"""Checks of copies and checkpoints: a run that was interrupted goes on bit for bit."""

import io
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.testing import resume
from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    REFUSALS,
    Gradients,
    Suite,
    gradients,
    parameters,
    require_moved,
    require_same,
    values,
)
from trimtab.testing.training import plain, same


def go_on_in_a_new_process(directory: Path) -> None:
    """Runs :mod:`trimtab.testing.resume` on what a directory holds, as a program of its own."""
    program = str(Path(resume.__file__).resolve())
    # -P: the directory of the program is no place to import from; this process's places are
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    done = subprocess.run(  # noqa: S603 - our own file
        [sys.executable, "-P", program, str(directory)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        failed = AssertionError(f"the new process failed: {last_words(done.stderr) or f'exit code {done.returncode}'}")
        failed.add_note(done.stderr)  # pytest prints it
        raise failed


def last_words(printed: str) -> str:
    """Returns the exception with which what a process printed ends, or its last line where there is no traceback."""
    *traced, last = re.split(r"^Traceback \(most recent call last\):\n(?: .*\n)*", printed, flags=re.MULTILINE)
    return last.strip() if traced else "".join(printed.splitlines()[-1:])


class SavingChecks(Suite):
    """Deep copies, pickles and state dicts hold all that the next steps depend on."""

    def half_way(self, dtype: torch.dtype = torch.float32) -> tuple[list[nn.Parameter], Optimizer, Gradients]:
        """Returns a run after three steps, whose first parameter started late, and the gradients to come."""
        params = parameters(self.shapes, dtype)
        groups: list[dict[str, Any]] = [{"params": params[:1]}, {"params": params[1:]}]
        rate = self.rate()
        if rate is not None and self.steps_at(rate, rate / 2):
            groups[1]["lr"] = rate / 2
        optimizer = self.make(groups, **self.decay())
        rest = self.resting()
        follow(optimizer, params, gradients(params, 2 + rest, without=[0]) + gradients(params, 1, 2 + rest))
        return params, optimizer, gradients(params, 3 + rest, 3 + rest)

    def steps_at(self, *rates: float) -> bool:
        """Returns whether two groups may have rates of their own; what a method refuses there is another check's."""
        params = parameters(self.shapes)
        parts = zip((params[:1], params[1:]), rates, strict=True)
        optimizer = self.make([{"params": part, "lr": rate} for part, rate in parts])
        try:
            follow(optimizer, params, gradients(params, 1))
        except REFUSALS:
            return False
        return True

    def fresh(self, params: list[nn.Parameter]) -> Optimizer:
        """Returns an optimizer with default settings, in as many groups as ``half_way`` makes."""
        return self.make([{"params": params[:1]}, {"params": params[1:]}])

    def test_deepcopy(self) -> None:
        """A deep copy goes on bit for bit, and on its own."""
        self.check_copy(deepcopy)

    def test_copied_attributes(self) -> None:
        """A deep copy has every public attribute that there is after a step."""
        params, optimizer, _ = self.half_way()
        _, copied = deepcopy((params, optimizer))
        lost = {name for name in vars(optimizer) if not name.startswith("_")} - vars(copied).keys()
        require(not lost, f"a deep copy lacks {', '.join(sorted(lost))}")

    def test_pickle(self) -> None:
        """An unpickled optimizer goes on bit for bit, and on its own."""
        self.check_copy(lambda pair: pickle.loads(pickle.dumps(pair)))  # noqa: S301 - made on the spot

    def check_copy(self, copy: Callable[[Any], Any]) -> None:
        """Copies parameters and optimizer together, and follows both."""
        params, optimizer, rest = self.half_way()
        copied, copied_optimizer = copy((params, optimizer))
        before = values(params)
        follow(copied_optimizer, copied, rest)
        require_same(params, before, "a step of the copy moved the original")
        require_moved(copied, before, "a step of the copy")
        follow(optimizer, params, rest)
        require_same(copied, params, "the copy goes on differently")
        require(same(copied_optimizer.state_dict(), optimizer.state_dict()), "the copy's state went another way")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
    def test_state_dict(self, dtype: torch.dtype) -> None:
        """A state that went through a file (``weights_only=True``) goes on bit for bit, settings included."""
        params, optimizer, rest = self.half_way(dtype)
        saved = through_a_file(optimizer.state_dict())
        resumed = [nn.Parameter(value) for value in values(params)]
        other = self.fresh(resumed)
        other.load_state_dict(saved)
        require(same(other.state_dict(), saved), "what is saved after loading differs from what was loaded")
        follow(other, resumed, rest)
        follow(optimizer, params, rest)
        require_same(resumed, params, "a loaded state goes on differently")

    def test_new_process(self) -> None:
        """Pickle and state dict go on bit for bit in a new process; the optimizer must be importable there."""
        params, optimizer, rest = self.half_way()
        resumed = [nn.Parameter(value) for value in values(params)]
        job = {
            "threads": torch.get_num_threads(),
            "unpickled": (params, optimizer),
            "params": resumed,
            "factory": self.factory(),
            "settings": dict(self.settings),
            "gradients": rest,
        }
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            (directory / "job.pickle").write_bytes(pickle.dumps(job))
            torch.save(optimizer.state_dict(), directory / "state.pt")
            go_on_in_a_new_process(directory)
            result: dict[str, list[Tensor]] = torch.load(directory / "result.pt", weights_only=True)
        follow(optimizer, params, rest)
        for way, moved in result.items():
            require_same(moved, params, f"in a new process the {way} goes on differently")

    def test_state_dict_keys(self) -> None:
        """A state dict has the standard form: ``state`` by index, ``param_groups`` with lists of indices."""
        params, optimizer, _ = self.half_way()
        state = optimizer.state_dict()
        require(state.keys() == {"state", "param_groups"}, f"the keys of state_dict() are {sorted(state)}")
        indices = list(range(len(params)))
        require(state["state"].keys() <= set(indices), f"state is not by index: {list(state['state'])}")
        held = [index for group in state["param_groups"] for index in group["params"]]
        require(held == indices, f"the groups hold {held} instead of the indices {indices}")
        for group, own in zip(state["param_groups"], optimizer.param_groups, strict=True):
            require(group.keys() == own.keys(), "a saved group lacks settings")

    def test_foreign_state_refused(self) -> None:
        """A state with another number of groups or parameters is refused with a ValueError; nothing changes."""
        params, optimizer, _ = self.half_way()
        before = plain(optimizer.state_dict())
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        # who makes groups of its own may make the same of several
        for groups in ([params], [params[:2], params[2:]], [params[:-1]]):
            others = self.make([{"params": group} for group in groups])
            if [len(group["params"]) for group in others.param_groups] == sizes:
                continue
            try:
                optimizer.load_state_dict(others.state_dict())
            except ValueError:
                require(plain(optimizer.state_dict()) == before, "a refused state was loaded in part")
            else:
                require(False, "a state of other parameter groups was accepted")

    def test_saved_state_not_aliased(self) -> None:
        """What ``state_dict()`` returned stays as it was while the run goes on."""
        params, optimizer, rest = self.half_way()
        saved = optimizer.state_dict()
        before = deepcopy(saved)
        follow(optimizer, params, rest)
        require(same(saved, before), "later steps wrote to a state dict that was already returned")

    def test_loaded_state_not_aliased(self) -> None:
        """``load_state_dict`` copies: later steps leave the loaded dict as it was, and do not listen to it."""
        params, optimizer, rest = self.half_way()
        saved = deepcopy(optimizer.state_dict())
        before = deepcopy(saved)
        optimizer.load_state_dict(saved)
        follow(optimizer, params, rest[:1])
        require(same(saved, before), "a step wrote to the state dict that was loaded")
        kept = plain(optimizer.state_dict())
        for state in saved["state"].values():
            for value in state.values():
                if isinstance(value, Tensor):
                    value.fill_(7)
        require(plain(optimizer.state_dict()) == kept, "writing to the loaded dict changed the optimizer")

    def test_state_dict_hooks(self) -> None:
        """Hooks may change what is saved and what is loaded."""
        _, optimizer, _ = self.half_way()
        optimizer.register_state_dict_post_hook(lambda _, state: {**state, "note": 1})
        saved = optimizer.state_dict()
        require(saved.get("note") == 1, "what a state_dict hook returned was dropped")
        seen: list[Any] = []

        def empty(_: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
            seen.append(state.get("note"))
            return {**state, "state": {}}

        optimizer.register_load_state_dict_pre_hook(empty)
        optimizer.register_load_state_dict_post_hook(lambda caller: seen.append(len(caller.state)))
        optimizer.load_state_dict(saved)
        require(seen == [1, 0], f"hooks of load_state_dict saw {seen} instead of [1, 0]")


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """Returns what ``torch.load`` makes of a saved state."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded
