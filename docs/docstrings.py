"""Lets the site read what docstrings say in reStructuredText: mathematics, cross-references and literals.

Mathematics becomes MathML while the site is built, so that pages need no script and no network to show it.
"""

import re
from textwrap import dedent
from typing import Any

import griffe
from latex2mathml.converter import convert

BLOCK = re.compile(r"^( *)\.\. math::[ \t]*(.*\n(?:(?:\1 +.*)?\n)*(?:\1 +.*)?)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]+)`")
REFERENCE = re.compile(r":(?:class|func|meth|attr|mod):`~?([^`]+)`")


def to_markdown(text: str) -> str:
    """Rewrites reStructuredText's mathematics, cross-references and double backquotes."""
    text = BLOCK.sub(lambda match: f"\n{match[1]}{_block(match[2])}\n\n", text)
    text = INLINE.sub(lambda match: f"<span>{_mathml(match[1], 'inline')}</span>", text)
    text = REFERENCE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def _block(body: str) -> str:
    lines = dedent(body).strip()
    if "&" in lines or "\\\\" in lines:
        lines = rf"\begin{{split}}{lines}\end{{split}}"
    return f'<div class="equation">{_mathml(lines, "block")}</div>'


def _mathml(latex: str, display: Any) -> str:
    mathml = convert(" ".join(latex.split()), display=display).replace("\n", " ")
    # browsers that implement MathML Core align cells by style sheets only
    return re.sub(r'columnalign="(\w+)"', r'style="text-align: \1"', mathml)


class Docstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Is called for each object that has been read."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)
