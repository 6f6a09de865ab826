"""What a family exports: the classes that its catalogue entries name, and helpers that it names itself.

A family's ``__init__`` imports nothing at once, so that what the catalogue has is what there is. For readers of
types it holds the same imports under ``TYPE_CHECKING``, which ``python -m trimtab.exports`` writes (``make format``)
and a test compares.
"""

import functools
import importlib
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

BEGIN, END = "if TYPE_CHECKING:\n", "\n_HELPERS"
_LONGEST = 120


@functools.cache
def catalogued(family: str) -> Mapping[str, str]:
    """Returns what the catalogue has of a family's own: the names of classes, and the modules that they are in.

    What goes around a class of another package is left out: everything that is exported can be imported without any.
    """
    text = resources.files("trimtab").joinpath("catalog", f"{family}.toml").read_text(encoding="utf-8")
    objects = [entry["object"].partition(":") for entry in tomllib.loads(text).values() if "extra" not in entry]
    return {name: module for module, _, name in objects if module.startswith(f"trimtab.{family}.")}


def names(family: str, helpers: Mapping[str, str]) -> list[str]:
    """Returns what a family exports, by the alphabet."""
    return sorted({*catalogued(family), *helpers})


def load(family: str, helpers: Mapping[str, str], name: str) -> object:
    """Imports what a family exports under a name.

    Raises:
        AttributeError: it exports nothing of that name.
        ImportError: it needs packages of the extra that is called as the family, and they are not installed.
    """
    module = helpers.get(name) or catalogued(family).get(name)
    if module is None:
        raise AttributeError(f"module 'trimtab.{family}' has no attribute {name!r}")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "trimtab":
            raise
        needed = f"trimtab.{family}.{name} needs {package}: pip install 'trimtab[{family}]'"
        raise ImportError(needed, name=error.name) from error
    return getattr(found, name)


def with_imports(source: str, family: str, helpers: Mapping[str, str]) -> str:
    """Returns the source of a family's ``__init__`` with its imports for types written anew."""
    before, begin, rest = source.partition(BEGIN)
    _, end, after = rest.partition(END)
    found = sorted((module, name) for name, module in {**catalogued(family), **helpers}.items())
    imports = "".join(_import(module, name) for module, name in found) or "    pass\n"
    return f"{before}{begin}{imports}{end}{after}"


def _import(module: str, name: str) -> str:
    """An import that says that it exports, as the linter has it."""
    line = f"    from {module} import {name} as {name}\n"
    if len(line) <= _LONGEST + 1:
        return line
    return f"    from {module} import (\n        {name} as {name},\n    )\n"


def main() -> None:
    """Writes the imports of all families that have a catalogue."""
    package = Path(str(resources.files("trimtab")))
    for file in sorted(package.glob("*/__init__.py")):
        source = file.read_text(encoding="utf-8")
        if re.search(r"^_HELPERS", source, re.MULTILINE):
            family = importlib.import_module(f"trimtab.{file.parent.name}")
            file.write_text(with_imports(source, file.parent.name, family._HELPERS), encoding="utf-8")


if __name__ == "__main__":
    main()
