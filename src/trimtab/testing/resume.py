"""Goes on with a run that another process saved; the suite starts this file as a program of its own."""

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def follow(optimizer: Optimizer, params: Sequence[Tensor], gradients: list[list[Tensor | None]]) -> None:
    """Takes one step for each list of gradients, one gradient or ``None`` for each parameter."""
    for step in gradients:
        for param, grad in zip(params, step, strict=True):
            # Layouts are the parameter's own, as they are after a backward pass.
            param.grad = None if grad is None else torch.empty_like(param, requires_grad=False).copy_(grad)
        optimizer.step()


def in_training(optimizer: Optimizer) -> Optimizer:
    """Puts an optimizer that has modes as a module has them into the one in which it steps, and returns it."""
    if callable(getattr(optimizer, "train", None)) and callable(getattr(optimizer, "eval", None)):
        optimizer.train()  # type: ignore[attr-defined]
    return optimizer


def main(directory: Path) -> None:
    """Goes on twice: with the unpickled optimizer, and with a fresh one that loads the saved state."""
    job: dict[str, Any] = pickle.loads((directory / "job.pickle").read_bytes())  # noqa: S301 - our own parent wrote it
    torch.set_num_threads(job["threads"])
    params, optimizer = job["unpickled"]
    follow(optimizer, params, job["gradients"])

    fresh_params = job["params"]
    groups = [{"params": fresh_params[:1]}, {"params": fresh_params[1:]}]
    fresh = in_training(job["factory"](groups, **job["settings"]))
    fresh.load_state_dict(torch.load(directory / "state.pt", weights_only=True))
    follow(fresh, fresh_params, job["gradients"])

    result = {"pickle": params, "state_dict": fresh_params}
    torch.save({name: [param.detach() for param in values] for name, values in result.items()}, directory / "result.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
