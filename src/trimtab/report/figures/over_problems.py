"""The figures of a comparison over several problems."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from trimtab.compare.over_problems.result import CandidateProfile, ResultOverProblems
from trimtab.report.figures.style import (
    colour,
    dash,
    frame,
    name_all,
    narrow,
    plain,
    series_role,
    symbol,
)
from trimtab.report.numbers import significant
from trimtab.study.phrases import count

_APART = 0.007
"""How far lines that coincide are set apart, as a share of the figure's height."""

_TICKS = (1, 1.5, 2, 3, 4, 6, 10, 20, 50, 100, 200, 500, 1000)


def profiles(result: ResultOverProblems) -> go.Figure:
    """Draws the performance profiles: the share of problems on which a candidate is within a factor of the fastest."""
    figure = frame(460, "factor to the lowest cost of all candidates", "share of problems within that factor")
    middle = (len(result.profiles) - 1) / 2
    for index, profile in enumerate(result.profiles):
        apart = _APART * (middle - index)
        figure.add_scatter(
            x=profile.taus,
            y=[share + apart for share in profile.shares],
            text=[_within(tau, share, len(result.counted)) for tau, share in zip(*_steps(profile), strict=True)],
            mode="lines+markers",
            line={"shape": "hv", "width": 2.25, "color": colour(series_role(index)), "dash": dash(index)},
            marker={"symbol": symbol(index), "size": 8, "color": colour(series_role(index))},
            name=f"{plain(profile.label)}: {profile.score:.2f}",
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(range=[0.97, result.tau_max + 0.03], dtick=0.5, zeroline=False)
    figure.update_yaxes(range=[-0.06, 1.06], tickformat=".0%", tickvals=_shares(len(result.counted)), zeroline=False)
    narrow(figure, {"xaxis.dtick": 1})
    name_all(figure, columns=5)
    return figure


def _steps(profile: CandidateProfile) -> tuple[Sequence[float], Sequence[float]]:
    return profile.taus, profile.shares


def _within(tau: float, share: float, problems: int) -> str:
    return f"within {significant(tau, 3)} × on {round(share * problems)} of {count(problems, 'problem')}"


def _shares(problems: int) -> list[float]:
    """Every share that there can be, as long as they can be told apart."""
    parts = problems if problems <= 10 else 5
    return [place / parts for place in range(parts + 1)]


def ratios(result: ResultOverProblems) -> go.Figure:
    """Draws each candidate's cost on each problem, over the lowest; who never gets there is at the right edge."""
    known = [ratio for profile in result.profiles for ratio in profile.ratios.values() if ratio is not None]
    each = max(44, 12 + 9 * len(result.profiles))
    figure = frame(130 + each * len(result.counted), "cost to the target, over the lowest")
    highest = max([result.tau_max, *known])
    never = 1.5 * highest
    missing = any(ratio is None for profile in result.profiles for ratio in profile.ratios.values())
    figure.add_vline(x=result.tau_max, line={"color": colour("muted"), "width": 1, "dash": "dot"}, layer="below")
    for index, profile in enumerate(result.profiles):
        _add_ratios(figure, result, profile, index, never)
    ticks = {tick: f"{tick:g} ×" for tick in _TICKS if tick <= highest} | ({never: "not reached"} if missing else {})
    figure.update_xaxes(type="log", tickvals=list(ticks), ticktext=list(ticks.values()))
    rows = list(range(len(result.counted)))
    names = [plain(name) for name in result.counted]
    figure.update_yaxes(tickvals=rows, ticktext=names, range=[len(rows) - 0.5, -0.5], zeroline=False)
    few = {tick: text for tick, text in ticks.items() if tick in (1, 2, 4, 10, 100)}
    few |= {never: "never"} if missing else {}
    narrow(
        figure,
        {"height": figure.layout.height, "xaxis.tickvals": list(few), "xaxis.ticktext": list(few.values())},
    )
    name_all(figure, columns=5)
    return figure


def _add_ratios(
    figure: go.Figure, result: ResultOverProblems, profile: CandidateProfile, index: int, never: float
) -> None:
    room = 0.8 / len(result.profiles)
    shift = room * (index + 0.5) - 0.4
    found = [profile.ratios[name] for name in result.counted]
    hue = colour(series_role(index))
    marks = [symbol(index) if ratio is not None else f"{symbol(index)}-open" for ratio in found]
    figure.add_scatter(
        x=[never if ratio is None else ratio for ratio in found],
        y=[row + shift for row in range(len(found))],
        text=[_cost(result, profile, name) for name in result.counted],
        mode="markers",
        marker={"symbol": marks, "size": 10, "color": hue, "line": {"width": 1.5, "color": hue}},
        name=plain(profile.label),
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )


def _cost(result: ResultOverProblems, profile: CandidateProfile, name: str) -> str:
    cost, ratio = profile.costs[name], profile.ratios[name]
    if cost is None or ratio is None:
        return f"{plain(name)}: half of the runs or more do not reach the target"
    unit = result.problems[name].problem.cost.many
    return f"{plain(name)}: {cost:,.0f} {unit}, {significant(ratio, 3)} × the lowest"


FIGURES_OVER_PROBLEMS: dict[str, Callable[[ResultOverProblems], go.Figure]] = {"profiles": profiles, "ratios": ratios}
"""Name to figure, in the order in which the page shows them."""
