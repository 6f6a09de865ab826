"""What every sampler did on a range of black boxes, for the site: figures and tables from docs/sampler_field.json.

Each sampler is compared with TPE on each problem, as by ``trimtab compare --against-reference``. The file is made by
``python benchmarks/sampler_field.py``.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import plotly.graph_objects as go
from scipy.stats import rankdata

from trimtab.catalog import find
from trimtab.report.document import site_figures, with_filled
from trimtab.report.figures.verdict_grid import Column, verdict_grid
from trimtab.report.numbers import significant
from trimtab.study.phrases import count, listed

FACTS = Path(__file__).with_name("sampler_field.json")
PAGE = "which-sampler.md"
REFERENCE = "tpe"
OWN_TIME = "suggestion seconds"


@dataclass(frozen=True)
class Posed(Column):
    """A problem, in the group of its kind, beside TPE.

    Args:
        facts: as the file has them.
        candidates: label to what was found of it.
    """

    facts: Mapping[str, Any]
    candidates: dict[str, dict[str, Any]]

    def first(self, taking: str) -> list[str]:
        """Returns who comes first in equal time where an evaluation takes so long."""
        found: list[str] = self.facts["first"].get(taking, [])
        return found


def posed(name: str, facts: Mapping[str, Any]) -> Posed:
    """Compares samplers with the reference by what they end with."""
    candidates = {each["label"]: each for each in facts["candidates"]}
    losses = {label: each["losses"] for label, each in candidates.items()}
    return Posed(name, facts["kind"], losses, REFERENCE, facts, candidates)


def read(problems: Mapping[str, Any]) -> list[Posed]:
    """Returns every problem, those of one kind together."""
    found = [posed(name, facts) for name, facts in problems.items()]
    kinds = list(dict.fromkeys(each.group for each in found))
    return sorted(found, key=lambda each: kinds.index(each.group))


def ordered(found: Sequence[Posed]) -> list[str]:
    """Returns the samplers, best first: by their median effect over all problems."""
    labels = dict.fromkeys(label for each in found for label in each.candidates)
    medians = {label: 0.0 if label == REFERENCE else _median(found, label) for label in labels}
    return sorted(medians, key=lambda label: -medians[label])


def _median(found: Sequence[Posed], label: str) -> float:
    effects = [effect for each in found if (effect := each.effect(label)) is not None]
    return statistics.median(effects) if effects else -100.0


def durations(found: Sequence[Posed]) -> list[str]:
    """Returns the durations of an evaluation that are told of."""
    return list(dict.fromkeys(name for each in found for name in each.facts["first"]))


def summary(found: Sequence[Posed]) -> str:
    """Whose mean place is best, by how long an evaluation takes."""
    parts = []
    for taking in durations(found):
        places = mean_places(found, taking)
        best = sorted(places, key=places.__getitem__)[:3]
        parts.append(f"where it takes {taking}, {listed([f'`{label}` ({places[label]:.1f})' for label in best])}")
    return (
        "**In short.** The best mean places in equal time, by how long an evaluation takes: " + "; ".join(parts)
    ) + "."


def mean_places(found: Sequence[Posed], taking: str) -> dict[str, float]:
    """Returns each sampler's place among all, by the mean over seeds where an evaluation takes so long, over problems.

    Those that end alike share a place.
    """
    places: dict[str, list[float]] = {}
    for each in found:
        ends = each.facts["ends"].get(taking, {})
        for label, place in zip(ends, rankdata(list(ends.values())), strict=True):
            places.setdefault(label, []).append(float(place))
    return {label: statistics.fmean(own) for label, own in places.items()}


def by_duration(found: Sequence[Posed]) -> str:
    """A row for each sampler: its mean place, and where none is shown to be better, by how long an evaluation takes."""
    taken = durations(found)
    places = {taking: mean_places(found, taking) for taking in taken}
    rows = [
        f"| mean place, and among the first, where it takes | {' | '.join(taken)} |",
        f"|---|{'---:|' * len(taken)}",
    ]
    for label in sorted(places[taken[-1]], key=places[taken[-1]].__getitem__):
        own = [each for each in found if label in each.facts["ends"][taken[0]]]
        first = {taking: sum(label in each.first(taking) for each in own) for taking in taken}
        cells = [f"{places[taking][label]:.1f}, {first[taking]} of {len(own)}" for taking in taken]
        rows.append(f"| `{label}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def by_kind(found: Sequence[Posed], taking: str) -> str:
    """A row for each kind of problems: the mean places of all, best first, where an evaluation takes so long."""
    rows = [f"| where an evaluation takes {taking} | problems | mean places |", "|---|---:|---|"]
    for kind in dict.fromkeys(each.group for each in found):
        own = [each for each in found if each.group == kind]
        places = mean_places(own, taking)
        said = [f"`{label}` {places[label]:.1f}" for label in sorted(places, key=places.__getitem__)]
        rows.append(f"| {kind} | {len(own)} | {', '.join(said)} |")
    return "\n".join(rows)


def in_short(found: Sequence[Posed]) -> str:
    """A row for each sampler: against the reference with as many evaluations, and its own time."""
    rows = [
        f"| against {find(REFERENCE).title} | helps | hurts | median effect | own time an evaluation |",
        "|---|---:|---:|---:|---:|",
    ]
    for label in ordered(found):
        own = [each for each in found if label in each.candidates]
        seconds = [each.candidates[label]["prices"][OWN_TIME] for each in own]
        time = f"{_milliseconds(min(seconds))} to {_milliseconds(max(seconds))} ms"
        if label == REFERENCE:
            rows.append(f"| `{label}` | | | | {time} |")
            continue
        helps, hurts = (sum(each.role(label) == role for each in own) for role in ("helps", "hurts"))
        rows.append(f"| `{label}` | {helps} | {hurts} | {_median(found, label):+.2f} | {time} |")
    return "\n".join(rows)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"


def figure(found: Sequence[Posed]) -> go.Figure:
    """Draws the verdict and the size of each effect with as many evaluations."""
    return verdict_grid(found, [label for label in ordered(found) if label != REFERENCE])


def details(each: Posed) -> str:
    """What every sampler ended with on a problem, folded."""
    facts = each.facts
    constrained = any("feasible" in candidate["measures"] for candidate in facts["candidates"])
    told = [facts["metric"], *([facts["quoted"]] if facts["quoted"] else []), f"against {REFERENCE}"]
    told += ["feasible"] if constrained else []
    told += ["own time", "reached the target"]
    rows = [f"| sampler | {' | '.join(told)} |", f"|---|{'---:|' * len(told)}"]
    sign = -1 if facts["direction"] == "max" else 1
    for candidate in facts["candidates"]:
        label, losses = candidate["label"], candidate["losses"]
        mean = None if None in losses else sign * statistics.fmean(losses)
        cells = [significant(mean), *([significant(candidate["quoted"])] if facts["quoted"] else [])]
        cells.append(each.role(label) if label not in each.pairs else each.pairs[label].verdict)
        cells += [f"{candidate['measures']['feasible']:.0%}"] if constrained else []
        cells += [
            f"{_milliseconds(candidate['prices'][OWN_TIME])} ms",
            f"{candidate['reached_target']} of {len(losses)}",
        ]
        rows.append(f"| `{label}` | {' | '.join(cells)} |")
    first = "; ".join(
        f"{taking}: {listed([f'`{label}`' for label in each.first(taking)])}" for taking in facts["first"]
    )
    body = f"{chr(10).join(rows)}\n\nFirst in equal time, where an evaluation takes {first}."
    return f'??? note "{each.name}"\n\n{indent(body, "    ")}'


def field() -> str:
    """All of it, or that it was not run."""
    if not FACTS.is_file():
        return "Not run yet: `python benchmarks/sampler_field.py` does, in an hour or two."
    problems = json.loads(FACTS.read_text(encoding="utf-8"))["tasks"]
    found = read(problems)
    environments = [each["environment"] for each in problems.values()]
    seeds = len(found[0].facts["candidates"][0]["losses"])
    dates = sorted({environment["date"] for environment in environments})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    made = (
        f"{count(len(ordered(found)), 'sampler')} on {count(len(found), 'problem')}, "
        f"{found[0].facts['evaluations']} evaluations, {seeds} seeds: `python benchmarks/sampler_field.py`; {when}, "
        f"{environments[0]['processor']}, one thread each, Optuna {environments[0]['optuna']}. A sampler that cannot "
        "take a problem, as `pfn` with more than six columns, is not ranked there."
    )
    reading = (
        "A place is that of a sampler's mean over seeds among all on a problem, the best being 1. It is among the "
        "first where no other is shown to be better: with so few seeds that is said of several, and says little of "
        "each. Effects are improvements of what counts over that of `tpe` with as many "
        "evaluations, in standard deviations between seeds. *Helps* and *hurts* are shown on one problem, corrected "
        "for all samplers there and not over the problems."
    )
    taken = durations(found)
    return "\n\n".join(
        [
            summary(found),
            made,
            reading,
            "### In equal time",
            by_duration(found),
            *(by_kind(found, taking) for taking in (taken[0], taken[-1])),
            "### With as many evaluations",
            site_figures([figure(found)], "../assets"),
            in_short(found),
            "### Problem by problem",
            *map(details, found),
        ]
    )


def filled(text: str) -> str:
    """Returns the page with all of it in its place."""
    return with_filled(PAGE, text, "samplers", field())


def main() -> None:
    """Writes it into the page."""
    import mkdocs_gen_files

    with mkdocs_gen_files.open(PAGE, "r") as file:
        text = file.read()
    with mkdocs_gen_files.open(PAGE, "w") as file:
        file.write(filled(text))


if __name__ == "<run_path>":  # as mkdocs-gen-files runs it; tests import it
    main()
