"""What quality costs."""

from collections.abc import Callable

import plotly.graph_objects as go

from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report.figures.style import (
    Patch,
    around_one,
    colour,
    control,
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
from trimtab.report.objective import shown_interval

_COSTS: tuple[tuple[str, str, str, Callable[[CandidateResult], float | None]], ...] = (
    ("time", "milliseconds a step", ".3~g", lambda c: None if c.step_seconds is None else 1000 * c.step_seconds),
    ("memory", "bytes that the optimizer keeps", ".3~s", lambda c: c.state_bytes),
    ("cost to target", "sample-gradients until the target", ".3~s", lambda c: c.cost_to_target),
)
_COSTS_OF_A_COMMAND: tuple[tuple[str, str, str, Callable[[CandidateResult], float | None]], ...] = (
    ("time", "seconds a run", ".3~g", lambda c: c.trial_seconds),
    ("cost to target", "reported values until the target", ".3~s", lambda c: c.cost_to_target),
)


def cost(result: ComparisonResult) -> go.Figure:
    """Draws where candidates end, with 95 % intervals, against a price: time, memory or cost to the target.

    Lower left is better, or upper left where the metric is to be large. Candidates that are not ranked are hollow.
    """
    prices = _COSTS if result.task.kind == "task" else _COSTS_OF_A_COMMAND
    figure = frame(460, prices[0][1], f"{plain(result.task.objective)} at the end")
    shown = [c for c in result.candidates if c.loss is not None]
    offered = [(name, title, form, [read(c) for c in shown]) for name, title, form, read in prices]
    offered = [offer for offer in offered if any(value is not None for value in offer[3])]
    if not offered:
        return empty(figure, "No final run has finished yet.")
    places = series(result)
    for candidate, value in zip(shown, offered[0][3], strict=True):
        _add_candidate(figure, result, candidate, places[candidate.label], value)
    figure.update_xaxes(rangemode="tozero", title_text=offered[0][1], tickformat=offered[0][2], nticks=8)
    ends = (result.task.sign * c.loss.mean for c in shown if c.loss is not None)
    figure.update_yaxes(range=around_one(ends), **value_axis())
    narrow(figure, {"height": 460 + 24 * len(shown) // 2, "xaxis.nticks": 5})
    name_all(figure)
    control(figure, "Price", [(offer[0], _patch(*offer)) for offer in offered])
    return figure


def _patch(name: str, title: str, form: str, values: list[float | None]) -> Patch:
    layout = {"xaxis.title.text": title, "xaxis.uirevision": name, "xaxis.tickformat": form}
    return {"layout": layout, "data": {"x": [[value] for value in values]}}


def _add_candidate(
    figure: go.Figure, result: ComparisonResult, candidate: CandidateResult, index: int, value: float | None
) -> None:
    loss = shown_interval(result, candidate)
    if loss is None:
        return
    ranked = candidate.rank is not None
    hue = colour(series_role(index))
    figure.add_scatter(
        x=[value],
        y=[loss.mean],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [0 if loss.high is None else loss.high - loss.mean],
            "arrayminus": [0 if loss.low is None else loss.mean - loss.low],
            "color": hue,
            "thickness": 2,
            "width": 0,
        },
        mode="markers",
        marker={
            "color": hue,
            "symbol": symbol(index) if ranked else f"{symbol(index)}-open",
            "size": 12,
            "line": {"width": 0 if ranked else 2, "color": hue},
        },
        name=plain(candidate.label) if ranked else f"{plain(candidate.label)} (not ranked)",
        hovertemplate=f"%{{x}}, {'loss' if result.task.kind == 'task' else plain(result.task.metric)} %{{y:.4g}}",
    )
