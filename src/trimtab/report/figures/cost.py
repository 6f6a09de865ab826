"""What quality costs."""

from collections.abc import Sequence

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
from trimtab.report.objective import brief, costs, shown_interval

_SAME = 0.02
"""Prices that differ by no more than this share stand on top of each other."""


def cost(result: ComparisonResult) -> go.Figure:
    """Draws where candidates end, with 95 % intervals, against a price: time, memory or cost to the target.

    Lower left is better, or upper left where the metric is to be large. Candidates that are not ranked are hollow.
    """
    shown = [c for c in result.candidates if c.loss is not None]
    offered = [offer for offer in _offered(result, shown) if any(value is not None for value in offer[3])]
    offered.sort(key=lambda offer: not _differ(offer[3]))  # where all have the same, nothing is seen
    figure = frame(460, offered[0][1] if offered else "", f"{plain(result.problem.objective.name)} at the end")
    if not offered:
        finished = any(trial.phase == "final" and trial.status == "complete" for trial in result.trials)
        return empty(figure, "No price is known." if finished else "No final run has finished yet.")
    places = series(result)
    for candidate, value in zip(shown, offered[0][3], strict=True):
        _add_candidate(figure, result, candidate, places[candidate.label], value)
    figure.update_xaxes(rangemode="tozero", title_text=offered[0][1], tickformat=offered[0][2], nticks=8)
    ends = (result.problem.sign * c.loss.mean for c in shown if c.loss is not None)
    figure.update_yaxes(range=around_one(ends), **value_axis())
    narrow(figure, {"height": 460 + 24 * len(shown) // 2, "xaxis.nticks": 5})
    name_all(figure)
    control(figure, "Price", [(offer[0], _patch(*offer)) for offer in offered])
    return figure


def _offered(
    result: ComparisonResult, shown: Sequence[CandidateResult]
) -> list[tuple[str, str, str, list[float | None]]]:
    """Name, title of the axis, form of its ticks and values of each price."""
    found = []
    for measure in (each for each in result.problem.measures if each.price):
        values = [c.prices.get(measure.name) for c in shown]
        if measure.form == "milliseconds":
            values = [None if value is None else 1000 * value for value in values]
        found.append(
            (measure.price, plain(measure.axis, 60), ".3~s" if measure.form in ("bytes", "whole") else ".3~g", values)
        )
    until = f"{plain(costs(result))} until the target"
    return [*found, ("cost to target", until, ".3~s", [c.cost_to_target for c in shown])]


def _differ(values: Sequence[float | None]) -> bool:
    """Whether values can be told apart where they are drawn from zero on."""
    known = [value for value in values if value is not None]
    return max(known) - min(known) > _SAME * max(known)


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
        hovertemplate=f"%{{x}}, {plain(brief(result))} %{{y:.4g}}",
    )
