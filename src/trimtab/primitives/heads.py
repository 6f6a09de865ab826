"""Which layers give a model's outputs.

No model says so: names tell, and transformers' models, and else the order in which layers are defined.
"""

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

CONVOLUTION = nn.modules.conv._ConvNd
_LAYERS = (nn.Linear, nn.Bilinear, CONVOLUTION)
_HEADS = re.compile(r"(^|_)(heads?|classifiers?|score|logits|qa_outputs|output_projection|policy|actor|critic)$")


def heads(model: nn.Module) -> set[nn.Module]:
    """Returns the layers at a model's end.

    These are what is called as a head is, what a model of transformers says that it is, and the layer that is defined
    last, unless it is in a block that repeats or gives what another head takes, also an embedding that is one. Where
    the model has a body in a module of its own, so are the layers directly before the last that stand beside it.

    Args:
        model: whose layers; an embedding that is a head in ``forward`` alone is not known to be one.
    """
    layers = {path: module for path, module in model.named_modules() if isinstance(module, _LAYERS)}
    ends = {path: module for path, module in layers.items() if not _in_repeated(model, path)}
    found: dict[str, nn.Module] = {}  # of several below one name, the last
    found |= {named: module for path, module in ends.items() if (named := _named(model, path)) is not None}
    told = getattr(model, "get_output_embeddings", lambda: None)()
    tied = {getattr(told, "weight", None), *(module._parameters.get("weight") for module in layers.values())}
    embeddings = [module for module in model.modules() if isinstance(module, nn.Embedding) and module.weight in tied]
    taken = {module.embedding_dim for module in embeddings}.union(*map(_takes, found.values()))
    if layers and list(layers)[-1] in ends:
        last = _last(model, list(layers))
        found |= {path: module for path, module in last.items() if _gives(module) not in taken}
    return {*found.values(), *([told] if isinstance(told, nn.Module) else [])}


def _last(model: nn.Module, layers: list[str]) -> dict[str, nn.Module]:
    """The last layer, and those before it that stand beside it."""
    found = {layers[-1]: model.get_submodule(layers[-1])}
    has_body = "." not in layers[-1] and any(_in_body(model, path) for path in layers)
    for path in reversed(layers[:-1]) if has_body else ():
        module = model.get_submodule(path)
        if "." in path or not _beside(module, [*found.values()]):
            break
        found[path] = module
    return found


def _in_body(model: nn.Module, path: str) -> bool:
    """Whether a layer is in a module that may be a body; torch's attention has a layer inside, and counts as one."""
    above = path.rpartition(".")[0]
    return above != "" and not isinstance(model.get_submodule(above), nn.MultiheadAttention)


def _beside(layer: Any, heads: Sequence[Any]) -> bool:
    """Whether it is fed as some head is, or as wide as some, and feeds none."""
    feeds = any(_gives(layer) in _takes(head) for head in heads)
    return not feeds and any(_takes(layer) & _takes(head) or _gives(layer) == _gives(head) for head in heads)


def _takes(layer: Any) -> set[int]:
    sizes = ("in_features", "in_channels", "in1_features", "in2_features")  # the last two are a bilinear layer's
    return {getattr(layer, size) for size in sizes if hasattr(layer, size)}


def _gives(layer: Any) -> int:
    found: int = layer.out_channels if isinstance(layer, CONVOLUTION) else layer.out_features
    return found


def _named(model: nn.Module, path: str) -> str | None:
    """The beginning of a path that is called as a head is; each in a list of heads is one."""
    parts = path.split(".")
    for count in range(1, len(parts) + 1):
        if _HEADS.search(parts[count - 1]):
            several = isinstance(model.get_submodule(".".join(parts[:count])), nn.ModuleList | nn.ModuleDict)
            return ".".join(parts[: count + several])
    return None


def _in_repeated(model: nn.Module, path: str) -> bool:
    """Whether a layer is in a block beside which there is another of its kind."""
    parts = path.split(".")
    for count in range(1, len(parts)):
        block = type(model.get_submodule(".".join(parts[:count])))
        beside = map(type, model.get_submodule(".".join(parts[: count - 1])).children())
        if block is not nn.Sequential and sum(each is block for each in beside) > 1:
            return True
    return False
