"""What each parameter of a model is for, by which some rules treat it in one way and some in another.

A rule for matrices, such as Muon's, is meant for those in the hidden layers: not for embeddings, of which a batch sees
few rows, nor for the output head, nor for vectors. Shapes alone do not tell these apart, so that modules are looked at,
and names where modules say nothing.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias, get_args

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from trimtab.primitives.heads import CONVOLUTION, heads

Role: TypeAlias = Literal["matrix", "convolution", "experts", "embedding", "head", "tied", "vector"]
ROLES: tuple[Role, ...] = get_args(Role)
MATRICES: tuple[Role, ...] = ("matrix", "convolution", "experts")  # of hidden layers, or what stands for some

# parameters that a module holds by itself, as positions or tokens that are learned
_EMBEDDINGS = re.compile(
    r"(^|_)((pos|w|t)?emb(s|eds?|eddings?)?|pos(itions?|itional)?|w?pe|wte|tokens?|latents?|prompts?"
    r"|(?<!\b[wW]_)quer(y|ies)(?!_(weight|proj)))(_|$)"  # W_query makes queries, as W_key makes keys
)
# parameters that a module holds by itself and that multiply nothing: a state's decay rates, for example
_ELEMENTWISE = re.compile(r"(^|_)(log|scales?|gains?|gammas?|betas?|bias(es)?|masks?|decays?)(_|$)")
_Owner: TypeAlias = tuple[nn.Module, str]  # a module, and what it calls one of its own parameters


def parameter_roles(model: nn.Module, given: Mapping[str, str] | None = None) -> dict[str, Role]:
    """Returns what each parameter of a model is for.

    ``vector`` is what has one axis alone, or others of length one: biases, gains, tokens; the filters of a depthwise
    convolution, each of which stands for itself; and the weight of a bilinear layer, whose matrices give a number each
    and map nothing. ``tied`` is an embedding that is the output head as well. ``experts`` is a stack of matrices in one
    parameter. The ``head`` is the last layer that has weights, unless it is in a block that repeats, what a model of
    transformers says that it is, and what is called so.

    Args:
        model: whose parameters; shared ones are there once.
        given: a regular expression to the role of all parameters whose whole names it matches, the first that does.

    Raises:
        TypeError: ``model`` is no module, or ``given`` maps no strings.
        ValueError: a role is unknown, an expression matches no parameter, or a lazy layer has no shape yet.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    names = {param: name for name, param in model.named_parameters()}
    if unknown := [name for param, name in names.items() if is_lazy(param)]:
        raise ValueError(f"{unknown[0]} has no shape yet, by which its role is found: run a batch through the model")
    wanted = _wanted({} if given is None else given, list(names.values()))
    owners: dict[Tensor, list[_Owner]] = {}
    for param, owner in _owners(model):
        owners.setdefault(param, []).append(owner)
    ends = heads(model)
    return {name: wanted.get(name) or _role(param, owners[param], ends) for param, name in names.items()}


def _wanted(given: Mapping[str, str], names: list[str]) -> dict[str, Role]:
    if not isinstance(given, Mapping) or not all(isinstance(pattern, str) for pattern in given):
        raise TypeError(f"roles must map regular expressions to roles, as in {{r'blocks.*': 'matrix'}}, not {given!r}")
    found: dict[str, Role] = {}
    for pattern, role in given.items():
        if role not in ROLES:
            raise ValueError(f"role {role!r} of {pattern!r} is unknown; there are {', '.join(ROLES)}")
        try:
            matched = [name for name in names if re.fullmatch(pattern, name)]
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        if not matched:
            raise ValueError(f"{pattern!r} matches no parameter of the model; there are {', '.join(names[:6])}, ...")
        found = dict.fromkeys(matched, role) | found
    return found


def _owners(model: nn.Module) -> Iterator[tuple[Tensor, _Owner]]:
    """Each use of a parameter; of what a parametrization keeps, by the module that it belongs to."""
    for path, module in model.named_modules(remove_duplicate=False):
        above, _, parametrized = path.rpartition(".")
        owner, _, last = above.rpartition(".")
        for name, param in module._parameters.items():
            if param is not None:
                inside = last == "parametrizations"
                yield param, (model.get_submodule(owner), parametrized) if inside else (module, name)


def _role(param: Tensor, owners: list[_Owner], ends: set[nn.Module]) -> Role:
    modules, named = zip(*owners, strict=True)
    embeddings = [isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in modules]
    convolutions: list[Any] = [module for module in modules if isinstance(module, CONVOLUTION)]
    role: Role = "matrix" if param.ndim == 2 else "experts" if param.ndim == 3 else "convolution"
    if any(embeddings):
        role = "embedding" if all(embeddings) else "tied"
    elif param.ndim > 1 and any(module in ends for module in modules):
        role = "head"
    elif param.ndim < 2 or param.numel() == max(param.shape) or any(isinstance(each, nn.Bilinear) for each in modules):
        role = "vector"
    elif convolutions:
        role = "vector" if param.shape[1] == 1 < convolutions[0].groups else "convolution"
    elif any(map(_EMBEDDINGS.search, named)) or (param.ndim == 3 and param.shape[0] == 1):
        role = "embedding"
    elif any(map(_ELEMENTWISE.search, named)):
        role = "vector"
    return role
