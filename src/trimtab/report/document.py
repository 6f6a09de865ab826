"""What all pages share: the frame that needs nothing but itself, and what makes it safe."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup

from trimtab.report import numbers
from trimtab.report.figures.style import PALETTE
from trimtab.report.standing import Standing
from trimtab.study.phrases import count

_RESOURCES = resources.files("trimtab.report")


def render(
    template: str,
    figures: Mapping[str, go.Figure],
    values: Mapping[str, Any],
    scripts: Iterable[str],
    standing: Standing | None = None,
) -> str:
    """Returns a page as HTML.

    Args:
        template: name of a template that extends ``base.html.jinja``.
        figures: name to figure, in the order of the page.
        values: what the template needs beside them.
        scripts: names of the scripts that it needs beside those for figures: ``"page"``, ``"live"``.
        standing: how the comparison stands, if the page is not its last one.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(resource), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.globals["embed_json"] = embed_json
    environment.filters["breakable"] = breakable
    environment.filters["tied"] = lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%")
    for name in (
        "significant",
        "fixed",
        "suited",
        "signed",
        "whole",
        "cost_to_target",
        "measured",
        "setting",
    ):
        environment.filters[name] = getattr(numbers, name)
    environment.filters["count"] = count
    drawn = {name: _plain_figure(figure) for name, figure in figures.items()}
    frame = {
        "palette": PALETTE,
        "standing": standing,
        "style": Markup(resource("page.css")),  # noqa: S704 - a file of this package
        "figures": {"colours": {light: role for role, (light, _) in PALETTE.items()}, "figures": drawn},
        "scripts": {
            **{name: script(resource(f"{name}.js")) for name in scripts},
            "plotly": script(plotly_js()),
            "figures": script(resource("figures.js")),
        },
    }
    return environment.get_template(template).render({**frame, **values})


def _plain_figure(figure: go.Figure) -> Any:
    return json.loads(figure.to_json(validate=False))


def with_filled(page: str, text: str, name: str, found: str) -> str:
    """Returns a page of the site with something in the place of what stands between its markers, for who reads a clone.

    Args:
        page: what it is called.
        text: what it says.
        name: of the markers, ``<!-- name -->`` and ``<!-- /name -->``.
        found: what is put there.

    Raises:
        ValueError: the page does not have both markers once.
    """
    before, begin, rest = text.partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (begin and end) or begin in after:
        raise ValueError(f"{page} must have <!-- {name} --> and <!-- /{name} --> once")
    return f"{before}{found}{after}"


def site_figures(figures: Iterable[go.Figure], assets: str) -> str:
    """Returns figures for a page of the site, where a script draws them without network in the colours of its scheme.

    Args:
        figures: in order.
        assets: the way from the page to the site's assets.
    """
    colours = embed_json(dict(PALETTE.values()))
    drawn = "".join(
        f'<div class="figure" style="min-height: {figure.layout.height}px"></div>'
        f'<script type="application/json">{embed_json(_plain_figure(figure))}</script>'
        for figure in figures
    )
    scripts = "".join(f'<script src="{assets}/{name}.js"></script>' for name in ("plotly.min", "figures"))
    data = f'<script type="application/json" class="colours">{colours}</script>'
    return f'<div class="figures">{data}{drawn}</div>{scripts}'


def embed_json(values: Any) -> Markup:
    """Returns JSON that can stand in a script element, whatever text is in it.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    for character in "<>&":  # "</script>" would end the element, "<!--" would hide its end
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def breakable(text: str) -> Markup:
    """Returns escaped text that may end a line within calls and paths, which are long words."""
    return Markup("<wbr>").join(re.split(r"(?<=[(,_:/])", text))


@dataclass(frozen=True)
class Script:
    """A script of ours or plotly's, with the digest by which the page's policy admits it and no other."""

    text: Markup

    @property
    def digest(self) -> str:
        """SHA-256 in base 64."""
        return base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()


def script(text: str) -> Script:
    """Returns a script as it may stand in a page.

    Raises:
        ValueError: browsers would not read it as it is.
    """
    if "</script" in text.lower() or "\r" in text:
        raise ValueError("a script holds a closing tag or a carriage return: browsers would not read it as it is")
    return Script(Markup(text))  # noqa: S704 - a file of this package or of plotly


def plotly_js() -> str:
    """Returns plotly.js as the reports hold it.

    It is the basic bundle of the version that plotly.py ships: lines, markers and bars are what figures are made of.
    The whole of it, which plotly.py has, is four times as large and takes five times as long to start.
    """
    return resource("plotly/plotly-basic.min.js")


def resource(name: str) -> str:
    """Returns the text of a file of this package."""
    return _RESOURCES.joinpath(name).read_text(encoding="utf-8")
