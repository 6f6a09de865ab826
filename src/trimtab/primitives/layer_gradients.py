r"""The gradients of a batch's samples from one ordinary backward pass, layer by layer.

What a layer was given, :math:`x`, and the gradient with respect to what it returned, :math:`\delta`, are enough for the
gradients of its parameters, sample by sample. Of a linear layer with one row a sample they are outer products, and none
of them has to be made; of the others here they are made by one product of matrices for all samples.

It is for models whose parameters all belong to linear layers, convolutions, normalisations and embeddings, which are
called once, with the samples of the batch in the first dimension. Whether that is so is found out, not believed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from trimtab.primitives.layout import working_dtype
from trimtab.primitives.outer_products import Gradients, OuterProducts

Rule: TypeAlias = Callable[[Any, Tensor, Tensor], dict[str, Gradients]]
"""From a module, its input and its output's gradient to the gradients of its parameters."""


def _linear(_module: nn.Linear, inputs: Tensor, delta: Tensor) -> dict[str, Gradients]:
    if inputs.ndim == 2:
        return {"weight": OuterProducts(delta, inputs), "bias": delta.clone()}
    inputs, delta = inputs.flatten(1, -2), delta.flatten(1, -2)
    return {"weight": torch.bmm(delta.mT, inputs), "bias": delta.sum(1)}


FEW_POSITIONS = 64
"""Measured: with so few outputs a channel a product of matrices with unfolded images is quicker than a convolution."""


def _convolution(module: nn.Conv2d, inputs: Tensor, delta: Tensor) -> dict[str, Gradients]:
    assert not isinstance(module.padding, str)  # noqa: S101 - see _has_rule
    samples, places = len(inputs), {"stride": module.stride, "padding": module.padding, "dilation": module.dilation}
    if delta[0, 0].numel() <= FEW_POSITIONS:
        weight = torch.bmm(delta.flatten(2), functional.unfold(inputs, module.kernel_size, **places).mT)
    else:  # samples as groups of one convolution
        shape = (samples * module.out_channels, *module.weight.shape[1:])
        images, outputs = inputs.flatten(0, 1).unsqueeze(0), delta.flatten(0, 1).unsqueeze(0)
        weight = conv2d_weight(images, shape, outputs, groups=samples, **places)  # type: ignore[no-untyped-call]
    return {"weight": weight.reshape(samples, *module.weight.shape), "bias": delta.sum((2, 3))}


def _group_norm(module: nn.GroupNorm, inputs: Tensor, delta: Tensor) -> dict[str, Gradients]:
    normal = functional.group_norm(inputs, module.num_groups, eps=module.eps)
    rest = tuple(range(2, inputs.ndim))
    return {
        "weight": (delta * normal).sum(rest) if rest else delta * normal,
        "bias": delta.sum(rest) if rest else delta.clone(),
    }


def _layer_norm(module: nn.LayerNorm, inputs: Tensor, delta: Tensor) -> dict[str, Gradients]:
    normal = functional.layer_norm(inputs, module.normalized_shape, eps=module.eps)
    rest = tuple(range(1, inputs.ndim - len(module.normalized_shape)))
    return {
        "weight": (delta * normal).sum(rest) if rest else delta * normal,
        "bias": delta.sum(rest) if rest else delta.clone(),
    }


def _embedding(module: nn.Embedding, inputs: Tensor, delta: Tensor) -> dict[str, Gradients]:
    samples, rows = len(inputs), module.num_embeddings
    places = (inputs.reshape(samples, -1) + rows * torch.arange(samples, device=inputs.device)[:, None]).flatten()
    found = delta.new_zeros(samples * rows, module.embedding_dim)
    found.index_add_(0, places, delta.reshape(-1, module.embedding_dim))
    found = found.view(samples, rows, module.embedding_dim)
    if module.padding_idx is not None:
        found[:, module.padding_idx] = 0
    return {"weight": found}


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
    nn.Embedding: _embedding,
}


def _has_rule(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if isinstance(module, nn.Embedding):
        return module.max_norm is None and not module.scale_grad_by_freq
    return True


@dataclass
class Layer:
    """A module whose parameters' gradients follow from its input and its output's gradient.

    Args:
        name: of the module, with a dot behind it unless it is the model itself.
        module: the module.
        trained: which of its parameters require gradients.
    """

    name: str
    module: nn.Module
    trained: tuple[str, ...]
    _calls: int = 0
    _inputs: Tensor | None = None
    _version: int = 0
    _edge: GradientEdge | None = None

    def see(self, _module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
        """Keeps what the module was called with, and where its output is in the graph."""
        self._calls += 1
        if len(inputs) == 1 and isinstance(inputs[0], Tensor) and isinstance(outputs, Tensor):
            self._inputs, self._version = inputs[0], inputs[0]._version
            # what is written into the output later is another place
            self._edge = get_gradient_edge(outputs) if outputs.requires_grad else None

    def forget(self) -> None:
        """Lets go of what was kept."""
        self._calls, self._inputs, self._edge = 0, None, None

    def called_with(self, samples: int) -> bool:
        """Whether it was called once, with so many samples, and what it was given is still there."""
        inputs = self._inputs
        if self._calls != 1 or inputs is None or inputs.ndim == 0 or inputs._version != self._version:
            return False
        if isinstance(self.module, nn.Conv2d):
            return inputs.ndim == 4 and len(inputs) == samples
        least = 1 if isinstance(self.module, nn.Embedding) else 2
        return inputs.ndim >= least and len(inputs) == samples

    def made(self) -> int:
        """Returns how many elements of each sample's gradient are made."""
        single = isinstance(self.module, nn.Linear) and self._inputs is not None and self._inputs.ndim == 2
        return sum(p.numel() for name, p in self.parameters.items() if not single or name == "bias")

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Its parameters that require gradients."""
        return {name: getattr(self.module, name) for name in self.trained}

    @property
    def edge(self) -> GradientEdge:
        """Where its output is in the graph."""
        assert self._edge is not None  # noqa: S101 - a layer with parameters to train has outputs with gradients
        return self._edge

    def gradients(self, delta: Tensor, loss_scale: float) -> dict[str, Gradients]:
        """Returns the unscaled gradients of its parameters by their names in the model, in float32 at least."""
        inputs, dtype = self._inputs, working_dtype(delta.dtype)
        assert inputs is not None  # noqa: S101 - for the type checker
        inputs = inputs.detach().to(dtype) if inputs.is_floating_point() else inputs
        found = RULES[type(self.module)](self.module, inputs, delta.to(dtype) / loss_scale)
        return {self.name + name: found[name] for name in self.trained}


def layers_of(model: nn.Module) -> list[Layer] | None:
    """Returns a model's layers with parameters to train, or ``None`` if there is not a rule for each of them."""
    layers = []
    for name, module in model.named_modules():
        own = {key: p for key, p in module.named_parameters(recurse=False) if p.requires_grad}
        if not own:
            continue
        if type(module) not in RULES or not own.keys() <= {"weight", "bias"} or not _has_rule(module):
            return None
        layers.append(Layer(f"{name}." if name else "", module, tuple(own)))
    return layers


def elements_made(layers: Sequence[Layer], model: nn.Module, losses: Callable[..., Any], sample: Any) -> int | None:
    """Returns how many elements of each sample's gradient are made.

    Args:
        layers: the model's.
        model: is called without gradients, and with copies of its buffers and of torch's random state.
        losses: from the model and a batch to one loss a sample.
        sample: a batch of one.

    Returns:
        ``None`` where a layer is not called once, with one sample where the batch has one.
    """
    caller = Called(model, losses)
    buffers = {name: buffer.clone() for name, buffer in caller.named_buffers()}
    devices = sorted({p.device for p in model.parameters() if p.device.type == "cuda"}, key=str)
    with _seen_by(layers), torch.no_grad(), torch.random.fork_rng(devices):
        functional_call(caller, buffers, (sample,))
        return sum(layer.made() for layer in layers) if all(layer.called_with(1) for layer in layers) else None


def batch_gradients(
    layers: Sequence[Layer],
    model: nn.Module,
    losses: Callable[..., Any],
    batch: Any,
    *,
    samples: int,
    loss_scale: float = 1.0,
) -> tuple[dict[str, Gradients], Float[Tensor, " n"]] | None:
    """Returns the gradients of a batch's samples by parameter, and the losses, from one backward pass.

    Args:
        layers: the model's, all of them.
        model: the model.
        losses: from the model and a batch to one loss a sample.
        batch: the batch.
        samples: how many samples it has.
        loss_scale: what the losses are multiplied with while they are differentiated.

    Returns:
        ``None`` where a layer is not called once, with all samples, or a parameter is also used elsewhere.
    """
    with _seen_by(layers), torch.enable_grad():
        found = losses(model, batch)
        if not isinstance(found, Tensor) or found.shape != (samples,):
            return None
        used = _uses(found)
        alone = all(used[param] == 1 for layer in layers for param in layer.parameters.values())
        if not alone or not all(layer.called_with(samples) for layer in layers):
            return None
        deltas = torch.autograd.grad(found.sum() * loss_scale, [layer.edge for layer in layers])
        gradients: dict[str, Gradients] = {}
        with torch.no_grad():
            for layer, delta in zip(layers, deltas, strict=True):
                gradients |= layer.gradients(delta, loss_scale)
        return gradients, found.detach()


class Called(nn.Module):
    """The losses as a module, so that all that is lent to the model is lent within one call of it."""

    def __init__(self, model: nn.Module, losses: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self._losses = model, losses

    def forward(self, batch: Any) -> Any:
        """Returns the losses of a batch."""
        return self._losses(self.model, batch)


def _uses(root: Tensor) -> Counter[Tensor]:
    """Counts how often the graph of a tensor reads each parameter."""
    found: Counter[Tensor] = Counter()
    waiting, seen = [root.grad_fn], {root.grad_fn}
    while waiting:
        node = waiting.pop()
        for after, _ in () if node is None else node.next_functions:
            if after is not None and hasattr(after, "variable"):
                found[after.variable] += 1
            elif after not in seen:
                seen.add(after)
                waiting.append(after)
    return found


@contextmanager
def _seen_by(layers: Sequence[Layer]) -> Iterator[None]:
    handles = [layer.module.register_forward_hook(layer.see, prepend=True) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers:
            layer.forget()
