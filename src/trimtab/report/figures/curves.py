"""Learning curves of the final runs."""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go

from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report.figures.style import (
    BAND_OPACITY,
    Patch,
    colour,
    control,
    dash,
    empty,
    frame,
    log_ticks,
    name_all,
    narrow,
    plain,
    series,
    series_role,
    symbol,
    value_axis,
)
from trimtab.report.objective import brief, costs, shown
from trimtab.study import facts
from trimtab.study.outcome import CurvePoint

_Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_MARKERS = 6
"""Marks along a line: enough to tell it by its shape."""


def learning_curves(result: ComparisonResult) -> go.Figure:
    """Draws the course of the final runs: their mean, in a band from lowest to highest run.

    The band is the range of the seeds and not an interval of the mean: it stays positive on a logarithmic axis, and it
    shows what a single run may look like. Runs that did not finish are left out, and the name says how many are drawn.
    """
    figure = frame(460, plain(costs(result), 60), plain(result.problem.objective.name))
    drawn = _add_curves(figure, result)
    if not drawn:
        known = any(trial.phase == "final" and trial.curve for trial in result.trials)
        return empty(figure, "No candidate's runs cover the same costs." if known else "No final run has finished yet.")
    figure.update_layout(hovermode="x", legend_tracegroupgap=0)
    figure.update_xaxes(rangemode="tozero", hoverformat=",.0f")
    figure.update_yaxes(**value_axis())
    narrow(figure, {"height": 480 + 24 * len(drawn) // 2, "xaxis.nticks": 5, "hovermode": "closest"})
    name_all(figure, columns=5)
    _offer_scales(figure, drawn, result)
    return figure


def _add_curves(figure: go.Figure, result: ComparisonResult) -> list[list[TrialResult]]:
    """Adds a band and a line for each candidate; returns the runs behind each."""
    drawn = []
    for label, index in series(result).items():
        finals = [t for t in result.trials if t.phase == "final" and t.candidate == label]
        runs = [trial for trial in finals if trial.status == "complete" and trial.curve]
        if not runs:
            continue
        grid, low, mean, high = _summarise(runs, lambda point: shown(result, point.loss))
        if not len(grid):
            continue
        drawn.append(runs)
        shared = {"legendgroup": f"candidate {index}", "name": plain(label)}
        if len(runs) < len(finals):
            shared["name"] += f" ({len(runs)} of {len(finals)} runs)"
        figure.add_scatter(
            x=_around(grid, grid),
            y=_around(high, low),
            mode="lines",
            fill="toself",
            fillcolor=colour(series_role(index)),
            opacity=BAND_OPACITY,
            line={"width": 0, "color": colour(series_role(index))},
            hoverinfo="skip",
            showlegend=False,
            **shared,
        )
        figure.add_scatter(
            x=grid.tolist(),
            y=mean.tolist(),
            mode="lines+markers",
            line={"color": colour(series_role(index)), "width": 2.25, "dash": dash(index)},
            marker={"symbol": symbol(index), "size": 8, "maxdisplayed": _MARKERS, "color": colour(series_role(index))},
            hovertemplate="%{y:.4g}",
            **shared,
        )
    return drawn


def _offer_scales(figure: go.Figure, drawn: list[list[TrialResult]], result: ComparisonResult) -> None:
    quoted = result.problem.quoted
    losses = [trace.y for trace in figure.data]
    linear: Patch = {"layout": {"yaxis.type": "linear", "yaxis.nticks": 0, "yaxis.uirevision": "linear"}, "data": {}}
    logarithmic: Patch = {"layout": {"yaxis.type": "log", "yaxis.uirevision": "log"}, "data": {}}
    name = brief(result)
    options = [(name, linear)]
    low, high = min(map(min, losses)), max(map(max, losses))
    if low > 0 and result.problem.sign > 0:
        figure.update_yaxes(type="log", nticks=log_ticks(low, high), tickformat=".3~g")
        options.insert(0, (f"{name}, log scale", logarithmic))
    if quoted is not None:
        options.append((facts.brief(quoted.name), _metric_patch(drawn, quoted.name)))
    control(figure, "Shows", options)


def _metric_patch(drawn: list[list[TrialResult]], metric: str) -> Patch:
    values = []
    for runs in drawn:
        _, lowest, mean, highest = _summarise(runs, lambda point: point.metric)
        values += [_around(highest, lowest), mean.tolist()]
    layout = {"yaxis.type": "linear", "yaxis.nticks": 0, "yaxis.title.text": plain(metric)}
    return {"layout": {**layout, "yaxis.uirevision": "metric"}, "data": {"y": values}}


def _summarise(runs: list[TrialResult], read: Callable[[CurvePoint], float]) -> tuple[_Array, _Array, _Array, _Array]:
    """Returns a grid of costs and the lowest, mean and highest value on it.

    Runs of one candidate are as a rule evaluated at the same costs. Where they are not, each is interpolated on the
    costs that all of them cover, of which there may be none.
    """
    costs = [[point.cost for point in run.curve] for run in runs]
    start, end = max(cost[0] for cost in costs), min(cost[-1] for cost in costs)
    grid = np.array(sorted({cost for run in costs for cost in run if start <= cost <= end}), dtype=float)
    values = np.array(
        [np.interp(grid, cost, [read(p) for p in run.curve]) for cost, run in zip(costs, runs, strict=True)]
    )
    return grid, values.min(axis=0), values.mean(axis=0), values.max(axis=0)


def _around(forth: _Array, back: _Array) -> list[float]:
    """The outline of a band: along one side and back along the other."""
    return [*forth.tolist(), *back[::-1].tolist()]
