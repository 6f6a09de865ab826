"""What GaLore knows of one matrix: its place, its subspace, how that is saved, and what happens in a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trimtab.primitives.low_rank import Side
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.quantizer import QuantizedTensor
from trimtab.primitives.rounding import rounding_key

ProjectionType: TypeAlias = Literal["std", "reverse_std", "left", "right"]
Settings: TypeAlias = Mapping[str, Any]

_NO_SIMILARITY = -1.0
"""Stands where none is noted yet; they are not negative."""

_OF_CODES = ("codes", "scale", "zero", "bits", "group_size")
"""What a projection in few bits consists of, beside its shape."""


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

    def kept(self, remembered: int = 0) -> dict[str, Any]:
        """Returns all that it consists of, as tensors and numbers: distributed checkpointing flattens nothing else.

        Args:
            remembered: how many similarities there may be; there is a place for each, so that shapes stay the same.
        """
        entries: dict[str, Any] = {
            "right": self.side == "right",
            "decompositions": self.decompositions,
            "age": self.age,
            "due": self.due,
            "gap": self.gap,
        }
        if isinstance(self.projection, QuantizedTensor):
            entries |= {f"projection_{name}": getattr(self.projection, name) for name in _OF_CODES}
            entries["projection_rank"] = self.rank
        else:
            entries["projection"] = self.projection
        if remembered:
            empty = [_NO_SIMILARITY] * (remembered - len(self.similarities))
            entries["similarities"] = torch.tensor([*self.similarities, *empty], dtype=torch.float64)
        return entries if self.first_vector is None else {**entries, "first_vector": self.first_vector}

    @classmethod
    def of(cls, kept: Settings, param: Tensor) -> "Subspace":
        """Returns what :meth:`kept` returned for a parameter, put together again.

        Raises:
            ValueError: something is missing, or of the wrong shape.
        """
        try:
            side: Side = "right" if kept["right"] else "left"
            wanted = param.shape[side == "right"]
            if "projection" in kept:
                projection = kept["projection"]
            else:
                codes = {name: kept[f"projection_{name}"] for name in _OF_CODES}
                projection = QuantizedTensor(**codes, shape=torch.Size((kept["projection_rank"], wanted)))
            found = cls(projection, side, **{name: kept[name] for name in ("decompositions", "age", "due", "gap")})
        except KeyError as missing:
            raise ValueError(f"a saved subspace lacks {missing}") from None
        shape = tuple(projection.shape)
        if len(shape) != 2 or shape[1] != wanted:
            raise ValueError(f"a saved projection has shape {shape}, and its parameter has {tuple(param.shape)}")
        noted = (
            [each for each in kept["similarities"].tolist() if each != _NO_SIMILARITY] if "similarities" in kept else ()
        )
        return replace(found, similarities=tuple(noted), first_vector=kept.get("first_vector"))


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
