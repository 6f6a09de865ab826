"""How much the choice of the learning rate matters, or of the setting that stands in its place."""

import math
from collections import defaultdict
from typing import Any

import plotly.graph_objects as go

from trimtab.compare.result import ComparisonResult, TrialResult
from trimtab.report.figures.style import (
    Patch,
    colour,
    control,
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
from trimtab.report.numbers import settings_text, significant

_BAD, _OFF = "x", "arrow-up"
_MANY = 40
"""Trials a candidate, beyond which a line from trial to trial would only hide the dots."""


def learning_rate(result: ComparisonResult) -> go.Figure:
    """Draws the loss of each tuning trial against its learning rate.

    A candidate is a colour and a shape. Trials that diverged or failed, and those that ended far worse than they began,
    are marks at the top edge. One that was pruned is hollow, at the loss that it had then, and no line leads through
    it: where it would have ended, nobody knows.
    """
    figure = frame(460, plain(result.problem.rate_title), f"{plain(result.problem.objective.name)} of the tuning trial")
    tried = _tried(result)
    heights = [height for trials in tried.values() for _, t in trials if (height := _height(t)) is not None]
    if not tried:
        return empty(figure, "No candidate has a learning rate that was tuned.")
    top = _top(heights, [t for trials in tried.values() for _, t in trials])
    for label, index in series(result).items():
        for pruned in (False, True):
            trials = [pair for pair in tried.get(label, ()) if (pair[1].status == "pruned") == pruned]
            if trials:
                _add_trials(figure, label, index, trials, top, sign=result.problem.sign, pruned=pruned)
    _add_key(figure, [t for trials in tried.values() for _, t in trials], top)
    _fit(figure, heights, top)
    rates = [rate for trials in tried.values() for rate, _ in trials]
    # with so many plotly labels powers of ten only, until somebody zooms in
    ticks = max(3, math.floor(math.log10(max(rates) / min(rates)) / 0.75))
    figure.update_xaxes(nticks=ticks)
    if max(rates) < 10 * min(rates):  # a momentum, say
        figure.update_xaxes(type="linear", nticks=6, exponentformat=None)
    if result.problem.sign < 0:
        _turn_over(figure)
    narrow(figure, {"height": 480 + 24 * len(tried) // 2})
    name_all(figure)
    return figure


def _tried(result: ComparisonResult) -> dict[str, list[tuple[float, TrialResult]]]:
    """Label to tuning trials with their learning rates, in the order of the rates."""
    tried = defaultdict(list)
    for trial in result.trials:
        rate = trial.settings.get(result.problem.rate or "")
        if trial.phase == "tune" and isinstance(rate, int | float) and rate > 0:
            tried[trial.candidate].append((float(rate), trial))
    return {label: sorted(trials, key=lambda pair: pair[0]) for label, trials in tried.items()}


def _height(trial: TrialResult) -> float | None:
    """The loss that a trial is drawn at; ``None`` for one that ended badly."""
    if trial.status == "pruned":
        return trial.curve[-1].loss if trial.curve else None
    return trial.loss


def _top(heights: list[float], trials: list[TrialResult]) -> float:
    """The top edge: just above the losses that runs start from, for there is nothing to be told apart beyond.

    Without it a single trial at 10^6 would press all others flat.
    """
    if not heights:
        return 1.0
    starts = [trial.curve[0].loss for trial in trials if trial.curve]
    lowest, highest = min(heights), max(heights)
    limit = 1.15 * max(starts) if starts and max(starts) > 0 else highest
    limit = max(limit, lowest + 1e-9 * abs(lowest))
    return limit if highest > limit else highest + 0.08 * ((highest - lowest) or abs(highest) or 1.0)


def _add_trials(
    figure: go.Figure,
    label: str,
    index: int,
    trials: list[tuple[float, TrialResult]],
    top: float,
    *,
    sign: int,
    pruned: bool,
) -> None:
    """Adds trials of a candidate, all of which were pruned or none: the others alone are in the legend."""
    heights = [_height(trial) for _, trial in trials]
    many = len(trials) > _MANY
    figure.add_scatter(
        x=[rate for rate, _ in trials],
        y=[top if height is None or height > top else height for height in heights],
        mode="markers" if many or pruned else "lines+markers",
        line={"width": 1, "color": colour(series_role(index)), "dash": "dot"},
        marker={
            "color": colour(series_role(index)),
            "size": 6 if many else 9,
            "symbol": [_mark(trial, height, top, index) for (_, trial), height in zip(trials, heights, strict=True)],
            "opacity": 0.55 if many else 0.9,
            # hollow marks are outlines; outlines of all the others would double the time of drawing thousands
            "line": {"width": 1.5 if pruned else 0},
        },
        name=plain(label),
        legendgroup=plain(label),
        showlegend=not pruned,
        text=[_words(trial, height, sign) for (_, trial), height in zip(trials, heights, strict=True)],
        hovertemplate="%{text}<extra></extra>",
    )


def _mark(trial: TrialResult, height: float | None, top: float, index: int) -> str:
    if height is None:
        return _BAD
    if height > top:
        return _OFF
    return f"{symbol(index)}-open" if trial.status == "pruned" else symbol(index)


def _words(trial: TrialResult, height: float | None, sign: int) -> str:
    outcome = trial.status if height is None else f"{significant(sign * height)} ({trial.status})"
    return f"<b>{plain(trial.candidate, 60)}</b>: {outcome}<br>{plain(settings_text(trial.settings), 70)}"


def _add_key(figure: go.Figure, trials: list[TrialResult], top: float) -> None:
    """Explains in the legend the marks that occur."""
    heights = [(trial, _height(trial)) for trial in trials]
    pruned = any(trial.status == "pruned" and height is not None for trial, height in heights)
    key = (
        ("diverged or failed", _BAD, any(height is None for _, height in heights)),
        ("off the scale", _OFF, any(height is not None and height > top for _, height in heights)),
        ("pruned, where it stood then", "circle-open", pruned),
    )
    for name, mark, occurs in key:
        if occurs:
            marker = {"symbol": mark, "size": 9, "color": colour("muted")}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=name, hoverinfo="skip")


def _fit(figure: go.Figure, heights: list[float], top: float) -> None:
    """Sets both axes, so that the marks at the top edge lie just below it in either scale."""
    figure.update_xaxes(type="log", exponentformat="power")
    lowest = min(heights, default=0.0)
    span = top - lowest
    linear = [lowest - 0.06 * span, top + 0.04 * span]
    options: list[tuple[str, Patch]] = [("linear", _scale("linear", linear, 0))]
    figure.update_yaxes(range=linear, zeroline=False, **value_axis())
    if lowest > 0 and top / lowest > 3:
        span = math.log10(top / lowest)
        logarithmic = [math.log10(lowest) - 0.06 * span, math.log10(top) + 0.04 * span]
        options.insert(0, ("log scale", _scale("log", logarithmic, log_ticks(lowest, top))))
        figure.update_yaxes(type="log", range=logarithmic, nticks=log_ticks(lowest, top), tickformat=".3~g")
    control(figure, "Loss", options)


def _turn_over(figure: go.Figure) -> None:
    """Turns losses back into the metric that they stand for, of which more is better; the top edge is the bottom then.

    Negative losses have no logarithmic scale, so that there is one view only.
    """
    for trace in figure.data:
        trace.y = [None if y is None else -y for y in trace.y]
    low, high = figure.layout.yaxis.range
    figure.update_yaxes(range=[-high, -low], type="linear", nticks=0, tickformat="")
    figure.layout.meta["controls"].clear()


def _scale(kind: str, ends: list[float], ticks: int) -> dict[str, dict[str, Any]]:
    layout = {"yaxis.type": kind, "yaxis.nticks": ticks, "yaxis.range": ends, "yaxis.uirevision": kind}
    return {"layout": layout, "data": {}}
