"""The verdicts and the sizes of effects of many candidates on many problems, in one figure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import plotly.graph_objects as go

from trimtab.compare.pairs import compare_losses
from trimtab.compare.result import Pair
from trimtab.report.figures.style import colour, frame, plain, verdict_marker, verdict_name
from trimtab.report.tables import cut

FAR = 3.0
"""Effects of so many standard deviations and more are drawn alike."""

_DRAWN = ("helps", "hurts", "same", "unranked")


_ROLES = {"helps": "helps", "hurts": "hurts", "no difference shown": "same"}

Losses = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class Column:
    """A problem, and how the candidates on it compare with the reference.

    Args:
        name: of the problem.
        group: of columns that stand side by side.
        losses: label to the losses of the final runs, ``None`` where one is missing.
        reference: label of the candidate that all others are compared with.
    """

    name: str
    group: str
    losses: Losses
    reference: str

    @cached_property
    def _whole(self) -> dict[str, Sequence[float]]:
        known = {label: [loss for loss in own if loss is not None] for label, own in self.losses.items()}
        return {label: own for label, own in known.items() if len(own) == len(self.losses[label])}

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """Label to its comparison with the reference; candidates of which a final run is missing have none."""
        found = compare_losses(self._whole, reference=self.reference)
        own = (pair if pair.second == self.reference else pair.turned() for pair in found)
        return {pair.first: pair for pair in own}

    @cached_property
    def spread(self) -> float:
        """The standard deviation between seeds, in the median of the candidates."""
        return statistics.median(statistics.stdev(own) for own in self._whole.values())

    def effect(self, label: str) -> float | None:
        """Returns the improvement on the reference in standard deviations between seeds, if one is known."""
        pair = self.pairs.get(label)
        return None if pair is None or not self.spread else pair.improvement / self.spread

    def role(self, label: str) -> str:
        """Returns how a verdict is drawn, or that there is none to draw."""
        if label not in self.losses:
            return "not run"
        pair = self.pairs.get(label)
        return "reference" if label == self.reference else "unranked" if pair is None else _ROLES[pair.verdict]


def verdict_grid(columns: Sequence[Column], labels: Sequence[str]) -> go.Figure:
    """Draws a row for each candidate and a column for each problem; a larger mark is a larger effect.

    Args:
        columns: those of one group after those of another.
        labels: of the candidates, from above.
    """
    upwards = labels[::-1]
    drawn = frame(22 * len(upwards) + 150, "")
    for role in _DRAWN:
        places = [(x, label) for x, each in enumerate(columns) for label in upwards if each.role(label) == role]
        effects = [columns[x].effect(label) or 0.0 for x, label in places]
        drawn.add_scatter(
            x=[x for x, _ in places],
            y=[_row(label) for _, label in places],
            mode="markers",
            name=verdict_name(role),
            marker=verdict_marker(role) | {"size": [5 + 11 * min(abs(effect), FAR) / FAR for effect in effects]},
            customdata=[[columns[x].name, columns[x].group, _size(columns[x], label)] for x, label in places],
            hovertemplate="%{y}<br>%{customdata[0]}, %{customdata[1]}: %{customdata[2]}<extra></extra>",
        )
    names = [plain(each.name, 14) for each in columns]
    drawn.update_xaxes(tickvals=list(range(len(columns))), ticktext=names, tickangle=-60, side="top", showgrid=True)
    drawn.update_yaxes(categoryorder="array", categoryarray=[_row(label) for label in upwards], dtick=1)
    _name_groups(drawn, [each.group for each in columns])
    drawn.update_yaxes(range=[-0.8, len(upwards) - 0.2])
    drawn.update_layout(margin={"t": 150, "b": 10, "r": 60}, legend={"y": -0.02, "yanchor": "top"}, hovermode="closest")
    return drawn


def _name_groups(drawn: go.Figure, groups: Sequence[str]) -> None:
    """Writes each group's name over its columns, and draws a line between it and the next."""
    for group in dict.fromkeys(groups):
        places = [place for place, each in enumerate(groups) if each == group]
        if places[0]:
            drawn.add_vline(x=places[0] - 0.5, line={"color": colour("muted"), "width": 1})
        words = {"x": sum(places) / len(places), "y": 1, "yshift": 118, "xref": "x", "yref": "paper"}
        drawn.add_annotation(text=f"<b>{group}</b>", showarrow=False, **words)


def _size(column: Column, label: str) -> str:
    effect = column.effect(label)
    return "not ranked" if effect is None else f"{round(effect, 2) or 0.0:+.2f}"


def _row(label: str) -> str:
    return plain(cut(label, 28), 40)
