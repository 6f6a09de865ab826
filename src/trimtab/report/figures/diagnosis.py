"""Sharpness along a trajectory, candidate by candidate."""

import plotly.graph_objects as go

from trimtab.diagnose.result import DiagnosisResult, Measurement
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
)
from trimtab.report.numbers import significant


def sharpness(result: DiagnosisResult) -> go.Figure:
    """Draws the directional sharpness of every candidate against the steps; correlation and decrease show on hovering.

    The vertical axis is logarithmic where most are positive; the others are to be seen on the linear one.
    """
    figure = frame(460, "step", "directional sharpness")
    values = [each.sharpness for each in result.measurements if each.sharpness is not None]
    if not values:
        return empty(figure, "Nothing was measured.")
    for index, label in enumerate(result.candidates):
        known = [each for each in result.measurements if each.candidate == label and each.sharpness is not None]
        if known:
            _add_line(figure, label, index, known)
    steps = [each.step for each in result.measurements]
    figure.update_xaxes(type="log", nticks=log_ticks(min(steps), max(steps)), tickformat=",.0f")
    if around_one(steps) is not None:
        figure.update_xaxes(type="linear", range=around_one(steps))
    figure.update_layout(hovermode="closest")
    narrow(figure, {})
    name_all(figure, columns=4)
    positive = [value for value in values if value > 0]
    if len(positive) > len(values) / 2:
        figure.update_yaxes(type="log", nticks=log_ticks(min(positive), max(positive)), tickformat=".3~g")
        logarithmic: Patch = {"layout": {"yaxis.type": "log", "yaxis.uirevision": "log"}, "data": {}}
        linear: Patch = {"layout": {"yaxis.type": "linear", "yaxis.nticks": 0, "yaxis.uirevision": "lin"}, "data": {}}
        control(figure, "Scale", [("logarithmic", logarithmic), ("linear", linear)])
    return figure


def _add_line(figure: go.Figure, label: str, index: int, known: list[Measurement]) -> None:
    look = {"color": colour(series_role(index))}
    figure.add_scatter(
        x=[each.step for each in known],
        y=[each.sharpness for each in known],
        text=[_hover(each) for each in known],
        mode="lines+markers",
        line={**look, "width": 2.25, "dash": dash(index)},
        marker={**look, "symbol": symbol(index), "size": 8},
        name=plain(label),
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )


def _hover(found: Measurement) -> str:
    lines = [
        f"step {found.step:,}",
        f"sharpness {significant(found.sharpness, 3)}",
        f"correlation {significant(found.correlation, 3)}",
        f"best decrease {significant(found.best_decrease, 3)}",
    ]
    return "<br>".join([*lines, plain(found.note, 40)] if found.note else lines)
