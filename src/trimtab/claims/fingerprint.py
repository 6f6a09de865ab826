"""What makes a claim's result stale: the text of its experiment, and that of its methods' code.

Only what is done counts. Comments, docstrings, layout and what a claim says in prose do not, nor do the types of what
its functions take and return, nor where in trimtab something lies: a module that is moved, split or renamed leaves
every result as it is.
"""

import ast
import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from trimtab.catalog import Entry, entries
from trimtab.claims import CLAIMS
from trimtab.claims.claim import PROSE_TYPES, Claim, prose_fields
from trimtab.claims.loading import load_reference

if TYPE_CHECKING:
    from trimtab.claims.claim import AnyArm, Statement

_HASH_LENGTH = 16

_PACKAGE = "trimtab"

_INGREDIENTS = ("trimtab.claims.tasks", "trimtab.claims.schedules", "trimtab.claims.functions")
"""Modules that claims share and that their numbers depend on."""

Read: TypeAlias = Callable[[str], str | None]
"""Returns the text of a file by its path below the package, or ``None`` if there is none."""


def installed(path: str) -> str | None:
    """Returns the text of a file of the installed package."""
    file = resources.files(_PACKAGE).joinpath(path)
    return file.read_text(encoding="utf-8") if file.is_file() else None


def protocol_hash(reference: str) -> str:
    """Returns what changes when a claim's experiment does.

    It is a hash of grids, seeds and thresholds, of the claim's module (of all that is in it, where it is a package),
    and of the modules of claims' tasks, schedules and functions where it imports them.
    """
    return _hash(protocol_text(reference))


def protocol_text(reference: str) -> str:
    """Returns what :func:`protocol_hash` is a hash of."""
    claim = load_reference(reference)
    own = [_tree(each) for each in _with_parts(importlib.import_module(reference.partition(":")[0]))]
    imported = {node.module for tree in own for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ingredients = [_tree(importlib.import_module(name)) for name in _INGREDIENTS if name in imported]
    constants = [*map(_constants, claim.arms), *map(_constants, claim.comparisons)]
    return "\n".join([*constants, *map(_bare, (*own, *ingredients))])


def _with_parts(module: ModuleType) -> list[ModuleType]:
    """Returns a module, and those below it where it is a package."""
    below = pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}.")
    return [module, *(importlib.import_module(each.name) for each in below)]


def is_stale(method: str, protocol: str) -> bool:
    """Tells whether a result with a protocol's hash is that of another protocol than the method's claim now has."""
    return protocol != protocol_hash(CLAIMS[method])


def method_hashes(reference: str) -> dict[str, str]:
    """Returns the hash of the code of each method that a claim is about."""
    own = methods_of(reference)
    return {entry.id: code_hash(filter(None, (entry.object, entry.session))) for entry in own}


def methods_of(reference: str) -> list[Entry]:
    """Returns the methods that a claim is about."""
    return [entries()[method] for method, where in CLAIMS.items() if where == reference and method in entries()]


def changed_methods(methods: dict[str, str], reference: str) -> list[str]:
    """Returns those methods of a claim's result whose code is another one now."""
    now = method_hashes(reference)
    return [method for method, known in methods.items() if now.get(method) != known]


def code_hash(objects: Iterable[str], read: Read = installed) -> str:
    """Returns a hash of what a method is made of: its module's definitions, and those it imports of its family.

    In which of the files a definition stands makes no difference, nor do the ranges of its settings: a comparison
    searches those, a claim has grids of its own.

    Args:
        objects: where the method's classes are, as ``module:name``.
        read: gives the text of files.
    """
    waiting = [_home(module, name, read) for module, _, name in (path.partition(":") for path in objects)]
    trees: dict[str, ast.Module] = {}
    while waiting:
        module = waiting.pop()
        source, _ = _source(module, read)
        if module in trees or source is None:
            continue
        trees[module] = ast.parse(source)
        family = f"{'.'.join(module.split('.')[:2])}."
        for node in ast.walk(trees[module]):
            if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(family):
                waiting += [_home(node.module, each.name, read) for each in node.names]
    return _hash("\n".join(sorted({text for tree in trees.values() for text in _definitions(tree)})))


def _home(module: str, name: str, read: Read) -> str:
    """Returns the module that defines what another one offers under a name."""
    if _source(f"{module}.{name}", read)[0] is not None:
        return f"{module}.{name}"
    source, is_package = _source(module, read)
    if source is None or not is_package:
        return module
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and any(each.name == name for each in node.names):
            return _home(node.module, name, read)
    return module


def _source(module: str, read: Read) -> tuple[str | None, bool]:
    """Returns the text of a module of ours, and whether it is a package."""
    package, _, rest = module.partition(".")
    if package != _PACKAGE:
        return None, False
    path = rest.replace(".", "/")
    source = read(f"{path}.py") if path else None
    return (source, False) if source is not None else (read(f"{path}/__init__.py".lstrip("/")), True)


def _definitions(tree: ast.Module) -> Iterator[str]:
    for node in _Unranged().visit(tree).body:
        exported = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not (exported or for_types or isinstance(node, ast.Pass)):
            yield ast.unparse(node)


def _bare(tree: ast.Module) -> str:
    """Returns a module's text, and before it the names of what it imports of ours."""
    bare = _Untyped()
    text = ast.unparse(bare.visit(tree))
    return "\n".join([*sorted(bare.names), text])


def _constants(part: "AnyArm | Statement") -> str:
    """The fields that are plain values, which other modules may have computed."""
    return repr({name: value for name, value in vars(part).items() if not callable(value)})


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


class _Bare(ast.NodeTransformer):
    """Takes docstrings, bare strings, the prose of claims and imports of ours out.

    Attributes:
        names: of what was imported of ours.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_string else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        names = [each for each in node.names if each.name not in PROSE_TYPES]
        if f"{node.module}.".startswith(f"{_PACKAGE}."):
            self.names |= {ast.unparse(each) for each in names}
            return ast.Pass()
        node.names = names
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == Claim.__name__:
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in prose_fields()]
        return self.generic_visit(node)


class _Unranged(_Bare):
    """Takes out as well which settings of a class are tuned, and where."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if isinstance(node.target, ast.Name) and node.target.id == "tunables" else node


class _Untyped(_Bare):
    """Takes out as well what functions are said to take and to return."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node
