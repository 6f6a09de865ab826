"""The figures of a report; each is a function from a comparison to a plotly figure."""

from collections.abc import Callable

import plotly.graph_objects as go

from trimtab.compare.result import ComparisonResult
from trimtab.report.figures.cost import cost
from trimtab.report.figures.curves import learning_curves
from trimtab.report.figures.durations import durations, has_durations
from trimtab.report.figures.learning_rate import learning_rate
from trimtab.report.figures.race import race
from trimtab.report.figures.ranking import differences, ranking
from trimtab.report.figures.scatter import scatter, scatter_names
from trimtab.report.figures.traces import has_traces, traces

FIGURES: dict[str, Callable[[ComparisonResult], go.Figure]] = {
    "ranking": ranking,
    "differences": differences,
    "curves": learning_curves,
    "learning-rate": learning_rate,
    "cost": cost,
}
"""Name to figure, in the order in which the page shows them."""

_COURSE = 2
"""So many points are a course."""

__all__ = [
    "FIGURES",
    "cost",
    "differences",
    "figures_of",
    "has_traces",
    "learning_curves",
    "learning_rate",
    "race",
    "ranking",
    "scatter_names",
    "traces",
]


def figures_of(result: ComparisonResult) -> dict[str, go.Figure]:
    """Draws the figures of a report: those that have something to show for its problem."""
    problem = result.problem
    left_out = set() if problem.rate else {"learning-rate"}
    if problem.origin and all(len(trial.curve) < _COURSE for trial in result.trials):
        left_out.add("curves")
    if not problem.costed and not any(measure.price for measure in problem.measures):
        left_out.add("cost")
    drawn = {name: draw(result) for name, draw in FIGURES.items() if name not in left_out}
    drawn |= {"durations": durations(result)} if has_durations(result) else {}
    drawn |= {"traces": traces(result)} if has_traces(result) else {}
    drawn |= {} if result.race is None else {"race": race(result, result.race)}
    return drawn | {name: scatter(result, each) for name, each in scatter_names(result).items()}
