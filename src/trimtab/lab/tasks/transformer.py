"""A causal transformer over bytes, with every step of its attention in the open."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BYTES = 256


class ByteTransformer(nn.Module):
    """Pre-norm transformer with learned positions; its outputs are logits of the next byte.

    Weights are normal with variance 1/inputs, those that write to the residual stream smaller by the square root of the
    number of such writes, so that the stream's variance does not grow with depth. The output layer starts small: the
    first losses are near log 256.

    Args:
        window: longest sequence.
        width: of the residual stream.
        layers: number of blocks.
        heads: of each block's attention; divides ``width``.
    """

    def __init__(self, window: int, *, width: int = 64, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BYTES, width)
        self.positions = nn.Parameter(torch.empty(window, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.logits = nn.Linear(width, BYTES)
        self._initialise()

    def _initialise(self) -> None:
        blocks = [module for module in self.modules() if isinstance(module, Block)]
        writers = {layer for block in blocks for layer in (block.attention.output, block.contraction)}
        for module in self.modules():
            if isinstance(module, nn.Linear):
                inputs = module.in_features * (len(writers) if module in writers else 1)
                nn.init.normal_(module.weight, std=1 / math.sqrt(inputs))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.logits.weight, std=0.02)
        nn.init.normal_(self.embedding.weight, std=0.5)
        nn.init.normal_(self.positions, std=0.1)

    def forward(self, inputs: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time 256"]:
        """Returns logits of the byte that follows each position."""
        stream = self.embedding(inputs) + self.positions[: inputs.shape[1]]
        for block in self.blocks:
            stream = block(stream)
        return self.logits(self.norm(stream))  # type: ignore[no-any-return]  # modules return Any


class Block(nn.Module):
    """Attention and a perceptron, each added to what it reads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width, heads)
        self.perceptron_norm = nn.LayerNorm(width)
        self.expansion = nn.Linear(width, 2 * width)
        self.activation = nn.GELU(approximate="tanh")
        self.contraction = nn.Linear(2 * width, width)

    def forward(self, stream: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """Returns the stream after this block."""
        stream = stream + self.attention(self.attention_norm(stream))
        hidden = self.activation(self.expansion(self.perceptron_norm(stream)))
        return stream + self.contraction(hidden)  # type: ignore[no-any-return]  # modules return Any


class CausalAttention(nn.Module):
    """Self-attention to the past, out of parts that forward hooks can observe or change.

    ``queries``, ``keys`` and ``values`` are linear layers, ``maps`` turns scores into attention maps, ``output`` mixes
    the heads. A forward hook on ``maps`` sees scores and maps, and what it returns replaces the maps.

    Args:
        width: of inputs and outputs.
        heads: divides ``width``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # without biases: a key's would shift all scores of a row alike, and its gradient would be rounding errors
        self.queries = nn.Linear(width, width, bias=False)
        self.keys = nn.Linear(width, width, bias=False)
        self.values = nn.Linear(width, width, bias=False)
        self.maps = CausalSoftmax()
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, inputs: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """Returns the heads' averages of values, mixed."""
        queries, keys, values = (
            self._split(projection(inputs)) for projection in (self.queries, self.keys, self.values)
        )
        scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-2, -1)
        averages = self.maps(scores) @ values
        return self.output(averages.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]  # modules return Any

    def _split(self, projected: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch heads time part"]:
        batch, time, width = projected.shape
        return projected.reshape(batch, time, self.heads, width // self.heads).transpose(1, 2)


class CausalSoftmax(nn.Module):
    """The softmax of scores over the positions up to each one's own."""

    def forward(self, scores: Float[Tensor, "batch heads time time"]) -> Float[Tensor, "batch heads time time"]:
        """Returns attention maps, whose rows add up to one."""
        future = torch.full(scores.shape[-2:], -math.inf, dtype=scores.dtype, device=scores.device).triu(1)
        return (scores + future).softmax(-1)
