"""From a method's name to its claim, and from a claim to what makes its result stale."""

import ast
import hashlib
import importlib
import inspect
from types import ModuleType
from typing import cast

from trimtab.catalog import entries
from trimtab.claims import CLAIMS
from trimtab.claims.claim import PROSE_TYPES, Arm, Claim, Comparison, prose_fields
from trimtab.lab.errors import InputError
from trimtab.lab.suggestions import nearest

_HASH_LENGTH = 16

_INGREDIENTS = ("trimtab.claims.tasks", "trimtab.claims.schedules")
"""Modules that claims share and that their numbers depend on."""


def load_reference(reference: str) -> Claim:
    """Returns the claim at ``module:name``."""
    module, _, name = reference.partition(":")
    return cast(Claim, getattr(importlib.import_module(module), name))


def find_reference(name: str) -> str:
    """Returns where the claim of a method is.

    Raises:
        InputError: no method of that name has a claim; the message offers the nearest.
    """
    wanted = name.strip().lower()
    if wanted in entries() and wanted not in CLAIMS:
        raise InputError(
            f"no claim for {name!r}, a {entries()[wanted].kind}; `trimtab verify` lists those that there are"
        )
    if wanted not in CLAIMS:
        raise InputError(
            f"no claim for {name!r}; {nearest(wanted, CLAIMS, '`trimtab verify` lists those that there are')}"
        )
    return CLAIMS[wanted]


def protocol_hash(reference: str) -> str:
    """Returns what changes when a claim's experiment does, and stays when only its wording or its layout does.

    It is a hash of grids, seeds and thresholds, of the claim's module, and of the modules of claims' tasks and
    schedules where it imports them, without comments, docstrings and what the claim says in prose.
    """
    claim = load_reference(reference)
    module = importlib.import_module(reference.partition(":")[0])
    tree = _tree(module)
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ingredients = [_tree(importlib.import_module(name)) for name in _INGREDIENTS if name in imported]
    code = [ast.unparse(_Bare().visit(each)) for each in (tree, *ingredients)]
    constants = [*map(_constants, claim.arms), *map(_constants, claim.comparisons)]
    text = "\n".join([*constants, *code])
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def is_stale(method: str, protocol: str) -> bool:
    """Tells whether a result with a protocol's hash is that of another protocol than the method's claim now has."""
    return protocol != protocol_hash(find_reference(method))


def _constants(part: Arm | Comparison) -> str:
    """The fields that are plain values, which other modules may have computed."""
    return repr({name: value for name, value in vars(part).items() if not callable(value)})


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


class _Bare(ast.NodeTransformer):
    """Takes docstrings, bare strings and the prose of claims out."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_string else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        node.names = [each for each in node.names if each.name not in PROSE_TYPES]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == Claim.__name__:
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in prose_fields()]
        return self.generic_visit(node)
