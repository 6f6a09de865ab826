"""Lines of Python in the README and the documentation can be pasted: what they name is there."""

import ast
import importlib
import re
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pasting import missing_names

ROOT = Path(__file__).parents[2]
YOURS = {
    *(
        "model",
        "optimizer",
        "loader",
        "data",
        "params",
        "some",
        "others",
        "inputs",
        "targets",
        "fixed_inputs",
        "fixed_targets",
        "loss",
        "losses",
    ),
    *("loss_of", "total_steps", "directory", "trainer", "test_dataset", "arguments"),
    *("MyModule", "MyDataModule", "Mine"),
}
"""What the pages leave to the reader, and say or show that they do."""


def included(found):
    """A file, or the part of it that markers enclose."""
    path, _, part = found[1].partition(":")
    text = (ROOT / path).read_text(encoding="utf-8")
    return dedent(text.partition(f"[start:{part}]\n")[2].partition(f"# --8<-- [end:{part}]")[0]) if part else text


def snippets():
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        before = ""
        for found in re.finditer(r"^```(?: ?\{ \.)?python(?: \})?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            if re.fullmatch(r'--8<-- ".+:loop"\n', found[1]):
                continue  # an excerpt of the example that its page shows whole
            code = re.sub(r'--8<-- "(.+)"', included, found[1])
            line = text.count("\n", 0, found.start()) + 2
            yield pytest.param(before, code, id=f"{path.relative_to(ROOT)}:{line}")
            before += code


SNIPPETS = list(snippets())


def test_there_are_snippets():
    assert len(SNIPPETS) > 40


@pytest.mark.parametrize(("before", "code"), SNIPPETS)
def test_every_name_is_imported_on_its_page_or_the_readers_own(before, code):
    assert missing_names(before + code) - YOURS == set()


@pytest.mark.parametrize(("before", "code"), SNIPPETS)
def test_what_is_taken_from_trimtab_is_there(before, code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("trimtab"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, each.name) for each in node.names), ast.unparse(node)
    for path in re.findall(r"\btrimtab((?:\.\w+)+)", re.sub(r"(?m)^(?:from|import) .*", "", code)):
        place = importlib.import_module("trimtab")
        for name in path[1:].split("."):
            assert hasattr(place, name), f"trimtab{path}"
            place = getattr(place, name)
