"""Parameters that are spread over processes (DTensor, as in FSDP2): their local pieces, and sums over all pieces.

An element-wise rule needs nothing but the piece at hand. What is a number of the whole parameter, a norm say, is summed
over the processes among which the parameter is divided, and not over those that hold copies of it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


@dataclass(frozen=True)
class Shards:
    """How a parameter is divided.

    Args:
        mesh: the processes.
        placements: for each dimension of the mesh, whether the parameter is divided or copied along it.
    """

    mesh: Any
    placements: tuple[Any, ...]

    def local(self, tensor: Tensor) -> Tensor:
        """Returns the piece of this process, of a tensor that is divided as the parameter is, or is made so."""
        assert _is_distributed(tensor)  # noqa: S101 - what belongs to a parameter was checked when it was set
        sharded = cast("DTensor", tensor)
        if tuple(sharded.placements) != self.placements:
            sharded = sharded.redistribute(self.mesh, self.placements)
        return sharded.to_local()

    def whole(self, piece: Tensor, like: Tensor) -> Tensor:
        """Returns a piece as a part of a distributed tensor with the shape of ``like``."""
        from torch.distributed.tensor import DTensor

        return DTensor.from_local(
            piece, self.mesh, self.placements, run_check=False, shape=like.shape, stride=like.stride()
        )

    def divided(self, full: Tensor) -> Tensor:
        """Returns a tensor that every process holds in full, divided as the parameter is."""
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(full, self.mesh, self.placements, src_data_rank=None)

    def total(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Returns the sums of all processes' values, each piece of a parameter counted once."""
        import torch.distributed as dist

        for dimension in self._divided_along():
            dist.all_reduce(values, group=self.mesh.get_group(dimension))
        return values

    @property
    def coordinates(self) -> tuple[int, ...]:
        """Which piece this process holds; processes with copies of the same piece have the same."""
        own: Sequence[int] = self.mesh.get_coordinate()
        return tuple(own[dimension] for dimension in self._divided_along())

    def _divided_along(self) -> list[int]:
        # What FSDP2 makes of a layer that is divided already, _StridedShard, says no to is_shard().
        return [dimension for dimension, each in enumerate(self.placements) if not each.is_replicate()]


def shards_of(tensor: Tensor) -> Shards | None:
    """Returns how a tensor is divided, or None if it is an ordinary one.

    One whose summands the processes hold, as a gradient may be, has its sum in all of them.
    """
    if not _is_distributed(tensor):
        return None
    from torch.distributed.tensor import Replicate

    sharded = cast("DTensor", tensor)
    placements = (Replicate() if each.is_partial() else each for each in sharded.placements)
    return Shards(sharded.device_mesh, tuple(placements))


def local(tensor: Tensor) -> Tensor:
    """Returns the piece of this process, which of an ordinary tensor is all of it."""
    shards = shards_of(tensor)
    return tensor if shards is None else shards.local(tensor)


def gathered(tensor: Tensor) -> Tensor:
    """Returns the whole of a tensor on every process that holds a piece."""
    full: Tensor = tensor.full_tensor() if _is_distributed(tensor) else tensor  # type: ignore[attr-defined]
    return full


def _is_distributed(tensor: Tensor) -> bool:
    # Whoever made a distributed tensor has imported its module; nobody else should have to wait for it.
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)
