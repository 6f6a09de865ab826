"""How the largest stable learning rate goes with the batch size, by both laws."""

import math

import plotly.graph_objects as go

from trimtab.report.figures.style import colour, dash, frame, log_ticks, name_all, narrow, series_role, symbol
from trimtab.report.numbers import significant
from trimtab.schedule.rmt_scaling.rmt_scaling import EXPONENTS
from trimtab.schedule.rmt_scaling.scaling_advice import RULES, Law, ScalingAdvice

_MATRICES = {"ggn": "Gauss-Newton matrix", "hessian": "Hessian"}


def largest_rates(advice: ScalingAdvice) -> go.Figure:
    """Draws both laws, the knee, the power law that holds below it, and the two batch sizes."""
    adaptive = RULES[advice.optimizer] == "adaptive"
    title = "how the rate scales: 2 / root of the curvature" if adaptive else "largest stable rate of plain SGD"
    figure = frame(460, "samples a batch", title)
    for index, law in enumerate(advice.laws):
        _add_law(figure, advice, law, index)
    _add_power(figure, advice)
    _add_knee(figure, advice)
    _add_sizes(figure, advice)
    rates = [rate for law in advice.laws for rate in law.rates]
    figure.update_xaxes(type="log", exponentformat="power", nticks=log_ticks(1, advice.samples))
    figure.update_yaxes(
        type="log", range=_range(rates), nticks=log_ticks(min(rates), max(rates)), exponentformat="power"
    )
    narrow(figure, {"height": 480})
    name_all(figure)
    return figure


def _add_law(figure: go.Figure, advice: ScalingAdvice, law: Law, index: int) -> None:
    figure.add_scatter(
        x=list(advice.batch_sizes),
        y=list(law.rates),
        mode="lines",
        line={"color": colour(series_role(index)), "width": 2.5 if index == 0 else 1.5, "dash": dash(8 * index)},
        name=f"{law.name}, {_MATRICES[law.matrix]}",
        hovertemplate="%{x} samples: %{y:.3g}",
    )


def _add_power(figure: go.Figure, advice: ScalingAdvice) -> None:
    """The power law through the smallest batch's rate, as far as the largest rate."""
    law, power = advice.laws[0], EXPONENTS[RULES[advice.optimizer]]
    last = law.rates[-1]
    ends = [1.0, min((last / law.rates[0]) ** (1 / power), float(advice.samples))]
    figure.add_scatter(
        x=ends,
        y=[law.rates[0] * end**power for end in ends],
        mode="lines",
        line={"color": colour("muted"), "width": 1, "dash": "dot"},
        name="in proportion to the batch" if power == 1 else "with the root of the batch",
        hoverinfo="skip",
    )


def _add_knee(figure: go.Figure, advice: ScalingAdvice) -> None:
    if not 1 <= advice.knee <= advice.samples:
        return
    rates = [rate for law in advice.laws for rate in law.rates]
    low, high = (10**end for end in _range(rates))
    figure.add_scatter(
        x=[advice.knee, advice.knee],
        y=[low, high],
        mode="lines",
        line={"color": colour("ink"), "width": 1, "dash": "dash"},
        name=f"knee: {significant(advice.knee, 2)} samples",
        hoverinfo="skip",
    )


def _add_sizes(figure: go.Figure, advice: ScalingAdvice) -> None:
    sizes = dict.fromkeys((advice.from_batch, advice.to_batch))
    rates = [advice.laws[0].rates[advice.batch_sizes.index(size)] for size in sizes]
    figure.add_scatter(
        x=list(sizes),
        y=rates,
        mode="markers",
        marker={"color": colour(series_role(0)), "size": 11, "symbol": symbol(0)},
        name="from and to",
        hovertemplate="%{x} samples: %{y:.3g}",
    )


def _range(rates: list[float]) -> list[float]:
    low, high = math.log10(min(rates)), math.log10(max(rates))
    room = 0.06 * (high - low) or 0.2
    return [low - room, high + room]
