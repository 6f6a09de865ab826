"""Who wins for which duration of an evaluation."""

import numpy as np
import plotly.graph_objects as go

from trimtab.compare.durations import at_durations
from trimtab.compare.result import ComparisonResult
from trimtab.report.figures.style import colour, dash, frame, name_all, narrow, plain, series, series_role

SECONDS = tuple(float(f"{each:.3g}") for each in np.geomspace(0.01, 10_800, 40))


def has_durations(result: ComparisonResult) -> bool:
    """Returns whether it is known how long candidates take themselves."""
    return bool(result.problem.overhead) and bool(
        at_durations(result.trials, result.problem, SECONDS[-1:], _labels(result))
    )


def durations(result: ComparisonResult) -> go.Figure:
    """Draws for each candidate where it stands in equal time, over how long an evaluation takes."""
    places = series(result)
    found = at_durations(result.trials, result.problem, SECONDS, _labels(result))
    figure = frame(430, "seconds an evaluation takes", plain(f"{result.problem.objective.name} in equal time", 60))
    for label in _labels(result):
        index = places[label]
        figure.add_scatter(
            x=[each.seconds for each in found],
            y=[result.problem.sign * float(np.mean(each.losses[label])) for each in found],
            mode="lines",
            line={"color": colour(series_role(index)), "width": 2, "dash": dash(index)},
            name=plain(label),
            hovertemplate="%{x:.3g} s: %{y:.4g}",
        )
    ticks = {"0.01 s": 0.01, "0.1 s": 0.1, "1 s": 1, "10 s": 10, "1 min": 60, "10 min": 600, "1 h": 3600}
    figure.update_xaxes(type="log", tickvals=list(ticks.values()), ticktext=list(ticks))
    narrow(
        figure,
        {"height": 470, "xaxis.tickvals": [0.01, 1, 60, 3600], "xaxis.ticktext": ["0.01 s", "1 s", "1 min", "1 h"]},
    )
    name_all(figure, columns=5)
    return figure


def _labels(result: ComparisonResult) -> list[str]:
    return [each.label for each in result.candidates if each.rank is not None]
