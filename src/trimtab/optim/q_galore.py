"""Q-GaLore: GaLore in few bits, whose subspaces are renewed when they change (Zhang et al., 2024, arXiv:2407.08296).

Adapts   how often each matrix's subspace is found anew, and the bits of projections and weights.
Signal   the cosine between a matrix's last subspaces.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from torch import Tensor
from torch.optim import Optimizer

from trimtab.optim.galore.galore import GaLore, Group
from trimtab.optim.galore.subspace import Matrix, Move, ProjectionType, Settings, Subspace
from trimtab.primitives.flat.refusals import moves
from trimtab.primitives.hyperparameters import Interval, flag, one_of, optional, whole_number
from trimtab.primitives.low_rank import Basis, overlap, similarity
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.quantized_weight import QuantizedWeight
from trimtab.primitives.quantizer import QuantizedTensor, bit_width, quantize_affine
from trimtab.study.tunable import Tunables


class QGaLore(GaLore):
    r"""GaLore with quantised projections and weights, and with lazy subspaces.

    What :class:`~trimtab.optim.GaLore` does, and on top of it:

    * **Lazy subspaces.** At each decomposition after a matrix's first, the similarity of the new subspace to the last
      is noted. Once the last ``queue_size`` similarities have a mean of at least ``cos_threshold``, the matrix's own
      ``update_proj_gap`` is multiplied by ``gamma_proj`` and rounded down, but becomes one step longer at least, at
      this and at every further decomposition at which that is so. A layer that has settled is decomposed ever more
      rarely.
    * **Projections in 4 bits.** With the quantised projection gradients are projected, and steps projected back.
    * **Weights in 8 bits.** :func:`~trimtab.optim.quantize_linears` stores the weights of linear layers that way. After
      a step they are rounded at random, right on average: otherwise steps of less than half a quantum, 1/510 of the
      range of 256 weights, would be lost. The copy in floating point of one matrix lives during its own step only.

    State is in as few bits as the rule inside keeps it: ``QGaLore(torchao.optim.AdamW8bit(params))`` is the paper's
    8-bit Adam. With it a matrix of :math:`m \le n` takes :math:`1.02\,mn + 0.52\,mr + 2.03\,nr` bytes for weights,
    projection and state, where AdamW takes :math:`12\,mn`; a rule in float32 takes :math:`8\,nr` for its state.

    With ``proj_bits=None``, ``adaptive=False`` and weights in floating point it is GaLore bit for bit.

    Differences:
        * The official code compares first singular vectors by their cosine *with its sign*, which is arbitrary, so that
          a subspace that does not move can score -1. Here it is the absolute value; ``similarity="overlap"`` is
          :math:`\lVert P_\text{old} P_\text{new}^\top\rVert_F^2 / r` over the whole subspaces.
        * Steps are counted from the last decomposition; the official ``step % gap`` jumps when the gap doubles.
        * Ranges of quantised groups include zero, without which groups of one sign collapse; two 4-bit numbers share a
          byte.
        * The noise of rounding is a function of ``seed``, of the step and of the position.

    Warning:
        * Stochastic rounding adds noise to weights at every step. It pays where steps are smaller than about half a
          quantum; at larger learning rates rounding to the nearest is as good.
        * Gradients are in floating point, one for every weight, between the backward pass and the step.

    Args:
        optimizer: see :class:`~trimtab.optim.GaLore`.
        rank: see there.
        update_proj_gap: steps until the second decomposition, >= 1.
        scale: see there.
        proj_type: see there.
        svd: see there.
        seed: also of stochastic rounding.
        proj_bits: of the projection, from 2 to 8; ``None`` keeps it in the parameter's precision.
        proj_group_size: numbers of the projection that share a scale, >= 1.
        adaptive: whether gaps grow; otherwise ``update_proj_gap`` holds throughout.
        cos_threshold: mean similarity from which a gap grows, in [0, 1].
        gamma_proj: factor by which it grows, > 1.
        queue_size: similarities of which the mean is taken, >= 1.
        similarity: ``"first_vector"`` or ``"overlap"``.
        stochastic_rounding: whether 8-bit weights are rounded at random, or to the nearest.

    Raises:
        TypeError: see :class:`~trimtab.optim.GaLore`.
        ValueError: see there; or a weight in 8 bits would not be projected.
    """

    tunables: ClassVar[Tunables] = {}  # the rule's own: a higher rank is better and larger, and scale multiplies lr

    prefix = "q_galore"
    hyperparameters: ClassVar = {
        **GaLore.hyperparameters,
        "proj_bits": optional(bit_width),
        "proj_group_size": whole_number(1),
        "adaptive": flag,
        "cos_threshold": Interval(0.0, 1.0, closed=True),
        "gamma_proj": Interval(1.0, open=True),
        "queue_size": whole_number(1),
        "similarity": one_of("first_vector", "overlap"),
        "stochastic_rounding": flag,
    }

    def __init__(
        self,
        optimizer: Optimizer,
        rank: int | float | None = 0.25,
        *,
        update_proj_gap: int = 200,
        scale: float = 0.25,
        proj_type: ProjectionType = "std",
        svd: Literal["exact", "randomized"] = "exact",
        seed: int = 0,
        proj_bits: int | None = 4,
        proj_group_size: int = 256,
        adaptive: bool = True,
        cos_threshold: float = 0.4,
        gamma_proj: float = 2.0,
        queue_size: int = 5,
        similarity: Literal["first_vector", "overlap"] = "first_vector",
        stochastic_rounding: bool = True,
    ) -> None:
        self._begin(
            optimizer,
            rank=rank,
            update_proj_gap=update_proj_gap,
            scale=scale,
            proj_type=proj_type,
            svd=svd,
            seed=seed,
            proj_bits=proj_bits,
            proj_group_size=proj_group_size,
            adaptive=adaptive,
            cos_threshold=cos_threshold,
            gamma_proj=gamma_proj,
            queue_size=queue_size,
            similarity=similarity,
            stochastic_rounding=stochastic_rounding,
        )

    def _stored(self, matrix: Matrix, basis: Basis) -> Tensor | QuantizedTensor:
        bits = matrix.own["proj_bits"]
        if bits is None:
            return super()._stored(matrix, basis)
        return quantize_affine(basis, bits, matrix.own["proj_group_size"])

    def _gap(self, own: Settings, present: Subspace) -> int:
        return present.gap if own["adaptive"] and present.gap else super()._gap(own, present)

    def _remembered(self, own: Settings) -> int:
        queue_size: int = own["queue_size"]
        return queue_size if own["adaptive"] else 0

    def _following(self, own: Settings, last: Subspace | None, found: Basis, new: Subspace) -> Subspace:
        if not own["adaptive"]:
            return new
        by_vectors = own["similarity"] == "first_vector"
        vector = found[0].clone() if by_vectors else None
        if last is None or not last.decompositions:  # a random subspace says nothing
            return replace(new, first_vector=vector, gap=own["update_proj_gap"])
        if by_vectors:
            before = last.basis[0] if last.first_vector is None else last.first_vector
            noted = similarity(before.to(found.dtype), found[0])
        else:
            noted = overlap(last.basis.to(found.dtype), found)
        similarities = (*last.similarities, noted)[-own["queue_size"] :]
        gap = last.gap or own["update_proj_gap"]
        settled = len(similarities) == own["queue_size"] and sum(similarities) >= own["cos_threshold"] * len(
            similarities
        )
        gap = max(gap + 1, int(own["gamma_proj"] * gap)) if settled else gap
        return replace(new, first_vector=vector, gap=gap, similarities=similarities)

    def _value(self, param: Tensor) -> Tensor:
        return param.quantized.dequantize() if isinstance(param, QuantizedWeight) else super()._value(param)

    def _write(self, move: Move, value: Tensor) -> None:
        param, own = move.matrix.param, move.matrix.own
        if not isinstance(param, QuantizedWeight):
            super()._write(move, value)
        else:
            param.replace(value, move.noise_key(own["seed"]) if own["stochastic_rounding"] else None)

    def _refuse_weights(self, group: Group, chosen: Sequence[int]) -> None:
        for index, param in enumerate(group["params"]):
            if isinstance(param, QuantizedWeight) and moves(param) and index not in chosen:
                raise ValueError(
                    f"{parameter_name(group, index)} is stored in {param.bits} bits, and only projected weights can be "
                    "moved then: lower the rank, or leave it in floating point"
                )
