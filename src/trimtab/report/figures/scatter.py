"""Figures of a problem's own: one measure of final runs against another."""

import plotly.graph_objects as go

from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report.figures.style import (
    colour,
    empty,
    frame,
    name_all,
    narrow,
    plain,
    series,
    series_role,
    symbol,
    value_axis,
)
from trimtab.study.facts import OBJECTIVE, SECONDS, Measure, Scatter


def scatter_names(result: ComparisonResult) -> dict[str, Scatter]:
    """Returns the figures that a problem has of its own, by the names that the page gives them."""
    return {f"scatter-{place}": each for place, each in enumerate(result.problem.scatters, 1)}


def scatter(result: ComparisonResult, shown: Scatter) -> go.Figure:
    """Draws one measure against another, a dot a final run, in the colour of its candidate."""
    figure = frame(460, *(plain(each.axis or each.heading, 60) for each in (shown.x, shown.y)))
    runs = [trial for trial in result.trials if trial.phase == "final" and trial.status == "complete"]
    for label, index in series(result).items():
        ends = [
            (x, y, trial.seed)
            for trial in runs
            if trial.candidate == label
            and (x := _value(result, trial, shown.x)) is not None
            and (y := _value(result, trial, shown.y)) is not None
        ]
        if ends:
            figure.add_scatter(
                x=[x for x, _, _ in ends],
                y=[y for _, y, _ in ends],
                customdata=[str(seed) for _, _, seed in ends],  # a browser's number may not hold all digits
                mode="markers",
                marker={"color": colour(series_role(index)), "symbol": symbol(index), "size": 9},
                name=plain(label),
                hovertemplate="seed %{customdata}: %{x:.4g}, %{y:.4g}",
            )
    if not figure.data:
        return empty(figure, "No final run has finished yet.")
    figure.update_xaxes(nticks=8, **value_axis())
    figure.update_yaxes(**value_axis())
    narrow(figure, {"height": 460 + 24 * len(figure.data) // 2, "xaxis.nticks": 5})
    name_all(figure)
    return figure


def _value(result: ComparisonResult, trial: TrialResult, measure: Measure) -> float | None:
    """A measure of a run, in the unit of its axis."""
    if measure.name == OBJECTIVE:
        return None if trial.loss is None else result.problem.sign * trial.loss
    value = trial.seconds if measure.name == SECONDS else trial.measures.get(measure.name)
    return value if value is None or measure.form != "milliseconds" else 1000 * value
