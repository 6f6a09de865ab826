"""Parameters as pieces of flat memory that a kernel can walk through: large ones alone, small ones side by side."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter, is_, itemgetter
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch._utils import _flatten_dense_tensors
from torch.autograd.graph import increment_version

from trimtab.primitives.layout import flat, in_layout_of, is_dense, shaped_like
from trimtab.primitives.sharding import local, shards_of

State: TypeAlias = dict[str, Any]
States: TypeAlias = Mapping[Tensor, State]
Flat: TypeAlias = Float[Tensor, " n"]

SMALL = 2**15
"""Tensors with fewer elements are gathered: copying them costs less than a call of a kernel."""
_ROW = 2**12
"""Elements of which a thread takes the norm; a norm of a whole memory is torch's work on a single thread."""
BUCKET_SIZE = 2**18
"""Elements after which the next bucket begins: what is gathered shall still be in the cache when it is used."""

# Hundreds of small parameters are looked through at every step: `map` spares a Python loop.
dtype_of: Callable[[Any], torch.dtype] = attrgetter("dtype")


@dataclass(frozen=True)
class Member:
    """A parameter in its group.

    Args:
        index: its place among the group's parameters that have gradients.
        param: the parameter.
        state: its entry in the optimizer's state.
        grad_dtype: type of its gradient.
    """

    index: int
    param: Tensor
    state: State
    grad_dtype: torch.dtype

    def kind(self, names: tuple[str, ...]) -> Hashable:
        """Returns what members of one bucket have in common."""
        dtypes = tuple(self.state[name].dtype for name in names)
        param = self.param
        return param.device, param.dtype, shards_of(param), self.grad_dtype, dtypes, self.state["step"]


@dataclass(frozen=True)
class Chosen:
    """Some of a chunk's parameters: whether there are any, whether it is all of them, and which."""

    any: bool
    all: bool
    each: Bool[Tensor, " params"]


class Chunk(ABC):
    """Parameters that take a step together.

    Args:
        members: all on one device, of one type, divided over processes alike, with gradients of one type, states of
            the same types and the same step count.
        names: the states that the rule has.
    """

    def __init__(self, members: Sequence[Member], names: tuple[str, ...]) -> None:
        self.indices = [member.index for member in members]
        self.params, self.states, self.names = [m.param for m in members], [m.state for m in members], names
        self.shards = shards_of(self.params[0])
        self.pieces = self._local(param.detach() for param in self.params)
        self.addresses = list(map(Tensor.data_ptr, self.pieces))
        self.grad_dtype = members[0].grad_dtype
        self.stored: dict[str, list[Tensor]] = {}
        """The state tensors that the flat memory belongs to."""
        self._chosen: dict[Callable[[Tensor], bool], Chosen] = {}

    def fits(self, grads: Sequence[Tensor]) -> bool:
        """Returns whether everything is where it was: parameters may be moved and states be replaced by their owner."""
        return (
            len(set(map(itemgetter("step"), self.states))) == 1
            and list(map(Tensor.data_ptr, self._local(self.params))) == self.addresses
            and _are(map(dtype_of, self._own(grads)), repeat(self.grad_dtype))
            and all(_are(map(itemgetter(name), self.states), self.stored[name]) for name in self.names)
        )

    def chosen(self, applies: Callable[[Tensor], bool]) -> Chosen:
        """Returns which parameters a function says yes to; it must always say the same."""
        if applies not in self._chosen:
            flags = list(map(applies, self.params))
            self._chosen[applies] = Chosen(any(flags), all(flags), torch.tensor(flags, device=self.params[0].device))
        return self._chosen[applies]

    def count(self) -> int:
        """Counts a step for every parameter, and returns its number."""
        step: int = self.states[0]["step"] + 1
        for state in self.states:
            state["step"] = step
        return step

    @abstractmethod
    def load(self, grads: Sequence[Tensor]) -> tuple[Flat, Flat, Sequence[Flat]]:
        """Returns the present parameters, gradients and states as flat memory.

        Args:
            grads: those of all parameters of the plan.
        """

    @abstractmethod
    def gathered(self, values: Sequence[Tensor]) -> Flat:
        """Returns something else that every parameter of the plan has one of, as flat memory beside the parameters'."""

    def store(self) -> None:
        """Writes the parameters back from flat memory to where they live, and tells autograd."""
        increment_version(self.params)

    @abstractmethod
    def squares(self, values: Flat) -> Float[Tensor, "..."]:
        """Returns the squared norm of each parameter's piece of ``values``."""

    @abstractmethod
    def spread(self, each: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Returns one number for each parameter in a shape that multiplies flat memory."""

    def total(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Returns the sums of what the processes found in their pieces of the parameters."""
        return values if self.shards is None else self.shards.total(values)

    @property
    def coordinates(self) -> tuple[int, ...]:
        """Which pieces of its parameters this process holds."""
        return () if self.shards is None else self.shards.coordinates

    def _own(self, grads: Sequence[Tensor]) -> list[Tensor]:
        return list(map(grads.__getitem__, self.indices))

    def _local(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        return list(tensors if self.shards is None else map(self.shards.local, tensors))

    def _global(self, piece: Tensor, param: Tensor) -> Tensor:
        return piece if self.shards is None else self.shards.whole(piece, param)


class Single(Chunk):
    """One parameter whose memory is walked through in place."""

    def __init__(self, member: Member, names: tuple[str, ...]) -> None:
        super().__init__([member], names)
        self.piece = self.pieces[0]
        self.flat_param = flat(self.piece)
        self.flat_states = [self._adopted(member.state, name) for name in names]

    def load(self, grads: Sequence[Tensor]) -> tuple[Flat, Flat, Sequence[Flat]]:
        """Returns views, and a copy of the gradient only where it lies in memory in another order."""
        return self.flat_param, self.gathered(grads), self.flat_states

    def gathered(self, values: Sequence[Tensor]) -> Flat:
        """Returns a view, or a copy where the values lie in memory in another order."""
        value = self._local(self._own(values))[0].detach()
        return flat(in_layout_of(self.piece, value))

    def squares(self, values: Flat) -> Float[Tensor, ""]:
        """Returns the squared norm, in float32 at least."""
        dtype, whole = torch.promote_types(values.dtype, torch.float32), len(values) // _ROW * _ROW
        if values.device.type != "cpu" or not whole:
            norm: Tensor = torch.linalg.vector_norm(values, dtype=dtype)
            return norm.square()
        rows = torch.linalg.vector_norm(values[:whole].view(-1, _ROW), dim=1, dtype=dtype)  # on all threads
        squares: Tensor = torch.dot(rows, rows)
        if whole < len(values):
            squares += torch.linalg.vector_norm(values[whole:], dtype=dtype).square()
        return squares

    def spread(self, each: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Returns its argument."""
        return each

    def _adopted(self, state: State, name: str) -> Flat:
        mine = self._local([state[name]])[0]
        piece = in_layout_of(self.piece, mine)
        if piece is not mine:
            state[name] = self._global(piece, self.params[0])
        self.stored[name] = [state[name]]
        return flat(piece)


class Bucket(Chunk):
    """Several parameters, copied side by side for the step; their states live side by side for good.

    The states in the optimizer become views of the bucket's memory.
    """

    def __init__(self, members: Sequence[Member], names: tuple[str, ...]) -> None:
        super().__init__(members, names)
        self.lengths = [piece.numel() for piece in self.pieces]
        self.values = [flat(piece) if is_dense(piece) else piece for piece in self.pieces]
        self.flat_param, self.param_views = self._memory(self.params[0].dtype, self.values)
        self.contiguous = all(map(Tensor.is_contiguous, self.pieces))
        self.flat_states = [self._adopted(name) for name in names]
        self._owners: Int[Tensor, " n"] | None = None

    def load(self, grads: Sequence[Tensor]) -> tuple[Flat, Flat, Sequence[Flat]]:
        """Gathers parameters and gradients."""
        if self.contiguous:
            # The same as below in half the time.
            torch.cat(self.values, out=self.flat_param)
        else:
            torch._foreach_copy_(self.param_views, self.values)
        return self.flat_param, self.gathered(grads), self.flat_states

    def gathered(self, values: Sequence[Tensor]) -> Flat:
        """Returns a copy."""
        values = self._local(self._own(values))
        if self.contiguous and all(map(Tensor.is_contiguous, values)):
            memory: Tensor = _flatten_dense_tensors(values)  # type: ignore[no-untyped-call]  # torch has no types
            return memory
        memory, views = self._memory(values[0].dtype, self.pieces)
        torch._foreach_copy_(views, values)
        return memory

    def store(self) -> None:
        """Scatters the parameters."""
        torch._foreach_copy_(self.values, self.param_views)
        super().store()

    def squares(self, values: Flat) -> Float[Tensor, " params"]:
        """Returns the squared norms of the pieces, in float32 at least."""
        dtype = torch.promote_types(values.dtype, torch.float32)
        return torch.stack(torch._foreach_norm(torch.split(values, self.lengths), 2, dtype=dtype)).square()

    def spread(self, each: Float[Tensor, " params"]) -> Flat:
        """Repeats each parameter's number for all its elements."""
        if self._owners is None:
            numbers = torch.arange(len(self.lengths), dtype=torch.int32, device=each.device)
            lengths = torch.tensor(self.lengths, device=each.device)
            self._owners = numbers.repeat_interleave(lengths, output_size=sum(self.lengths))
        return torch.index_select(each.reshape(-1), 0, self._owners)

    def _memory(self, dtype: torch.dtype, like: Sequence[Tensor]) -> tuple[Flat, list[Tensor]]:
        memory = torch.empty(sum(self.lengths), dtype=dtype, device=self.params[0].device)
        segments = torch.split(memory, self.lengths)
        return memory, [shaped_like(segment, each) for segment, each in zip(segments, like, strict=True)]

    def _adopted(self, name: str) -> Flat:
        memory, views = self._memory(self.states[0][name].dtype, self.pieces)
        for state, view, param in zip(self.states, views, self.params, strict=True):
            view.copy_(self._local([state[name]])[0])
            state[name] = self._global(view, param)
        self.stored[name] = [state[name] for state in self.states]
        return memory


class Plan:
    """The chunks of a parameter group, and what they hold for.

    Args:
        params: the group's parameters that have gradients.
        grads: their gradients.
        states: the optimizer's state, which has an entry for each of them.
        names: the states that the rule has.
    """

    def __init__(
        self, params: Sequence[Tensor], grads: Sequence[Tensor], states: States, names: tuple[str, ...]
    ) -> None:
        self.params, self.entries, self.names = list(params), list(states.values()), names
        pairs = enumerate(zip(params, grads, strict=True))
        self.chunks = chunked([Member(i, param, states[param], grad.dtype) for i, (param, grad) in pairs], names)

    def fits(self, params: Sequence[Tensor], grads: Sequence[Tensor], states: States, names: tuple[str, ...]) -> bool:
        """Returns whether the plan serves for another step."""
        return (
            names == self.names
            and len(params) == len(self.params)
            and _are(params, self.params)
            and len(states) == len(self.entries)
            and _are(states.values(), self.entries)
            and all(chunk.fits(grads) for chunk in self.chunks)
        )


def chunked(members: Iterable[Member], names: tuple[str, ...]) -> list[Chunk]:
    """Divides parameters that have gradients into chunks; those without elements only need their steps counted.

    Processes that share a parameter must divide alike, whatever the size of their pieces: they sum norms by chunks.
    """
    chunks: list[Chunk] = []
    small: dict[object, list[Member]] = defaultdict(list)
    for member in members:
        if member.param.numel() >= SMALL and is_dense(local(member.param.detach())):
            chunks.append(Single(member, names))
        else:
            small[member.kind(names)].append(member)
    for alike in small.values():
        chunks += [Bucket(part, names) for part in _parts(alike)]
    return chunks


def _parts(members: Sequence[Member]) -> Iterable[list[Member]]:
    part: list[Member] = []
    size = 0
    for member in members:
        if part and size + member.param.numel() > BUCKET_SIZE:
            yield part
            part, size = [], 0
        part.append(member)
        size += member.param.numel()
    yield part


def _are(these: Iterable[object], those: Iterable[object]) -> bool:
    return all(map(is_, these, those))
