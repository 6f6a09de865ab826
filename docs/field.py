"""What the whole field did on seven tasks, for the site: figures and tables from docs/field.json.

Each candidate is compared with AdamW on each task and under each schedule, as by ``trimtab compare
--against-reference``. The file is made by ``python benchmarks/field.py``.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import plotly.graph_objects as go

from trimtab.catalog.parsing import parse_expression
from trimtab.claims import CLAIMS
from trimtab.report.document import site_figures, with_filled
from trimtab.report.figures.verdict_grid import Column, verdict_grid
from trimtab.report.numbers import significant
from trimtab.study.phrases import count, listed

FACTS = Path(__file__).with_name("field.json")
PAGE = "which-optimizer.md"
REFERENCE = "adamw"
TASKS = ("diabetes", "breast-cancer", "cars", "segments", "digits", "mnist5k", "python-lm")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Posed(Column):
    """A task under a schedule, whose name is that of its group, beside AdamW.

    Args:
        candidates: label to what was found of it.
        protocol: how many settings were tried, with how many seeds, and how many seeds followed.
    """

    candidates: dict[str, dict[str, Any]]
    protocol: Mapping[str, int]

    @property
    def task(self) -> str:
        """The name of the task."""
        return self.name

    @property
    def schedule(self) -> str:
        """One of ``SCHEDULES``."""
        return self.group


def posed(task: str, schedule: str, facts: Mapping[str, Any]) -> Posed:
    """Compares candidates with AdamW by the losses of their final runs."""
    candidates = {each["label"]: each for each in facts["candidates"]}
    losses = {label: each["losses"] for label, each in candidates.items()}
    return Posed(task, schedule, losses, REFERENCE, candidates, facts["protocol"])


def read(tasks: Mapping[str, Any]) -> list[Posed]:
    """Returns every task under every schedule: all tasks under the first one, then all under the next."""
    return [
        posed(task, schedule, found["schedules"][place])
        for place, schedule in enumerate(SCHEDULES)
        for task, found in tasks.items()
    ]


def _verdicts(found: Sequence[Posed], label: str, verdict: str) -> list[str]:
    return [each.task for each in found if label in each.pairs and each.pairs[label].verdict == verdict]


def _median(found: Sequence[Posed], label: str) -> float | None:
    effects = [effect for each in found if (effect := each.effect(label)) is not None]
    return statistics.median(effects) if effects else None


def _size(effect: float) -> str:
    return f"{round(effect, 2) or 0.0:+.2f}"


def ordered(found: Sequence[Posed]) -> list[str]:
    """Returns the candidates, best first: by their median effect over all tasks and schedules."""
    labels = list(dict.fromkeys(label for each in found for label in each.candidates if label != REFERENCE))
    medians = {label: _median(found, label) for label in labels} | {REFERENCE: 0.0}
    return sorted(medians, key=lambda label: -100.0 if medians[label] is None else -medians[label])


def figure(found: Sequence[Posed]) -> go.Figure:
    """Draws the verdict and the size of each effect: a row a candidate, a column a task under a schedule."""
    return verdict_grid(found, ordered(found))


def in_short(found: Sequence[Posed]) -> str:
    """A row for each candidate: on how many tasks it helps and hurts, and the median effect."""
    rows = [
        "| against AdamW | constant: helps | hurts | median effect | cosine: helps | hurts | median effect |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for label in ordered(found):
        if label == REFERENCE:
            continue
        cells = []
        for schedule in SCHEDULES:
            own = [each for each in found if each.schedule == schedule]
            median = _median(own, label)
            cells += [str(len(_verdicts(own, label, verdict))) for verdict in ("helps", "hurts")]
            cells.append("" if median is None else _size(median))
        rows.append(f"| `{label}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def summary(found: Sequence[Posed]) -> str:
    """Who is better than AdamW most often, and who is never worse."""
    labels = [label for label in ordered(found) if label != REFERENCE]
    parts = []
    for schedule in SCHEDULES:
        own = [each for each in found if each.schedule == schedule]
        helps = {label: len(_verdicts(own, label, "helps")) for label in labels}
        most = max(helps.values())
        best = [f"`{label}`" for label in labels if helps[label] == most]
        who = f"{listed(best)} (on {most} of {count(len(own), 'task')})" if most else "nobody"
        parts.append(f"{'at a constant rate' if schedule == SCHEDULES[0] else 'with cosine'} {who}")
    never = [f"`{label}`" for label in labels if not _verdicts(found, label, "hurts")]
    return (
        f"**In short.** Most often shown to be better than AdamW: {'; '.join(parts)}. Never shown to be worse: "
        f"{listed(never) if never else 'nobody'}."
    )


def sentence(found: Sequence[Posed], label: str) -> str:
    """What the tasks say of a candidate."""
    parts = [_under(found, label, schedule) for schedule in SCHEDULES]
    median = _median(found, label)
    ends = "" if median is None else f" The median effect is {_size(median)} standard deviations."
    return f"At a constant rate it {parts[0]}; with cosine it {parts[1]}.{ends}"


def _under(found: Sequence[Posed], label: str, schedule: str) -> str:
    own = [each for each in found if each.schedule == schedule]
    helps, hurts = (_verdicts(own, label, verdict) for verdict in ("helps", "hurts"))
    unranked, absent = ([each.task for each in own if each.role(label) == role] for role in ("unranked", "not run"))
    same = len(own) - len(helps) - len(hurts) - len(unranked) - len(absent)
    rest = f"shows nothing on {f'all {same} tasks' if same == len(own) else count(same, 'task')}"
    said = [
        ("helps on", helps),
        ("hurts on", hurts),
        ("could not be ranked on", unranked),
        ("has not been run on", absent),
    ]
    return listed([*(f"{does} {listed(tasks)}" for does, tasks in said if tasks), *([rest] if same else [])])


def ours(found: Sequence[Posed]) -> str:
    """A sentence on each of the library's own methods."""
    lines = []
    for label in ordered(found):
        expression = parse_expression(label)
        entry = expression.entry
        if entry.id in CLAIMS:
            around = "" if expression.inner is None else f" around {expression.inner.entry.title}"
            lines.append(f"* **[{entry.title}](methods/{entry.id}.md)**{around}. {sentence(found, label)}")
    return "\n".join(lines)


def winners_curse(found: Sequence[Posed]) -> str:
    """How much better chosen settings looked than they are, by task."""
    rows = ["| task | tuning seeds | winner's curse, constant | cosine |", "|---|---:|---:|---:|"]
    for task in dict.fromkeys(each.task for each in found):
        own = [each for each in found if each.task == task]
        cells = [f"{own[0].protocol['tuning_seeds']}"]
        for each in own:
            known = [c["winners_curse"] for c in each.candidates.values() if c["winners_curse"] is not None]
            cells.append(f"{statistics.fmean(known):.2f} (median {statistics.median(known):.2f})")
        rows.append(f"| `{task}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def details(found: Sequence[Posed], task: str) -> str:
    """The losses and verdicts of a task, folded."""
    own = [each for each in found if each.task == task]
    head = " | ".join(f"loss, {each.schedule} | improvement on AdamW | verdict" for each in own)
    rows = [f"| candidate | {head} |", f"|---|{'---:|---:|---|' * len(own)}"]
    losses = {label: _mean(each["losses"]) for label, each in own[0].candidates.items()}
    for label in sorted(losses, key=lambda label: (losses[label] is None, losses[label])):
        cells = []
        for each in own:
            pair, mean = each.pairs.get(label), _mean(each.candidates[label]["losses"])
            cells += [
                significant(mean),
                ""
                if pair is None
                else f"{pair.improvement:+.3g} ({pair.simultaneous_low:+.3g} to {pair.simultaneous_high:+.3g})",
                "reference" if label == REFERENCE else "not ranked" if pair is None else pair.verdict,
            ]
        rows.append(f"| `{label}` | {' | '.join(cells)} |")
    return f'??? note "{task}"\n\n{indent(chr(10).join(rows), "    ")}'


def _mean(losses: Sequence[float | None]) -> float | None:
    known = [loss for loss in losses if loss is not None]
    return statistics.fmean(known) if len(known) == len(losses) else None


def not_run(found: Sequence[Posed]) -> list[str]:
    """What is missing, in a sentence each: tasks, and candidates of which a task has no runs."""
    there, labels = {each.task: each.candidates for each in found}, ordered(found)
    missing = [f"`{task}`" for task in TASKS if task not in there]
    absent = {task: [f"`{label}`" for label in labels if label not in own] for task, own in there.items()}
    return [
        *([f"Not run yet: {listed(missing)}."] if missing else []),
        *(f"Not run yet on `{task}`: {listed(who)}." for task, who in absent.items() if who),
    ]


def field() -> str:
    """All of it, or that it was not run."""
    if not FACTS.is_file():
        return "Not run yet: `python benchmarks/field.py` does, in hours."
    tasks = json.loads(FACTS.read_text(encoding="utf-8"))["tasks"]
    found = read(tasks)
    trials, seeds = (" or ".join(sorted({str(each.protocol[name]) for each in found})) for name in ("trials", "seeds"))
    environments = [each["environment"] for each in tasks.values()]
    dates = sorted({environment["date"] for environment in environments})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    made = (
        f"{count(len(found[0].candidates), 'candidate')} on {listed([f'`{task}`' for task in tasks])}, at a constant "
        f"rate and with cosine after a warm-up over 5 %: {trials} settings for each, {seeds} fresh seeds. "
        f"`python benchmarks/field.py`, which says what the tables hold; {when}, "
        f"{environments[0]['processor']}, torch {environments[0]['torch']}."
    )
    reading = (
        "Effects are improvements of the loss at the end over that of AdamW, in standard deviations between seeds. "
        "*Helps* and *hurts* are shown against AdamW on one task, corrected for all candidates there and not over the "
        f"tasks: of {len(found)} columns with nothing in them, one in twenty would have a wrong verdict somewhere."
    )
    return "\n\n".join(
        [
            summary(found),
            *not_run(found),
            made,
            reading,
            site_figures([figure(found)], "../assets"),
            "### What it says of ours",
            ours(found),
            "### Everybody in a row",
            in_short(found),
            "### The winner's curse",
            "By how much the chosen settings' losses in tuning lay below those on fresh seeds, in standard deviations "
            "of these: the mean over all candidates. They share their tuning seeds, so that the luck of these seeds, "
            "about 0.6 standard deviations where they are three, is in each of the means; "
            "[replays](comparison.md#the-winners-curse) are without.",
            winners_curse(found),
            "### Task by task",
            *[details(found, task) for task in tasks],
        ]
    )


def filled(text: str) -> str:
    """Returns the page with all of it in its place."""
    return with_filled(PAGE, text, "field", field())


def main() -> None:
    """Writes it into the page."""
    import mkdocs_gen_files

    with mkdocs_gen_files.open(PAGE, "r") as file:
        text = file.read()
    with mkdocs_gen_files.open(PAGE, "w") as file:
        file.write(filled(text))


if __name__ == "<run_path>":  # as mkdocs-gen-files runs it; tests import it
    main()
