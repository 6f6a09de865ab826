"""Tables of results as text, which fit 80 columns: the ranking; over several problems, scores, costs, ranks."""

import io
import re
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.compare.over_problems.places import headings, scheduled
from trimtab.compare.over_problems.result import ResultOverProblems
from trimtab.compare.over_problems.schedules import EFFECTS
from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.report import numbers
from trimtab.report.objective import brief, shown_interval
from trimtab.report.wrapping import wrapped
from trimtab.study import facts
from trimtab.study.facts import Measure
from trimtab.study.phrases import listed

_LABEL_WIDTH = 15
_NARROW_LABEL = 10
_LONGEST_LABEL = 24
_WIDTH = 80
_WIDE = Console(width=1000, file=io.StringIO())
"""Measures what tables need."""
_STYLES = {"helps": "bold cyan", "hurts": "bold yellow", "no difference shown": "dim"}


def ranking_table(result: ComparisonResult) -> Table:
    """Returns the ranking, best first: where candidates end, the verdict, and the price as far as there is room."""
    prices = [measure for measure in result.problem.measures if measure.brief]
    widest = max(len(line) for c in result.candidates for line in wrapped(c.label, _LONGEST_LABEL))
    # as narrow as the words of a label allow
    least = max(len(word) for c in result.candidates for word in re.findall(r"[^(,_:/\s]+.?", c.label))
    least = min(max(least, _NARROW_LABEL), _LABEL_WIDTH)
    for shown in range(len(prices), -1, -1):
        for width in range(max(widest, least), least - 1, -1):
            table = _ranking_table(result, prices[:shown], width)
            if _WIDE.measure(table).maximum <= _WIDTH:
                return table
    return table


def _ranking_table(result: ComparisonResult, prices: Sequence[Measure], label_width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("rank", justify="right")
    table.add_column("candidate", overflow="fold", min_width=8)
    quoted = result.problem.quoted
    table.add_column(Text(cut(brief(result), 16)), justify="right", no_wrap=True)
    if quoted is not None:
        table.add_column(Text(cut(facts.brief(quoted.name), 12)), justify="right", no_wrap=True)
    table.add_column(Text(f"against {cut(result.reference, 12)}"), no_wrap=True)
    for measure in prices:
        table.add_column(Text(measure.brief), justify="right", no_wrap=True)
    loss_digits = numbers.digits_of(c.loss for c in result.candidates)
    metric_digits = numbers.digits_of(c.metric for c in result.candidates)
    for c in result.candidates:
        metric = numbers.fixed(c.metric.mean, metric_digits) if c.metric else numbers.MISSING
        table.add_row(
            c.place,
            Text("\n".join(wrapped(c.label, label_width))),  # as text, because a plain string may hold markup
            numbers.plus_minus(shown_interval(result, c), loss_digits),
            *([] if quoted is None else [metric]),
            _verdict(c, result),
            *(numbers.measured(measure, c.prices.get(measure.name)) for measure in prices),
        )
    return table


def cut(text: str, width: int) -> str:
    """Returns a text that is no wider than that, with an ellipsis where something is gone."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _verdict(candidate: CandidateResult, result: ComparisonResult) -> Text:
    pair = candidate.against_reference
    if candidate.label == result.reference:
        return Text("(reference)", style="dim")
    if candidate.verdict is None or pair is None:
        return Text(numbers.MISSING, style="dim")
    if candidate.verdict == "no difference shown":
        return Text("no diff. shown", style=_STYLES[candidate.verdict])
    by = numbers.significant(abs(pair.improvement), 3)
    return Text(f"{candidate.verdict} by {by}", style=_STYLES[candidate.verdict])


def ranks_table(result: ResultOverProblems) -> Table:
    """Returns the candidates' ranks and verdicts with each schedule, beside each other; of one problem, losses too."""
    alone = scheduled(result.problems)
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("candidate", overflow="fold", min_width=8)
    ranked = not any(found.protocol.against_reference for found in result.problems.values())
    what = ["rank"] * ranked + ["loss"] * alone
    for name in headings(result.problems).values():
        head = f"{name}, {listed(what)}" if what else name
        table.add_column(Text("\n".join(wrapped(head, _LABEL_WIDTH))), overflow="fold")
    for profile in result.profiles:
        cells = [_standing(found, profile.label, ranked=ranked, alone=alone) for found in result.problems.values()]
        table.add_row(Text("\n".join(wrapped(profile.label, _LABEL_WIDTH))), *cells)
    return table


def _standing(found: ComparisonResult, label: str, *, ranked: bool, alone: bool) -> Text:
    """What a candidate did with a schedule."""
    candidate = next(each for each in found.candidates if each.label == label)
    verdict = candidate.verdict if candidate.verdict in EFFECTS else ""
    loss = shown_interval(found, candidate) if alone else None
    digits = numbers.digits_of(c.loss for c in found.candidates)
    parts = [
        candidate.place if ranked else "",
        "" if loss is None else numbers.fixed(loss.mean, digits),
        verdict or "",
    ]
    return Text(" ".join(filter(None, parts)) or numbers.MISSING, style=_STYLES.get(verdict or "", ""))


def scores_table(result: ResultOverProblems) -> Table:
    """Returns the candidates' scores over the problems, with their costs over the lowest on each."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("candidate", overflow="fold", min_width=8)
    table.add_column("score", justify="right", no_wrap=True)
    for name in result.counted:
        table.add_column(Text("\n".join(wrapped(f"{name}, cost", _LABEL_WIDTH))), justify="right", overflow="fold")
    for profile in result.profiles:
        ratios = [profile.ratios[name] for name in result.counted]
        table.add_row(
            Text("\n".join(wrapped(profile.label, _LABEL_WIDTH))),
            numbers.MISSING if profile.score is None else f"{profile.score:.2f}",
            *("never" if ratio is None else f"{numbers.significant(ratio, 3)} ×" for ratio in ratios),
        )
    return table
