"""Going back in a training loop: model, optimizer, random numbers, and the batches where they can be had again."""

import copy
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.lab.task import map_tensors


class RollBack(Protocol):
    """A way back to a moment of a run."""

    def save(self) -> Any:
        """Returns a copy of all that the run depends on, in plain values and tensors."""
        ...

    def restore(self, saved: Any, *, last: bool) -> None:
        """Goes back; ``saved`` is left as it is.

        Args:
            saved: what :meth:`save` returned.
            last: whether the run then goes on for good, so that batches need not be kept any longer.
        """
        ...


class ReplayedBatches:
    """Batches of a ``DataLoader``, or of anything else that yields some, which can be had again.

    It is what a loop iterates over in the place of the loader, once an epoch as before; an epoch then has as many steps
    more as batches come again. From :meth:`mark` on it keeps
    the batches that it yields; :meth:`rewind` yields them anew before it goes on with the loader, within an iteration
    that is under way. A batch is kept by reference: a loop must not write into it.

    Args:
        loader: iterated over, each time this is.
    """

    def __init__(self, loader: Iterable[Any]) -> None:
        self.loader = loader
        self._kept: deque[Any] = deque()
        self._position: int | None = None

    def __iter__(self) -> Iterator[Any]:
        """Yields kept batches first, then the loader's."""
        batches = iter(self.loader)
        while True:
            if self._kept and (self._position is None or self._position < len(self._kept)):
                if self._position is None:
                    yield self._kept.popleft()
                    continue
                batch = self._kept[self._position]
            else:
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                if self._position is None:
                    yield batch
                    continue
                self._kept.append(batch)
            self._position += 1
            yield batch

    @property
    def untouched(self) -> bool:
        """Whether no batch was taken since the last mark or rewind."""
        return self._position == 0

    @property
    def marked(self) -> bool:
        """Whether there is a mark to go back to."""
        return self._position is not None

    def mark(self) -> None:
        """Keeps batches from here on."""
        for _ in range(self._position or 0):
            self._kept.popleft()
        self._position = 0

    def rewind(self, *, keep: bool = True) -> None:
        """Goes back to the mark.

        Args:
            keep: whether to go on keeping batches; otherwise the mark is gone.

        Raises:
            RuntimeError: there is no mark.
        """
        if self._position is None:
            raise RuntimeError("there is no mark to go back to: call mark() first")
        self._position = 0 if keep else None

    def state_dict(self) -> dict[str, Any]:
        """Returns the kept batches, as is done within AutoLRS's; the loader's own position is not part of them."""
        return {"kept": list(self._kept), "position": self._position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        self._kept, self._position = deque(state_dict["kept"]), state_dict["position"]


class LoopRollBack:
    """The way back in a loop of one's own.

    Parameters, buffers, optimizer state, torch's global random state and ``extra_state`` come back bit for bit.

    Args:
        model: the model.
        optimizer: its optimizer.
        extra_state: whatever else has ``state_dict`` and ``load_state_dict`` and changes from step to step: a gradient
            scaler, an averaged model.
        batches: what the loop iterates over; ``None`` leaves the data where they are.
        on_cpu: whether the copy is kept in the main memory.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        extra_state: Sequence[Any] = (),
        batches: ReplayedBatches | None = None,
        *,
        on_cpu: bool = False,
    ) -> None:
        self._model, self._optimizer = model, optimizer
        self._extra, self._batches, self._on_cpu = tuple(extra_state), batches, on_cpu

    def save(self) -> dict[str, Any]:
        """Copies everything, and marks the place in the data."""
        if self._batches is not None:
            self._batches.mark()
        return {
            "model": {name: self._copied(tensor) for name, tensor in self._tensors().items()},
            "optimizer": map_tensors(self._optimizer.state_dict(), self._copied),
            "extra": [map_tensors(copy.deepcopy(each.state_dict()), self._copied) for each in self._extra],
            "random": torch.get_rng_state(),
            "random_cuda": [state.cpu() for state in torch.cuda.get_rng_state_all()],
        }

    def restore(self, saved: dict[str, Any], *, last: bool) -> None:
        """Goes back to where everything was copied; the data as well, until ``last``."""
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(saved["model"][name])
        self._optimizer.load_state_dict(copy.deepcopy(saved["optimizer"]))
        for each, state in zip(self._extra, saved["extra"], strict=True):
            each.load_state_dict(copy.deepcopy(state))
        torch.set_rng_state(saved["random"])
        if saved["random_cuda"]:
            torch.cuda.set_rng_state_all(saved["random_cuda"])
        if self._batches is not None and self._batches.marked:
            self._batches.rewind(keep=not last)

    def _tensors(self) -> dict[str, Tensor]:
        # state_dict() leaves out buffers that are not persistent, which the rest of a run may depend on all the same
        return dict(self._model.named_parameters()) | dict(self._model.named_buffers())

    def _copied(self, tensor: Tensor) -> Tensor:
        found = tensor.detach().clone()
        return found.cpu() if self._on_cpu else found


def loop_roll_back(
    model: nn.Module,
    optimizer: Optimizer,
    extra_state: Sequence[Any],
    batches: ReplayedBatches | None,
    *,
    on_cpu: bool,
) -> LoopRollBack:
    """Makes the way back of a user's loop, and warns if it leaves the data where they are.

    Raises:
        TypeError: an argument has the wrong type.
    """
    for each in extra_state:
        if not (hasattr(each, "state_dict") and hasattr(each, "load_state_dict")):
            raise TypeError(f"extra_state: {each!r} has no state_dict and load_state_dict")
    if batches is not None and not isinstance(batches, ReplayedBatches):
        raise TypeError(f"batches={batches!r} must be ReplayedBatches(loader), or None")
    if batches is None:
        warnings.warn(
            "AutoLRS takes model, optimizer and random numbers back after each trial, but not the data: trials see "
            "different batches. Iterate over ReplayedBatches(loader), and give it as batches=",
            stacklevel=3,
        )
    return LoopRollBack(model, optimizer, extra_state, batches, on_cpu=on_cpu)
