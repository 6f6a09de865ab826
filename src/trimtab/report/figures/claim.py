"""What the arms of a claim reached, a figure a panel."""

import math

import plotly.graph_objects as go

from trimtab.claims.claim import Panel
from trimtab.claims.result import ArmResult, ClaimResult
from trimtab.report.figures.style import DOT_OPACITY, colour, empty, frame, plain, series_role, symbol
from trimtab.study.statistics import mean_interval

_WIDTH = 0.6
"""How much of the room between two places the series share."""


def claim_panel(panel: Panel, result: ClaimResult) -> go.Figure:
    """Draws a measure of the final runs: the mean over seeds with its 95 % interval, and each seed."""
    # a metric has a name of its own, which is its unit
    figure = frame(360, "", panel.unit if panel.measure == "test metric" else f"{panel.measure}, {panel.unit}")
    arms = {arm.name: arm for arm in result.arms}
    drawn = [
        _add_series(figure, panel, name, [arms[each] for each in members], index)
        for index, (name, members) in enumerate(panel.series.items())
    ]
    if not any(drawn):
        return empty(figure, "All runs diverged.")
    places = [plain(place) for place in panel.places]
    figure.update_xaxes(
        tickvals=list(range(len(places))), ticktext=places, range=[-0.5, len(places) - 0.5], showgrid=False
    )
    figure.update_layout(title={"text": plain(panel.title, 60), "font": {"size": 15}, "x": 0, "y": 0.98}, margin_t=76)
    return figure


def _add_series(figure: go.Figure, panel: Panel, name: str, arms: list[ArmResult], index: int) -> bool:
    """Adds the arms of a series, one at each place; returns whether there was anything to draw."""
    room = _WIDTH / len(panel.series)
    shift = room * (index + 0.5) - _WIDTH / 2
    columns = [(arm.values | arm.probed)[panel.measure] for arm in arms]
    known = [(place + shift, [value for value in column if value is not None]) for place, column in enumerate(columns)]
    known = [(x, values) for x, values in known if len(values) > 1]
    if not known:
        return False
    colours = {"color": colour(series_role(index)), "symbol": symbol(index)}
    figure.add_scatter(
        x=[x + 0.5 * room * ((k + 0.5) / len(values) - 0.5) for x, values in known for k in range(len(values))],
        y=[value for _, values in known for value in values],
        mode="markers",
        marker={**colours, "size": 4, "opacity": DOT_OPACITY},
        hoverinfo="skip",
        showlegend=False,
    )
    intervals = [mean_interval(values) for _, values in known]
    halves = [high - mean if math.isfinite(high) else 0 for mean, _, high in intervals]  # without spread there is none
    figure.add_scatter(
        x=[x for x, _ in known],
        y=[mean for mean, _, _ in intervals],
        error_y={"type": "data", "array": halves, "thickness": 2, "width": 5},
        mode="lines+markers" if panel.ordered else "markers",
        line={"color": colours["color"], "width": 1.5, "dash": "dot"},
        marker={**colours, "size": 10},
        name=plain(name),
        hovertemplate="%{y:.4g}",
    )
    return True
