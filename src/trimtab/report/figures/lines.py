"""A page's figure, which comes as data: lines and points over two axes."""

import html
import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from trimtab.report.figures.style import (
    Patch,
    around_one,
    colour,
    control,
    dash,
    empty,
    frame,
    log_ticks,
    name_all,
    narrow,
    plain,
    series_role,
    symbol,
    value_axis,
)
from trimtab.study.pages import Axis, Figure, Line

_HEIGHT = 460
_NAME, _TITLE = 40, 60
"""Characters of a name in the legend, and of an axis's title, after which they go on in another line."""
_SHORT = 26
"""So long are names of which four stand in a row."""
_RIGHT = 28
"""Margin in which half of a number below the end of the axis has room; without, plotly would leave it out."""
_MODES = {"line": "lines", "points": "markers", "both": "lines+markers"}


def lines(data: Figure) -> go.Figure:
    """Draws a figure."""
    figure = frame(_HEIGHT, plain(data.x.title, _TITLE), plain(data.y.title, _TITLE))
    shown = [line for line in data.lines if any(y is not None for y in line.y)]
    if not shown:
        return empty(figure, data.empty)
    for line in shown:
        _add(figure, line)
    places = [x for line in shown for x in line.x]
    figure.update_xaxes(**_axis(data.x, places))
    if data.x.logarithmic and (room := around_one(places)) is not None:
        figure.update_xaxes(type="linear", range=room)
    figure.update_yaxes(**_axis(data.y, [y for line in shown for y in line.y if y is not None]))
    figure.update_layout(hovermode="closest", margin_r=_RIGHT)
    narrow(figure, {} if data.x.logarithmic else {"xaxis.nticks": 5})
    name_all(figure, columns=4 if max(len(line.name) for line in shown) <= _SHORT else 2)
    if data.or_linear:
        _offer_linear(figure)
    return figure


def _add(figure: go.Figure, line: Line) -> None:
    index = line.colour if isinstance(line.colour, int) else 0
    shade = colour(series_role(index) if isinstance(line.colour, int) else line.colour)
    width = 2.25 if isinstance(line.colour, int) else 1
    figure.add_scatter(
        x=list(line.x),
        y=list(line.y),
        mode=_MODES[line.marks],
        line={"color": shade, "width": width, "dash": line.dash or dash(index)},
        marker={"color": shade, "symbol": symbol(index), "size": 11 if line.marks == "points" else 8},
        opacity=line.opacity,
        name=plain(line.name, _NAME),
        **_hover(line.hover),
    )


def _hover(words: str | tuple[str, ...]) -> dict[str, Any]:
    if not words:
        return {"hoverinfo": "skip"}
    if isinstance(words, str):
        text = html.escape(words, quote=False).replace("%", "&#37;")
        return {"hovertemplate": text.replace("{x}", "%{x:,}").replace("{y}", "%{y:.4g}")}
    texts = ["<br>".join(plain(line, _NAME) for line in text.split("\n")) for text in words]
    return {"text": texts, "hovertemplate": "%{text}<extra>%{fullData.name}</extra>"}


def _axis(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    layout: dict[str, Any] = {}
    positive = [value for value in values if value > 0]
    if axis.logarithmic and positive:
        layout = {
            "type": "log",
            "nticks": log_ticks(min(positive), max(positive)),
            "tickformat": ",.0f" if axis.whole else ".3~g",
        }
    elif axis.whole:
        layout = {"rangemode": "tozero", "hoverformat": ",.0f"}
    else:
        layout = value_axis()
    if axis.ends is not None:
        layout["range"] = [math.log10(end) for end in axis.ends] if "type" in layout else list(axis.ends)
    return layout


def _offer_linear(figure: go.Figure) -> None:
    logarithmic: Patch = {"layout": {"yaxis.type": "log", "yaxis.uirevision": "log"}, "data": {}}
    linear: Patch = {"layout": {"yaxis.type": "linear", "yaxis.nticks": 0, "yaxis.uirevision": "lin"}, "data": {}}
    control(figure, "Scale", [("logarithmic", logarithmic), ("linear", linear)])
