"""`make docs` fails where it should."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from mkdocs.__main__ import cli

ROOT = Path(__file__).parents[2]

CONFIGURATION = """\
INHERIT: {root}/mkdocs.yml
docs_dir: docs
plugins:
  - literate-nav: {{nav_file: SUMMARY.md}}
  - mkdocstrings:
      handlers:
        python:
          paths: [code]
          options: {{docstring_style: google}}
"""
PAGES = {
    "docs/SUMMARY.md": "* [Home](index.md)\n* [Other](other.md)\n",
    "docs/index.md": "# Home\n\n[there](other.md#part)\n\n::: package.mean\n",
    "docs/other.md": "# Other\n\n## Part\n",
    "code/package.py": 'def mean(values: list):\n    """Averages.\n\n    Args:\n        values: numbers.\n    """\n',
}
FAULTS = {
    "no such page": ("docs/index.md", "other.md", "others.md"),
    "no such heading": ("docs/index.md", "#part", "#parts"),
    "a link from the root": ("docs/index.md", "(other.md", "(/other"),
    "a page that the navigation forgets": ("docs/SUMMARY.md", "* [Other](other.md)\n", ""),
    "a page that the navigation invents": ("docs/SUMMARY.md", "(other.md)", "(others.md)"),
    "an argument that there is not": ("code/package.py", "values: numbers", "value: numbers"),
    "an object that there is not": ("docs/index.md", "package.mean", "package.median"),
    "a snippet that there is not": ("docs/other.md", "## Part", '## Part\n\n--8<-- "examples/nothing.py"'),
}


def recipe():
    """The command of ``make docs``, as arguments of mkdocs."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    words = shlex.split(lines[lines.index("docs: .venv/dev") + 1].replace("$(BIN)", "BIN"))
    return words[words.index("BIN/mkdocs") + 1 :]


def build(directory, pages):
    for name, text in pages.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    (directory / "mkdocs.yml").write_text(CONFIGURATION.format(root=ROOT))
    return CliRunner().invoke(cli, [*recipe(), "--config-file", str(directory / "mkdocs.yml")])


def test_what_is_whole_is_built(tmp_path):
    done = build(tmp_path, PAGES)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "site" / "other" / "index.html").is_file()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_make_docs(fault, tmp_path):
    name, right, wrong = FAULTS[fault]
    assert right in PAGES[name]
    done = build(tmp_path, {**PAGES, name: PAGES[name].replace(right, wrong)})
    assert done.exit_code == 1, done.output
