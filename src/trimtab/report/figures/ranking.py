"""The ranking: what every candidate reached, and how far that is from the reference."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import plotly.graph_objects as go

from trimtab.compare.result import CandidateResult, ComparisonResult, Pair
from trimtab.report.figures.style import (
    DOT_OPACITY,
    VERDICTS,
    around_one,
    colour,
    control,
    empty,
    frame,
    narrow,
    plain,
    value_axis,
    verdict_marker,
    verdict_name,
    verdict_role,
)
from trimtab.report.numbers import significant
from trimtab.report.objective import better, brief, shown, shown_interval
from trimtab.report.pair_table import worth

_ABOVE = 18
"""Room for a line of words between the buttons and the plot, in pixels."""

_CLOSE = 4.0
"""A row that reaches so many times farther than the middle one leaves no room for the others."""

_ROUNDING = 1e-12
"""Share of what is drawn that is nothing but rounding."""

_RANK = 4
"""Characters of a rank before a label, on whose first line it stands."""


def ranking(result: ComparisonResult) -> go.Figure:
    """Draws where each candidate ends: the mean over seeds with its 95 % interval, and each seed."""
    figure = _rows(result, f"{result.problem.objective.name} at the end")
    if all(candidate.loss is None for candidate in result.candidates):
        return empty(figure, "No final run has finished yet.")
    seeds = final_losses(result)
    _add_seed_dots(figure, result, {label: list(losses.values()) for label, losses in seeds.items()})
    for role, rows in _by_role(result).items():
        known = [(row, end) for row, c in rows if (end := shown_interval(result, c)) is not None]
        if not known:
            continue
        means = [end.mean for _, end in known]
        figure.add_scatter(
            x=means,
            y=[row for row, _ in known],
            error_x=_errors(means, [(end.low, end.high) for _, end in known], role),
            mode="markers",
            marker=verdict_marker(role),
            name=verdict_name(role),
            text=[_interval_text(result.candidates[row].label, end.mean, end.low, end.high) for row, end in known],
            hovertemplate="%{text}<extra></extra>",
        )
    _say_missing(figure, [(row, "no final run finished") for row, c in enumerate(result.candidates) if c.loss is None])
    figure.update_xaxes(range=around_one(loss for losses in seeds.values() for loss in losses.values()))
    if result.problem.sign > 0:  # a close-up leaves out what is far above the best
        _close_up(figure, {c.label: list(seeds[c.label].values()) for c in result.candidates}, zero=False)
    return figure


def differences(result: ComparisonResult) -> go.Figure:
    """Draws how much better each candidate is than the reference, seed by seed, with simultaneous intervals.

    Right of zero is better. The intervals hold for all pairs at once, as the verdicts do: one that reaches beyond zero
    on both sides stands where no difference is shown. The pale bar is what these seeds could not have seen: within it
    lie the differences smaller than the smallest detectable one.
    """
    unpaired = result.protocol.unpaired
    how = "run by run" if unpaired else "seed by seed"
    figure = _rows(result, f"{better(result)} {brief(result)} than {result.reference}, {how}")
    if all(candidate.against_reference is None for candidate in result.candidates):
        return empty(figure, f"Nothing could be tested against {result.reference}.")
    figure.add_vline(x=0, line={"color": colour("muted"), "width": 1.5}, layer="below")
    _add_blind_bars(figure, result)
    dots = differences_from_mean(result) if unpaired else paired_differences(result)
    _add_seed_dots(figure, result, dots)
    for role, rows in _by_role(result).items():
        pairs = [(row, c.against_reference) for row, c in rows if c.against_reference is not None]
        if not pairs:
            continue
        means = [pair.improvement for _, pair in pairs]
        figure.add_scatter(
            x=means,
            y=[row for row, _ in pairs],
            error_x=_errors(means, [(pair.simultaneous_low, pair.simultaneous_high) for _, pair in pairs], role),
            mode="markers",
            marker=verdict_marker(role),
            name=verdict_name(role),
            text=[_pair_text(pair, unpaired=unpaired) for _, pair in pairs],
            hovertemplate="%{text}<extra></extra>",
        )
    _label_sides(figure)
    absent = [
        (row, "the reference" if c.label == result.reference else "no test")
        for row, c in enumerate(result.candidates)
        if c.against_reference is None
    ]
    _say_missing(figure, absent)
    tested = [c.against_reference for c in result.candidates if c.against_reference is not None]
    _close_up(
        figure,
        {p.first: [p.simultaneous_low, p.simultaneous_high, *dots.get(p.first, [])] for p in tested},
        zero=True,
        begin=result.race is not None,
    )
    return figure


def final_losses(result: ComparisonResult) -> dict[str, dict[int, float]]:
    """Returns where every final run that finished ended: label to seed to value."""
    losses: dict[str, dict[int, float]] = {candidate.label: {} for candidate in result.candidates}
    for trial in result.trials:
        if trial.phase == "final" and trial.loss is not None:
            losses[trial.candidate][trial.seed] = shown(result, trial.loss)
    return losses


def paired_differences(result: ComparisonResult) -> dict[str, list[float]]:
    """Returns how much better than the reference each tested candidate is, for the seeds that both have."""
    losses = final_losses(result)
    reference = losses.get(result.reference, {})
    return {
        c.label: [
            result.problem.sign * (reference[seed] - loss)
            for seed, loss in losses[c.label].items()
            if seed in reference
        ]
        for c in result.candidates
        if c.against_reference is not None
    }


def differences_from_mean(result: ComparisonResult) -> dict[str, list[float]]:
    """Returns how much better than the mean of the reference each run of a tested candidate is."""
    losses = final_losses(result)
    reference = list(losses.get(result.reference, {}).values())
    return {
        c.label: [result.problem.sign * (fmean(reference) - loss) for loss in losses[c.label].values()]
        for c in result.candidates
        if c.against_reference is not None
    }


def _rows(result: ComparisonResult, axis: str) -> go.Figure:
    """An empty figure with a row a candidate, best at the top, and what its axis shows in words."""
    title, tight_title = (plain(axis, width) for width in (60, 36))
    wide, tight = (
        [f"{c.place:<2}  {plain(c.label, width)}" for c in result.candidates] for width in (30 - _RANK, 19 - _RANK)
    )
    rows = list(range(len(result.candidates)))
    heights = [max(34, 12 + 17 * max(text.count("<br>") + 1 for text in texts)) * len(rows) for texts in (wide, tight)]
    figure = frame(heights[0] + 130, title)
    figure.update_yaxes(tickvals=rows, ticktext=wide, range=[len(rows) - 0.5, -0.5], showgrid=False, zeroline=False)
    figure.update_xaxes(zeroline=False, nticks=7, **value_axis())
    figure.update_layout(margin_t=64, legend_y=1 + 24 / heights[0])
    figure.layout.meta["page"] = {
        "layout": {"showlegend": False, "margin.t": 28, "height": heights[0] + 94, "xaxis.title.text": title},
        "data": {},
    }
    height = heights[1] + 94 + 17 * tight_title.count("<br>")
    words = {"yaxis.ticktext": tight, "xaxis.title.text": tight_title}
    narrow(figure, {**words, "height": height, "xaxis.nticks": 5, "margin.t": 28})
    return figure


def _by_role(result: ComparisonResult) -> dict[str, list[tuple[int, CandidateResult]]]:
    rows = [(row, c, verdict_role(c, result.reference)) for row, c in enumerate(result.candidates)]
    return {role: [(row, c) for row, c, found in rows if found == role] for role in VERDICTS}


def _add_seed_dots(figure: go.Figure, result: ComparisonResult, values: dict[str, list[float]]) -> None:
    """One pale dot a run, spread over the height of its row so that none hides another."""
    points = [
        (value, row - 0.22 + 0.44 * (place + 0.5) / len(values[c.label]), verdict_role(c, result.reference))
        for row, c in enumerate(result.candidates)
        for place, value in enumerate(values.get(c.label, ()))
    ]
    figure.add_scatter(
        x=[x for x, _, _ in points],
        y=[y for _, y, _ in points],
        mode="markers",
        marker={
            "size": 5,
            "opacity": DOT_OPACITY,
            "color": [verdict_marker(role)["color"] for _, _, role in points],
            "line": {"width": 0},
        },
        name="one seed",
        showlegend=False,
        hovertemplate="one seed: %{x:.4g}<extra></extra>",
    )


def _add_blind_bars(figure: go.Figure, result: ComparisonResult) -> None:
    tested = [(row, c.against_reference) for row, c in enumerate(result.candidates) if c.against_reference is not None]
    figure.add_bar(
        x=[2 * pair.simultaneous_detectable for _, pair in tested],
        base=[-pair.simultaneous_detectable for _, pair in tested],
        y=[row for row, _ in tested],
        orientation="h",
        width=0.62,
        marker={"color": colour("grid"), "line": {"width": 0}},
        name="often missed",
        text=[f"smallest detectable: {significant(pair.simultaneous_detectable, 3)}" for _, pair in tested],
        textposition="none",
        hovertemplate="%{text}<extra></extra>",
    )


def _errors(means: Sequence[float], ends: Sequence[tuple[float | None, float | None]], role: str) -> dict[str, Any]:
    """Error bars from the ends of intervals; none where there is no interval."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if high is None else high - mean for mean, (_, high) in zip(means, ends, strict=True)],
        "arrayminus": [0 if low is None else mean - low for mean, (low, _) in zip(means, ends, strict=True)],
        "color": verdict_marker(role)["color"],
        "thickness": 2.5,
        "width": 0,
    }


def _interval_text(label: str, mean: float, low: float | None, high: float | None) -> str:
    text = f"<b>{plain(label, 60)}</b><br>mean {significant(mean)}"
    if low is None or high is None:
        return text
    return f"{text}, 95 % interval {significant(low)} to {significant(high)}"


def _pair_text(pair: Pair, *, unpaired: bool) -> str:
    shared = "" if unpaired else f"; shared seeds are worth {worth(pair)}"
    alone = f"{significant(pair.low)} to {significant(pair.high)}"
    return (
        f"<b>{plain(pair.first, 60)}</b><br>mean {significant(pair.improvement)}, 95 % interval "
        f"{significant(pair.simultaneous_low)} to {significant(pair.simultaneous_high)} for all pairs at once "
        f"({alone} for this one alone)<br>p = {significant(pair.p_value, 2)} after Holm's correction, "
        f"{significant(pair.freedom, 3)} degrees of freedom{shared}"
    )


def _say_missing(figure: go.Figure, rows: Iterable[tuple[int, str]]) -> None:
    """Writes into rows that hold no mark why."""
    for row, words in rows:
        figure.add_annotation(
            text=words,
            x=0.01,
            xref="paper",
            xanchor="left",
            y=row,
            yref="y",
            showarrow=False,
            font={"color": colour("muted"), "size": 12},
        )


def _label_sides(figure: go.Figure) -> None:
    for text, x, anchor in (("← worse", 0.0, "left"), ("better →", 1.0, "right")):
        figure.add_annotation(
            text=text,
            x=x,
            y=1.0,
            xref="paper",
            yref="paper",
            xanchor=anchor,
            yanchor="bottom",
            showarrow=False,
            font={"color": colour("muted"), "size": 12},
        )
    for view in ("page", "narrow"):  # where buttons stand above the plot, and would cover the words
        layout = figure.layout.meta[view]["layout"]
        layout |= {each: layout[each] + _ABOVE for each in ("margin.t", "height")}


def _close_up(figure: go.Figure, values: dict[str, list[float]], *, zero: bool, begin: bool = False) -> None:
    """Offers a view without the rows that are so far out that the others cannot be told apart.

    A race begins with it: whoever left after two seeds has an interval beside which nothing else is seen.
    """
    known = {label: found for label, found in values.items() if found}
    if len(known) < 3:
        return
    origin = 0.0 if zero else min(min(found) for found in known.values())
    reach = {label: max(abs(value - origin) for value in found) for label, found in known.items()}
    limit = _CLOSE * sorted(reach.values())[(len(reach) - 1) // 2]
    near = [value for label, found in known.items() if reach[label] <= limit for value in found]
    left_out = sum(distance > limit for distance in reach.values())
    if not left_out or not near:
        return
    low, high = min([*near, origin]), max([*near, origin])
    if high - low <= _ROUNDING * max(
        *reach.values(), abs(low), abs(high)
    ):  # they all end alike, and there is nothing to be seen closer
        return
    margin = 0.06 * (high - low)
    layout = {"xaxis.range": [low - margin, high + margin], "xaxis.autorange": False, "xaxis.uirevision": "close-up"}
    close = (f"close-up, {left_out} outside", {"layout": layout, "data": {}})
    if begin:
        figure.update_xaxes(range=layout["xaxis.range"], autorange=False, uirevision="close-up")
        every = {"xaxis.range": None, "xaxis.autorange": True, "xaxis.uirevision": "all"}
        control(figure, "Range", [close, ("all", {"layout": every, "data": {}})], ["close-up", "all"])
    else:
        whole = {"layout": {"xaxis.uirevision": "all"}, "data": {}}
        control(figure, "Range", [("all", whole), close], ["all", "close-up"])
