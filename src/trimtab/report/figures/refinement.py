"""What a run's gradient norms were, and what they make of a schedule."""

import numpy as np
import plotly.graph_objects as go

from trimtab.report.figures.style import colour, frame, log_ticks, narrow
from trimtab.schedule.refined.refinement import Refinement

_DRAWN = 2000
"""Points of a line; more cannot be seen."""


def norms(made: Refinement) -> go.Figure:
    """Draws the norms of the run as they were recorded, and after smoothing."""
    figure = frame(400, "step of the recorded run", f"{made.norm} norm of the gradient".replace("_", " "))
    places = _places(len(made.run.norms))
    steps = [int(place) * made.run.every for place in places]
    raw, smooth = np.asarray(made.run.norms)[places], made.smooth[places]
    figure.add_scatter(
        x=steps,
        y=_positive(raw),
        mode="lines",
        line={"color": colour("muted"), "width": 1},
        opacity=0.5,
        name="recorded",
        hovertemplate="step %{x:,}: %{y:.4g}",
    )
    figure.add_scatter(
        x=steps,
        y=_positive(smooth),
        mode="lines",
        line={"color": colour("series-1"), "width": 2.5},
        name="median",
        hovertemplate="step %{x:,}: %{y:.4g}",
    )
    figure.update_xaxes(rangemode="tozero", hoverformat=",.0f")
    drawn = [value for value in (*_positive(raw), *_positive(smooth)) if value is not None]
    figure.update_yaxes(type="log", tickformat=".3~g", nticks=log_ticks(min(drawn), max(drawn)))
    narrow(figure, {"height": 360, "xaxis.nticks": 5})
    return figure


def schedules(made: Refinement) -> go.Figure:
    """Draws the schedule of the next run beside linear decay, which is what constant norms would give."""
    figure = frame(400, "step of the next run", "learning rate, as a share of its peak")
    places = _places(made.total_steps)
    lines = (
        ("refined", made.schedule[places], "series-1", "solid", 2.5),
        ("linear decay", 1 - places / (made.total_steps - 1), "series-2", "dash", 2),
    )
    for name, values, role, dash, width in lines:
        figure.add_scatter(
            x=places.tolist(),
            y=values.tolist(),
            mode="lines",
            line={"color": colour(role), "width": width, "dash": dash},
            name=name,
            hovertemplate="step %{x:,}: %{y:.3f}",
        )
    figure.update_xaxes(rangemode="tozero", hoverformat=",.0f")
    figure.update_yaxes(range=[0, 1.05])
    narrow(figure, {"height": 360, "xaxis.nticks": 5})
    return figure


REFINEMENT_FIGURES = {"schedules": schedules, "norms": norms}
"""Name to figure, in the order of the page."""


def _places(count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Which of so many values are drawn, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _DRAWN)).round().astype(np.int64))


def _positive(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[float | None]:
    """Leaves out what has no place on a logarithmic axis."""
    return [float(value) if 0 < value < np.inf else None for value in values]
