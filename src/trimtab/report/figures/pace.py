"""What controllers did: learning rate and batch size over the final runs."""

import math

import plotly.graph_objects as go

from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report.figures.style import (
    Patch,
    colour,
    control,
    dash,
    empty,
    frame,
    name_all,
    narrow,
    plain,
    series,
    series_role,
)
from trimtab.report.objective import costs

_LOWEST = 1e-3
"""How far below the lowest of the runs' highest rates is drawn."""

_OPACITY = 0.55
"""Of the lines of single runs, which lie over each other where a schedule is the same for all of them."""


def has_pace(result: ComparisonResult) -> bool:
    """Returns whether a learning rate or a batch size changed in any final run."""
    return any(trial.pace for trial in result.trials)


def pace(result: ComparisonResult) -> go.Figure:
    """Draws the learning rate, or the batch size, of every final run in which one of them changed.

    A step holds until the next change; of a schedule with more changes than can be seen, some are drawn. What was
    tried and taken back is drawn as well, because it was paid for.
    """
    figure = frame(460, plain(costs(result), 60), "learning rate")
    runs = _runs(result)
    if not runs:
        return empty(figure, "No learning rate or batch size changed during a final run.")
    named: set[int] = set()
    for index, trial in runs:
        figure.add_scatter(
            x=[point.cost for point in trial.pace],
            y=_drawn_rates(trial),
            mode="lines",
            line={"color": colour(series_role(index)), "width": 1.5, "dash": dash(index), "shape": "hv"},
            opacity=_OPACITY,
            name=plain(trial.candidate),
            legendgroup=f"candidate {index}",
            showlegend=index not in named,
            hovertemplate=f"seed {trial.seed}, %{{x:,}}: %{{y:.4g}}",
        )
        named.add(index)
    figure.update_layout(legend_tracegroupgap=0)
    figure.update_xaxes(rangemode="tozero", hoverformat=",.0f")
    figure.update_yaxes(type="log", tickformat=".3~g", range=_shown_rates(runs))
    narrow(figure, {"height": 480 + 24 * len(named) // 2, "xaxis.nticks": 5})
    name_all(figure, columns=5)
    control(figure, "Shows", [("learning rate", _rates(runs)), ("batch size", _sizes(runs))])
    return figure


def _runs(result: ComparisonResult) -> list[tuple[int, TrialResult]]:
    places = series(result)
    return [(places[trial.candidate], trial) for trial in result.trials if trial.pace]


def _drawn_rates(trial: TrialResult) -> list[float | None]:
    # zero, where a schedule ends, has no place on a logarithmic axis
    return [point.lr or None for point in trial.pace]


def _shown_rates(runs: list[tuple[int, TrialResult]]) -> list[float] | None:
    """The exponents that the axis ends at: the last steps of a decay to zero would take most of its height."""
    peaks = [max(rates) for _, trial in runs if (rates := [point.lr for point in trial.pace if point.lr])]
    return [math.log10(min(peaks) * _LOWEST), math.log10(max(peaks) * 2)] if peaks else None


def _rates(runs: list[tuple[int, TrialResult]]) -> Patch:
    values = [_drawn_rates(trial) for _, trial in runs]
    layout = {"yaxis.title.text": "learning rate", "yaxis.uirevision": "lr", "yaxis.range": _shown_rates(runs)}
    return {"layout": layout, "data": {"y": values}}


def _sizes(runs: list[tuple[int, TrialResult]]) -> Patch:
    values = [[point.batch_size for point in trial.pace] for _, trial in runs]
    sizes = [point.batch_size for _, trial in runs for point in trial.pace]
    ends = [math.log10(min(sizes) / 1.2), math.log10(max(sizes) * 1.2)]
    layout = {"yaxis.title.text": "samples a batch", "yaxis.uirevision": "size", "yaxis.range": ends}
    return {"layout": layout, "data": {"y": values}}
