"""What GaLore knows of one matrix: its place, its subspace, how that is saved, and what happens in a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from trimtab.primitives.low_rank import Side
from trimtab.primitives.quantizer import QuantizedTensor
from trimtab.primitives.refusals import parameter_name
from trimtab.primitives.rounding import rounding_key

ProjectionType: TypeAlias = Literal["std", "reverse_std", "left", "right"]
Settings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Subspace:
    """A subspace in which a matrix is moved. It is replaced, never changed.

    Args:
        projection: its basis, in the parameter's precision or with few bits; ``rank x side``.
        side: of the matrix, on which it is.
        decompositions: how many were made for this matrix so far.
        age: steps taken in it.
        due: whether the next step shall look for another, whatever its age.
        gap: age at which it is replaced, where every matrix has its own; else 0.
        similarities: of the last subspaces, each to the one before.
        first_vector: the first singular vector before it was rounded, where similarities are those of first vectors.
    """

    projection: Tensor | QuantizedTensor
    side: Side
    decompositions: int
    age: int = 0
    due: bool = False
    gap: int = 0
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
        copies = {name: value.clone() if isinstance(value, Tensor) else value for name, value in entries.items()}
        return {name: value for name, value in copies.items() if value is not None}

    @classmethod
    def loaded(cls, saved: Settings, param: Tensor) -> "Subspace":
        """Returns what was saved, as copies where the parameter is.

        Raises:
            ValueError: something is missing, or of the wrong shape.
        """
        entries: dict[str, Any] = {
            name: value.detach().to(param.device, copy=True) if isinstance(value, Tensor) else value
            for name, value in saved.items()
        }
        try:
            if "projection" not in entries:
                codes = {name: entries.pop(f"projection_{name}") for name in QuantizedTensor.saved_names()}
                entries["projection"] = QuantizedTensor.from_saved(codes)
            entries["similarities"] = tuple(entries["similarities"])
            loaded = cls(**{each.name: entries[each.name] for each in fields(cls) if each.name != "first_vector"})
        except KeyError as missing:
            raise ValueError(f"a saved subspace lacks {missing}") from None
        wanted, shape = param.shape[loaded.side == "right"], tuple(loaded.projection.shape)
        if len(shape) != 2 or shape[1] != wanted:
            raise ValueError(f"a saved projection has shape {shape}, and its parameter has {tuple(param.shape)}")
        return replace(loaded, first_vector=entries.get("first_vector"))


@dataclass(frozen=True)
class Matrix:
    """A parameter that is projected.

    Args:
        param: the parameter.
        group: its parameter group.
        own: the wrapper's settings of that group.
        position: the numbers of the group and of the matrix in it.
    """

    param: Tensor
    group: dict[str, Any]
    own: Settings
    position: tuple[int, int]

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return parameter_name(self.group, self.position[1])

    @property
    def side(self) -> Side:
        """On which side it is projected."""
        kind: ProjectionType = self.own["proj_type"]
        if kind in ("left", "right"):
            return kind
        high = self.param.shape[0] >= self.param.shape[1]
        return "right" if high == (kind == "std") else "left"

    @property
    def weight_decay(self) -> float:
        """Of its group."""
        decay: float = self.group.get("weight_decay", 0.0)
        return decay


@dataclass(frozen=True)
class Move:
    """What happens to a matrix in a step.

    Args:
        matrix: the matrix.
        subspace: in which it moves.
        stand_in: its coordinates there, which start at zero and have the projected gradient.
    """

    matrix: Matrix
    subspace: Subspace
    stand_in: nn.Parameter

    def noise_key(self, seed: int) -> float:
        """Returns the key of the noise with which the matrix is rounded after this step."""
        return rounding_key(seed, *self.matrix.position, self.subspace.decompositions, self.subspace.age)


def coordinates_of(shape: Sequence[int], subspace: Subspace) -> tuple[int, int]:
    """Returns the shape of a matrix's coordinates in a subspace."""
    rows, columns = shape
    return (rows, subspace.rank) if subspace.side == "right" else (subspace.rank, columns)
