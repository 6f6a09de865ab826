"""What GaLore keeps of one matrix's subspace, and how it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.low_rank import Side
from trimtab.primitives.quantizer import QuantizedTensor

Settings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Subspace:
    """A subspace in which a matrix is moved. It is replaced, never changed.

    Args:
        projection: its basis, in the parameter's precision or with few bits; ``rank x side``.
        side: of the matrix, on which it is.
        age: steps taken in it.
        due: whether the next step shall look for another, whatever its age.
        decompositions: how many were made for this matrix so far.
        gap: age at which it is replaced.
        similarities: of the last subspaces, each to the one before.
        first_vector: the first singular vector before it was rounded, where similarities are those of first vectors.
    """

    projection: Tensor | QuantizedTensor
    side: Side
    age: int = 0
    due: bool = False
    decompositions: int = 0
    gap: int = 1
    similarities: tuple[float, ...] = ()
    first_vector: Float[Tensor, " side"] | None = None

    @property
    def basis(self) -> Float[Tensor, "rank side"]:
        """The basis in floating point."""
        return self.projection.dequantize() if isinstance(self.projection, QuantizedTensor) else self.projection

    @property
    def rank(self) -> int:
        """Its dimension."""
        return self.projection.shape[0]

    def older(self) -> "Subspace":
        """Returns it after one more step."""
        return replace(self, age=self.age + 1)

    def saved(self) -> dict[str, Any]:
        """Returns copies of all that it consists of, each a tensor or a plain value."""
        entries = {each.name: getattr(self, each.name) for each in fields(self)}
        if isinstance(self.projection, QuantizedTensor):
            entries |= {f"projection_{name}": value for name, value in self.projection.saved().items()}
            del entries["projection"]
        entries["similarities"] = list(self.similarities)
        return {name: value.clone() if isinstance(value, Tensor) else value for name, value in entries.items()}

    @classmethod
    def loaded(cls, saved: Settings, like: Tensor) -> "Subspace":
        """Returns what was saved, as copies where ``like`` is.

        Raises:
            ValueError: something is missing.
        """
        entries = dict(saved)
        try:
            if "projection" not in entries:
                codes = {name: entries.pop(f"projection_{name}") for name in QuantizedTensor.saved_names()}
                entries["projection"] = QuantizedTensor.loaded(codes, like)
            entries["similarities"] = tuple(entries["similarities"])
            own = {each.name: entries[each.name] for each in fields(cls)}
        except KeyError as missing:
            raise ValueError(f"a saved subspace lacks {missing}") from None
        placed = {
            name: value.detach().to(like.device, copy=True) if isinstance(value, Tensor) else value
            for name, value in own.items()
        }
        return cls(**placed)
