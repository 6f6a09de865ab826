"""Which matrices of a model make queries and keys of attention, and how many of their rows belong to one head.

There is no common class for attention, but there are common names: of the projections, and of the number or the size of
heads, which the module says that holds them. Where one of the two says nothing, nothing is known.
"""

import re
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

_SIZES = ("head_dim", "attention_head_size", "head_size", "key_value_proj_dim", "dim_head", "d_head")
_COUNTS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nhead", "heads")

_BEFORE, _AFTER = r"(w_?|to_?|in_)?", r"(_?(proj(ection)?|lin(ear)?|weight|proj_weight))?"
_QUERIES = re.compile(rf"{_BEFORE}(q|query|queries){_AFTER}", re.IGNORECASE)
_KEYS = re.compile(rf"{_BEFORE}(k|keys?){_AFTER}", re.IGNORECASE)
_ALL_THREE = re.compile(rf"{_BEFORE}(qkv|query_key_value){_AFTER}|in_proj_weight|c_attn", re.IGNORECASE)


def head_rows(model: nn.Module) -> dict[Tensor, int]:
    """Returns how many rows of a matrix belong to one head of attention, for those that make queries and keys.

    Heads are one below the other; in a matrix that makes values as well, these have heads of as many rows. What is no
    ``nn.Linear``, nor a matrix of ``nn.MultiheadAttention``, is left out, as are parametrized layers.

    Args:
        model: in which is looked; what it has in lazy layers is left out.
    """
    return dict(found for module in model.modules() for found in _of(module))


def _of(module: nn.Module) -> Iterator[tuple[Tensor, int]]:
    """The matrices of one module, if it is attention, with the rows of a head."""
    matrices = dict(_matrices(module))
    separate = {name: each for name, each in matrices.items() if _QUERIES.fullmatch(name)}
    together = {name: each for name, each in matrices.items() if _ALL_THREE.fullmatch(name)}
    rows = _number(module, _SIZES) or _from_count(_number(module, _COUNTS), [*separate.values()], [*together.values()])
    if rows is not None:
        keys = {name: each for name, each in matrices.items() if _KEYS.fullmatch(name)}
        yield from ((each, rows) for each in {**separate, **keys, **together}.values() if each.shape[0] % rows == 0)


def _matrices(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Its own, and those of its linear layers, by the names that it has for them."""
    layers = {name: child for name, child in module.named_children() if isinstance(child, nn.Linear)}
    weights = {name: layer._parameters.get("weight") for name, layer in layers.items()}
    for name, param in {**module._parameters, **weights}.items():
        if param is not None and not is_lazy(param) and param.ndim == 2:
            yield name, param


def _number(module: nn.Module, names: Sequence[str]) -> int | None:
    found = (getattr(module, name, None) for name in names)
    return next((each for each in found if isinstance(each, int) and not isinstance(each, bool) and each > 0), None)


def _from_count(count: int | None, separate: Sequence[Tensor], together: Sequence[Tensor]) -> int | None:
    """Rows of a head, where the number of heads is known: there may be fewer of keys, never of queries."""
    if count is None:
        return None
    # a matrix of all three that is no square of them may have fewer heads of keys, nobody knows how many
    found = [each.shape[0] for each in separate] + [
        each.shape[0] // 3 for each in together if each.shape[0] == 3 * each.shape[1]
    ]
    return found[0] // count if found and found[0] % count == 0 else None
