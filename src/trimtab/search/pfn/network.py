"""The transformer of a prior-data fitted network: from observations and queries to a distribution at each query.

Müller et al. (2022), arXiv:2112.10510; in the sizes of what ships with this package.
"""

import math
from collections.abc import Iterable
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from trimtab.search.pfn.bar_distribution import BarDistribution, check_borders
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError

Context: TypeAlias = list[tuple[Tensor, Tensor]]
"""Keys and values of the observations in each layer."""

SHIPPED = (2, 6)
"""The largest number of inputs of each network that ships."""


class Sizes(NamedTuple):
    """What the weights of a network do not say by themselves."""

    d_max: int
    width: int
    heads: int
    layers: int
    most_context: int


class PFN(nn.Module):
    r"""Predicts a function's value at queries from observations of it, in one pass and without fitting anything.

    An observation is the token :math:`E_x(x_i) + E_y(y_i)`, a query the token :math:`E_x(x)`. Observations attend to
    observations, a query to observations only. So the order of the observations does not matter, and what else is
    queried does not either. A head makes logits of each query, for a
    :class:`~trimtab.search.pfn.bar_distribution.BarDistribution` over the borders.

    Inputs come from the unit cube, and are mapped to :math:`\sqrt{12}\,(x - 1/2)`, times ``d_max / d``, with zeros in
    place of the inputs that are missing. Layers normalise before they attend (the paper's normalise after), with GELU
    between linear layers four times as wide.

    Args:
        d_max: the largest number of inputs.
        width: of tokens. The defaults are ours, of 207 thousand weights, whose training takes minutes on a processor.
            The paper has 512 wide, 4 heads, 12 layers and 1000 buckets.
        heads: of attention, which divide the width.
        layers: how many.
        borders: those of the bar distribution, (B + 1,).
        most_context: the largest number of observations that it was trained on. With more it works, and warns.

    Raises:
        InputError: a size is no whole number >= 1, the heads do not divide the width, or the borders are not strictly
            increasing.
    """

    borders: Tensor

    def __init__(
        self,
        d_max: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 4,
        *,
        borders: Float[Tensor, "buckets_and_1"],
        most_context: int = 50,
    ) -> None:
        super().__init__()
        self.sizes = Sizes(d_max, width, heads, layers, most_context)
        for name, value in self.sizes._asdict().items():
            check_whole(name, value)
        if width % heads:
            raise InputError(f"heads={heads}: they must divide width={width}")
        check_borders(borders)
        self.register_buffer("borders", borders.detach().to(torch.float32))
        check_borders(self.borders)
        self.embed_x, self.embed_y = nn.Linear(d_max, width), nn.Linear(1, width)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, len(borders) - 1)

    @property
    def d_max(self) -> int:
        """The largest number of inputs."""
        return self.sizes.d_max

    def distribution(self) -> BarDistribution:
        """Returns the distribution that logits are of, in double precision."""
        return BarDistribution(self.borders.double())

    def forward(
        self,
        x_context: Float[Tensor, "batch n d"],
        y_context: Float[Tensor, "batch n"],
        x_query: Float[Tensor, "batch m d"],
    ) -> Float[Tensor, "batch m buckets"]:
        """Returns the logits at queries.

        Args:
            x_context: where a function was observed, in the unit cube.
            y_context: what was observed.
            x_query: where its value is asked for, in the unit cube.

        Raises:
            InputError: there are no observations or too many inputs, shapes do not fit, inputs are outside the unit
                cube, or something is not finite.
        """
        self.check(x_query, "x_query")
        return self.query(self.encode(x_context, y_context), x_query)

    def encode(self, x_context: Float[Tensor, "batch n d"], y_context: Float[Tensor, "batch n"]) -> Context:
        """Returns what queries need of observations, so that they are encoded once for any number of queries.

        Raises:
            InputError: as in :meth:`forward`.
        """
        self.check(x_context, "x_context")
        if x_context.shape[-2] == 0:
            raise InputError("x_context: at least one observation is needed; take a Sobol sequence before there is one")
        if y_context.shape != x_context.shape[:-1]:
            shapes = f"{tuple(y_context.shape)} and {tuple(x_context.shape)}"
            raise InputError(f"y_context and x_context of shapes {shapes}: a value an observation is needed")
        if not bool(torch.isfinite(y_context).all()):
            raise InputError("y_context: finite values are needed")
        hidden = self._embed(x_context) + self.embed_y(y_context.to(self.borders).unsqueeze(-1))
        context: Context = []
        for layer in self._layers():
            context.append(layer.keys_and_values(hidden))
            hidden = layer(hidden, context[-1])
        return context

    def query(self, context: Context, x_query: Float[Tensor, "batch m d"]) -> Float[Tensor, "batch m buckets"]:
        """Returns the logits at queries, given :meth:`encode`'s observations; nothing is checked."""
        hidden = self._embed(x_query)
        for layer, each in zip(self._layers(), context, strict=True):
            hidden = layer(hidden, each)
        logits: Tensor = self.head(self.norm(hidden))
        return logits

    def _layers(self) -> "list[_Layer]":
        return list(cast("Iterable[_Layer]", self.layers))

    def check(self, x: Tensor, name: str) -> None:
        """Raises InputError unless x is of at most ``d_max`` inputs, each in [0, 1]."""
        if x.dim() < 2 or not 1 <= x.shape[-1] <= self.d_max:
            raise InputError(f"{name} of shape {tuple(x.shape)}: from 1 to {self.d_max} inputs are possible (d_max)")
        if not bool(((x >= 0) & (x <= 1)).all()):
            raise InputError(f"{name}: all inputs must be in [0, 1], and none NaN; scale them by their bounds")

    def _embed(self, x: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch n width"]:
        scaled = (x.to(self.borders) - 0.5) * (math.sqrt(12) * self.d_max / x.shape[-1])
        embedded: Tensor = self.embed_x(functional.pad(scaled, (0, self.d_max - x.shape[-1])))
        return embedded

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the network into a file of the format ``safetensors``."""
        sizes = {name: str(size) for name, size in self.sizes._asdict().items()}
        save_file({name: tensor.contiguous() for name, tensor in self.state_dict().items()}, Path(path), metadata=sizes)

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None, *, inputs: int = 2) -> "PFN":
        """Returns a network from a file, or one that ships.

        Args:
            path: a file that :meth:`save` wrote. Default: the smallest network that ships and takes so many inputs.
            inputs: how many inputs are needed, where no path is given.

        Raises:
            InputError: no network that ships takes so many inputs, or the file is of another kind.
            FileNotFoundError: there is no such file.
        """
        if path is not None:
            return _read(Path(path))
        check_whole("inputs", inputs)
        enough = [size for size in SHIPPED if size >= inputs]
        if not enough:
            raise InputError(
                f"inputs={inputs}: the networks that ship take at most {max(SHIPPED)}; train one (train_pfn)"
            )
        with resources.as_file(resources.files("trimtab.search.pfn") / "nets" / f"inputs{enough[0]}.safetensors") as at:
            return _read(at)


def _read(path: Path) -> PFN:
    if not path.is_file():
        raise FileNotFoundError(f"path={str(path)!r}: there is no such file")
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        names = list(file.keys())
        if not set(Sizes._fields) <= metadata.keys() or "borders" not in names:
            raise InputError(f"path={str(path)!r}: no network that PFN.save wrote")
        tensors = {name: file.get_tensor(name) for name in names}
    with torch.random.fork_rng(devices=[]):  # the weights that it draws are replaced
        network = PFN(**{name: int(metadata[name]) for name in Sizes._fields}, borders=tensors["borders"])
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(requires_grad=False)


class _Layer(nn.Module):
    """Attention to observations, and two linear layers; each adds to a token what it makes of the token normalised."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_query, self.to_keys_and_values = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out, self.up, self.down = nn.Linear(width, width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def keys_and_values(self, context: Float[Tensor, "batch n width"]) -> tuple[Tensor, Tensor]:
        """Returns keys and values of observations, each (batch, heads, n, width / heads)."""
        keys, values = self.to_keys_and_values(self.norm1(context)).chunk(2, dim=-1)
        return self._by_head(keys), self._by_head(values)

    def forward(
        self, hidden: Float[Tensor, "batch m width"], context: tuple[Tensor, Tensor]
    ) -> Float[Tensor, "batch m width"]:
        """Returns the tokens of the next layer."""
        query = self._by_head(self.to_query(self.norm1(hidden)))
        seen = functional.scaled_dot_product_attention(query, *context)
        hidden = hidden + self.out(seen.transpose(-3, -2).flatten(-2))
        added: Tensor = self.down(functional.gelu(self.up(self.norm2(hidden))))
        return hidden + added

    def _by_head(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:-1], self.heads, tokens.shape[-1] // self.heads).transpose(-3, -2)
