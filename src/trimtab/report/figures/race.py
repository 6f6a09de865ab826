"""A race: how far each candidate ran, and why it left."""

import plotly.graph_objects as go

from trimtab.compare.result import CandidateResult, ComparisonResult, RaceResult
from trimtab.report.figures.style import (
    VERDICTS,
    colour,
    frame,
    narrow,
    plain,
    verdict_marker,
    verdict_name,
    verdict_role,
)
from trimtab.report.raced import finish

_ROW = 34
_BELOW = 62
"""Pixels of the axis's numbers and title, below which a phone has the legend."""


def race(result: ComparisonResult, raced: RaceResult) -> go.Figure:
    """Draws a line for each candidate as far as it ran, with a mark at its end that says why it left."""
    most = raced.looks[-1]
    rows = list(range(len(result.candidates)))
    wide, tight = ([plain(c.label, width) for c in result.candidates] for width in (30, 19))
    lines = [max(text.count("<br>") + 1 for text in texts) for texts in (wide, tight)]
    heights = [max(_ROW, 12 + 17 * each) * len(rows) for each in lines]
    figure = frame(heights[0] + 130, "final runs")
    figure.update_yaxes(tickvals=rows, ticktext=wide, range=[len(rows) - 0.5, -0.5], showgrid=False, zeroline=False)
    figure.update_xaxes(tickvals=[0, *raced.looks], range=[0, most * 1.03], zeroline=False)
    for row, candidate in enumerate(result.candidates):
        figure.add_scatter(
            x=[0, _ran(raced, candidate)],
            y=[row, row],
            mode="lines",
            line={"color": colour("muted"), "width": 2},
            showlegend=False,
            hoverinfo="skip",
        )
    ends: dict[str, list[tuple[int, CandidateResult]]] = {}
    for row, candidate in enumerate(result.candidates):
        ends.setdefault(_role(result, raced, candidate), []).append((row, candidate))
    for role in (each for each in VERDICTS if each in ends):
        figure.add_scatter(
            x=[_ran(raced, candidate) for _, candidate in ends[role]],
            y=[row for row, _ in ends[role]],
            mode="markers",
            marker=verdict_marker(role),
            name=verdict_name(role),
            text=[f"<b>{plain(c.label, 60)}</b><br>{plain(finish(result, c), 60)}" for _, c in ends[role]],
            hovertemplate="%{text}<extra></extra>",
        )
    below = {"legend.y": -_BELOW / heights[1], "height": heights[1] + _BELOW + 90}
    narrow(figure, {"yaxis.ticktext": tight, **below})
    return figure


def _ran(raced: RaceResult, candidate: CandidateResult) -> int:
    """How far a candidate has run; of one that has not left, only what has ended."""
    departure = raced.departure(candidate.label)
    return candidate.runs if departure is None else departure.seeds


def _role(result: ComparisonResult, raced: RaceResult, candidate: CandidateResult) -> str:
    """The verdict with which a candidate left, or as it stands."""
    departure = raced.departure(candidate.label)
    if departure is None:
        return verdict_role(candidate, result.reference)
    return {"better": "helps", "worse": "hurts", "chance": "same", "unfinished": "unranked"}[departure.reason]
