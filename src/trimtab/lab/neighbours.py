"""What somebody's file imports from its own directory, as when it is run as a script."""

import ast
import contextlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from trimtab.study.errors import Faults, InputError

_meant: dict[str, Path] = {}
"""Name of a module to the file that it stands for, because a file that was imported here has it beside it."""


class _Neighbours(MetaPathFinder):
    """Finds neighbours also when they are first imported within a function, when others have come before."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = _meant.get(fullname)
        return importlib.util.spec_from_file_location(fullname, file) if file is not None and file.is_file() else None


_FINDER = _Neighbours()


@contextlib.contextmanager
def importing_neighbours(path: Path) -> Iterator[None]:
    """Has a file that is imported within the context find what lies beside it, then and whenever its functions run.

    Args:
        path: the file.

    Raises:
        InputError: the name of a neighbour stands for another file here, which the file would get in its place.
    """
    found, faults = neighbours(path), Faults()
    for name, file in found.items():
        for other in {_loaded(name), _meant.get(name)} - {None}:
            with faults:
                _check_same(path, name, file, other)
    faults.raise_any()
    new = found.keys() - _meant.keys()
    _meant.update(found)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    directory = str(path.parent)
    sys.path.insert(0, directory)
    try:
        yield
    except BaseException:
        for name in new:
            del _meant[name]
        raise
    finally:
        sys.path.remove(directory)
    if directory not in sys.path:
        sys.path.append(directory)  # for names that are known when a function runs; installed modules go before these


def _check_same(path: Path, name: str, file: Path, other: Path | None) -> None:
    if other is not None and other.resolve() != file.resolve():
        raise InputError(
            f"{path} imports {name}, which is {file}, but in this process {name} is {other}: there is one module of a "
            "name. Rename one of the two; problems can also be compared by a command each"
        )


def neighbours(path: Path) -> dict[str, Path]:
    """Returns the modules beside a file that it imports, or that those import: name to file.

    Imports within functions count as well. An installed module that is there already goes before a neighbour, as it
    always has: a file in a package may lie beside a ``logging.py`` and mean Python's.

    Args:
        path: the file.
    """
    directory, found, seen, waiting = path.parent, dict[str, Path](), {path}, [path]
    while waiting and not _is_installed(path):
        file = waiting.pop()
        for start, parts in _imports(file, directory):
            for name, source in _files(start, parts):
                if start == directory and not found.keys() & _packages_of(name):
                    if name in sys.builtin_module_names or _is_installed(_loaded(name)):
                        break
                    found[name] = source
                if source not in seen:
                    seen.add(source)
                    waiting.append(source)
    return found


def _packages_of(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def _imports(file: Path, directory: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yields where each import begins to look, and the names on the way; the last may be no module."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # which is told when it is imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield directory, alias.name.split(".")
        elif isinstance(node, ast.ImportFrom) and node.level <= len(file.parents):
            start = file.parents[node.level - 1] if node.level else directory
            for alias in node.names:
                yield start, [*(node.module.split(".") if node.module else []), alias.name]


def _files(start: Path, parts: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yields the modules that an import loads, with their files."""
    place = start
    for count, part in enumerate(parts, 1):
        source = next((each for each in (place / part / "__init__.py", place / f"{part}.py") if each.is_file()), None)
        place /= part
        if source is not None:
            yield ".".join(parts[:count]), source
        elif not place.is_dir():
            return


def _loaded(name: str) -> Path | None:
    """The file of a module that is there."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file) if file else None


_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()


def _is_installed(file: Path | None) -> bool:
    if file is None:
        return False
    within = file.resolve()
    return not {"site-packages", "dist-packages"}.isdisjoint(within.parts) or within.is_relative_to(_LIBRARY)
