"""What was set or changed on the way: quantities over the final runs, such as learning rate and batch size."""

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
from trimtab.study.facts import Watched

_LOWEST = 1e-3
"""How far below the lowest of the runs' highest values is drawn."""

_OPACITY = 0.55
"""Of the lines of single runs, which lie over each other where a schedule is the same for all of them."""


def has_traces(result: ComparisonResult) -> bool:
    """Returns whether anything that is watched changed in any final run."""
    return bool(_changed(result))


def traces(result: ComparisonResult) -> go.Figure:
    """Draws what is watched of a run, one quantity at a time, of every final run in which one of them changed.

    A step holds until the next change; of a schedule with more changes than can be seen, some are drawn. What was
    tried and taken back is drawn as well, because it was paid for.
    """
    changed = _changed(result)
    runs = _runs(result)
    figure = frame(460, plain(costs(result), 60), plain(changed[0].axis, 60) if changed else "")
    if not changed:
        return empty(figure, "Nothing that is watched changed during a final run.")
    first, named = _view(changed[0], runs), set[int]()
    for place, (index, trial) in enumerate(runs):
        figure.add_scatter(
            x=first["data"]["x"][place],
            y=first["data"]["y"][place],
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
    figure.update_yaxes(type="log", tickformat=".3~g", range=first["layout"]["yaxis.range"])
    narrow(figure, {"height": 480 + 24 * len(named) // 2, "xaxis.nticks": 5})
    name_all(figure, columns=5)
    control(figure, "Shows", [(watched.name, _view(watched, runs)) for watched in changed])
    return figure


def _changed(result: ComparisonResult) -> list[Watched]:
    names = {name for trial in result.trials for name in trial.traces}
    return [watched for watched in result.problem.watched if watched.name in names]


def _runs(result: ComparisonResult) -> list[tuple[int, TrialResult]]:
    places = series(result)
    return [(places[trial.candidate], trial) for trial in result.trials if trial.traces]


def _view(watched: Watched, runs: list[tuple[int, TrialResult]]) -> Patch:
    """One quantity of all runs; of a decay to zero, the last steps would take most of the height."""
    found = [trial.traces.get(watched.name, ()) for _, trial in runs]
    # zero, where a schedule ends, has no place on a logarithmic axis
    positive = [values for trace in found if (values := [value for _, value in trace if value > 0])]
    ends = None
    if positive:
        lowest = max(min(map(min, positive)), min(map(max, positive)) * _LOWEST)
        ends = [math.log10(lowest / 1.2), math.log10(max(map(max, positive)) * 1.2)]
    layout = {"yaxis.title.text": plain(watched.axis, 60), "yaxis.uirevision": watched.name, "yaxis.range": ends}
    xs = [[cost for cost, _ in trace] for trace in found]
    return {"layout": layout, "data": {"x": xs, "y": [[v if v > 0 else None for _, v in trace] for trace in found]}}
