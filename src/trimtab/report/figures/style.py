"""What the figures share: colours, shapes, the frame, and how the page may vary them.

Colours have a light and a dark value. Figures are built with the light ones; the page knows both as CSS variables and
exchanges them. No difference rests on colour alone: verdicts and candidates also have shapes and dashes of their own.

A figure tells the page through ``layout.meta`` what may be varied. A *patch* is ``{"layout": {dotted path: value},
"data": {dotted path: one value per trace}}``; ``meta["page"]`` is the patch for a page, which has a key of its own,
``meta["narrow"]`` the one for phones, and ``meta["controls"]`` is a list of alternatives, each with a ``label`` and
``options`` that have a ``label``, a ``key`` and a ``patch``. The first option is how the figure is built.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import plotly.graph_objects as go

from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report.wrapping import wrapped

Patch: TypeAlias = dict[str, dict[str, Any]]

PALETTE: dict[str, tuple[str, str]] = {
    "ink": ("#16212a", "#e8edf0"),
    "muted": ("#56646e", "#9fb0ba"),
    "grid": ("#e3e8ea", "#2a343b"),
    "helps": ("#0b6a83", "#66c7de"),
    "hurts": ("#b4480a", "#ffa366"),
    "same": ("#6d7b85", "#93a3ad"),
    "unranked": ("#98a4ac", "#6d7b85"),
    "series-1": ("#1a5fb0", "#3d8fe0"),
    "series-2": ("#de7a00", "#ff9f45"),
    "series-3": ("#00664b", "#2fae86"),
    "series-4": ("#bb72d0", "#d3a8f7"),
    "series-5": ("#7a2f1d", "#d9694f"),
    "series-6": ("#2391a8", "#8fe0ee"),
    "series-7": ("#d94f86", "#f57fae"),
    "series-8": ("#15264d", "#f2e9a0"),
}
"""Role to its colour on a light and on a dark page; lines and dots have a contrast of 3 or more to the page."""

VERDICTS = {
    "helps": "helps",
    "hurts": "hurts",
    "same": "no difference shown",
    "untested": "not tested",
    "reference": "reference",
    "unranked": "not ranked",
}
"""Role to the words for it."""

SERIES = 8
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down", "pentagon")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")

_NO_CHANGE: Patch = {"layout": {}, "data": {}}

_PLOT = 340
"""Height of a figure beside its legend."""

BAND_OPACITY = 0.14
DOT_OPACITY = 0.45


def colour(role: str) -> str:
    """Returns the light colour of a role."""
    return PALETTE[role][0]


def series_role(index: int) -> str:
    """Returns the role of the candidate at a place in the ranking; colours repeat after the eighth."""
    return f"series-{index % SERIES + 1}"


def symbol(index: int) -> str:
    """Returns a candidate's marker; colour and marker together repeat after 72 candidates."""
    return _SYMBOLS[index % len(_SYMBOLS)]


def dash(index: int) -> str:
    """Returns a candidate's line style, another one each time the colours start again."""
    return _DASHES[index // SERIES % len(_DASHES)]


def plain(text: str, width: int = 26) -> str:
    """Returns text as plotly shows it unchanged, wrapped to ``width``: it would take ``<b>`` for markup."""
    return "<br>".join(html.escape(line, quote=False) for line in wrapped(text, width))


def verdict_role(candidate: CandidateResult, reference: str) -> str:
    """Returns which of the verdicts of the legend a candidate has."""
    if candidate.rank is None:
        return "unranked"
    if candidate.label == reference:
        return "reference"
    return {"helps": "helps", "hurts": "hurts", "no difference shown": "same", None: "untested"}[candidate.verdict]


def verdict_marker(role: str) -> dict[str, Any]:
    """Returns the colour and the shape of a verdict."""
    colours = {"reference": "ink", "untested": "same"}
    shapes = {
        "helps": "circle",
        "hurts": "square",
        "same": "circle-open",
        "untested": "circle-open",
        "reference": "diamond",
        "unranked": "x-thin-open",
    }
    line = {"width": 2.5 if shapes[role].endswith("open") else 0}
    return {"color": colour(colours.get(role, role)), "symbol": shapes[role], "size": 11, "line": line}


def verdict_name(role: str) -> str:
    """Returns how tables and legends call a verdict."""
    return VERDICTS[role]


def frame(height: int, x_title: str, y_title: str = "") -> go.Figure:
    """Returns an empty figure with quiet axes and no background."""
    axis = {
        "gridcolor": colour("grid"),
        "zerolinecolor": colour("grid"),
        "linecolor": colour("grid"),
        "ticks": "",
        "ticklabelstandoff": 5,
        "automargin": True,
        "title": {"standoff": 12, "font": {"size": 13}},
    }
    figure = go.Figure()
    figure.update_layout(
        template=go.layout.Template(),
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colour("ink"), "size": 13},
        margin={"l": 8, "r": 16, "t": 36, "b": 48},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
        },
        hoverlabel={"align": "left"},
        xaxis=axis,
        yaxis=axis,
        meta={"page": _NO_CHANGE, "narrow": _NO_CHANGE, "controls": []},
    )
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title)
    return figure


def value_axis() -> dict[str, Any]:
    """Returns how an axis of losses or metrics labels numbers of any unit: with a power of ten, and not ``1p``."""
    return {"exponentformat": "power", "minexponent": 5}


def narrow(figure: go.Figure, layout: dict[str, Any]) -> None:
    """Says what a phone changes: the legend goes below, and what ``layout`` names."""
    below = {"legend.y": -0.2, "legend.yanchor": "top", "margin.t": 16, "margin.r": 4, "font.size": 12}
    figure.layout.meta["narrow"] = {"layout": {**below, **layout}, "data": {}}


def name_all(figure: go.Figure, *, columns: int = 2) -> None:
    """Makes a figure as high as its legend needs, which would scroll in half the height otherwise; call it last.

    Args:
        figure: its traces have their names.
        columns: in which a page shows the names; a phone has one.
    """
    names = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
    wide, tight = (_legend_height(names, each) for each in (columns, 1))
    page, phone = figure.layout.meta["page"]["layout"], figure.layout.meta["narrow"]["layout"]
    height = max(figure.layout.height, _PLOT + wide)
    figure.layout.meta["page"] = {"layout": {**page, "height": height, "legend.maxheight": wide}, "data": {}}
    height = max(phone.get("height", 0), _PLOT + 70 + tight)
    figure.layout.meta["narrow"] = {"layout": {**phone, "height": height, "legend.maxheight": tight}, "data": {}}


def _legend_height(names: Sequence[str], columns: int) -> int:
    rows = [names[start : start + columns] for start in range(0, len(names), columns)]
    return 14 + sum(5 + 16 * max(name.count("<br>") + 1 for name in row) for row in rows)


def control(
    figure: go.Figure, label: str, options: Sequence[tuple[str, Patch]], keys: Sequence[str] | None = None
) -> None:
    """Offers alternatives, the first of them being how the figure is built; one alone is not offered.

    Args:
        figure: to offer them at.
        label: of all of them.
        options: label of each, and what it changes.
        keys: by which a page that renews itself knows options again whose labels change; these, unless it is said.
    """
    if len(options) > 1:
        known = [name for name, _ in options] if keys is None else keys
        chosen = [
            {"label": name, "key": key, "patch": patch} for (name, patch), key in zip(options, known, strict=True)
        ]
        figure.layout.meta["controls"].append({"label": label, "options": chosen})


def empty(figure: go.Figure, words: str) -> go.Figure:
    """Says in the middle of a figure why there is nothing in it."""
    figure.update_layout(height=160, xaxis={"visible": False}, yaxis={"visible": False})
    figure.layout.meta.update(page=_NO_CHANGE, narrow=_NO_CHANGE)
    figure.add_annotation(
        text=plain(words, 60),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"color": colour("muted")},
    )
    return figure


def log_ticks(low: float, high: float) -> int:
    """Returns the ``nticks`` with which plotly labels 1, 2 and 5 of each decade between two values, not every digit.

    Within a decade it labels round numbers, and would be content with too few of them.
    """
    return 3 if high >= 10 * low else 6


def around_one(values: Iterable[float]) -> list[float] | None:
    """Returns a range for an axis with a single value, around which plotly would show one unit of any size."""
    distinct = set(values)
    if len(distinct) != 1:
        return None
    (value,) = distinct
    return [value - 0.5 * abs(value), value + 0.5 * abs(value)] if value else None


def series(result: ComparisonResult) -> dict[str, int]:
    """Returns each candidate's place in the ranking, from which its colour follows in every figure and table."""
    return {candidate.label: index for index, candidate in enumerate(result.candidates)}
