"""Which layers give a model's outputs.

No model says so: names tell, and transformers' models, and else the order in which layers are defined.
"""

import re
from typing import Any

from torch import nn

CONVOLUTION = nn.modules.conv._ConvNd
_LAYERS = (nn.Linear, nn.Bilinear, CONVOLUTION)
_HEADS = re.compile(r"(^|_)(heads?|classifiers?|score|logits|qa_outputs|output_projection|policy|actor|critic)$")


def heads(model: nn.Module) -> set[nn.Module]:
    """Returns the layers at a model's end.

    These are what is called as a head is, what a model of transformers says that it is, and the layer that is defined
    last, unless it is in a block that repeats or gives what another head takes, also an embedding that is one.

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
    """The last layer, and those before it that stand beside it: what they give is not what a later one takes."""
    found = {layers[-1]: model.get_submodule(layers[-1])}
    for path in reversed(layers[:-1]) if "." not in layers[-1] and any("." in each for each in layers) else ():
        module = model.get_submodule(path)
        if "." in path or any(_gives(module) in _takes(later) for later in found.values()):
            break
        found[path] = module
    return found


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
