"""Fills the tables of pages that follow from the code, from measurements and from verdicts, when the site is built."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from trimtab.catalog import entries, find
from trimtab.catalog.compositions import COMPOSITIONS, REFUSED
from trimtab.catalog.parsing import parse_expression
from trimtab.catalog.signatures import settings_of
from trimtab.claims import CLAIMS
from trimtab.claims.loading import load_reference
from trimtab.claims.result import committed
from trimtab.lab.shipped import of_slot
from trimtab.report.document import with_filled
from trimtab.report.numbers import duration, significant
from trimtab.report.which import which_optimizer
from trimtab.study.errors import InputError

FAMILY = Path(__file__).with_name("family.json")
SCHEDULES = Path(__file__).with_name("schedules.json")
DEVICE = Path(__file__).with_name("device.json")
AUDIT = Path(__file__).with_name("audit.json")
AUDIT_PEERS = Path(__file__).with_name("audit_peers.json")
SAMPLER_AUDIT = Path(__file__).with_name("sampler_audit.json")
COMMAND = "make family"


def compositions() -> str:
    """The compositions that are tested, with what of each is tuned."""
    rows = ["| written | what it is | tuned |", "|---|---|---|"]
    for composition in COMPOSITIONS:
        tuned = ", ".join(f"`{name}`" for name in parse_expression(composition.expression).tunables)
        rows.append(f"| `{composition.expression}` | {composition.does} | {tuned} |")
    return "\n".join(rows)


def refused() -> str:
    """What is refused, in the words of the refusal."""
    return "\n".join(
        ["| written | what the error says |", "|---|---|", *(f"| `{t}` | {_reason(t)} |" for t in REFUSED)]
    )


def _reason(text: str) -> str:
    try:
        parse_expression(text).build(nn.Linear(64, 64), {})
    except (InputError, TypeError) as error:
        return str(error).splitlines()[0].removeprefix("cannot read the candidates: ")
    raise ValueError(f"{text} is not refused")


def ownership() -> str:
    """What each wrapper has of its own, and what it does to the settings of the optimizer inside."""
    rows = ["| wrapper | its settings | tuned | sets inside | stretches inside |", "|---|---|---|---|---|"]
    for entry in entries().values():
        if entry.kind == "wrapper":
            wrapper = entry.load()
            own = ", ".join(f"`{name}`" for name in settings_of(entry))
            tuned = "; ".join(f"`{entry.id}.{name}`: {tunable}" for name, tunable in entry.load_tunables().items())
            stretched = ", ".join(f"`{name}` × {factor:g}" for name, factor in wrapper.rescales.items())
            owned = ", ".join(f"`{name}`" for name in wrapper.owns)
            cells = (f"[`{entry.id}`](methods/{entry.key}.md)", own, tuned or "–", owned or "–", stretched or "–")
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def family() -> str:
    """The figures of `benchmarks/optimizer_family.py`, or that there are none."""
    if not FAMILY.is_file():
        return f"Not measured yet: `{COMMAND}` does, on a machine with nothing else to do."
    facts = json.loads(FAMILY.read_text(encoding="utf-8"))
    reference = next(row for row in facts["rows"] if row["name"] == facts["reference"])
    model, environment = facts["model"], facts["environment"]
    count = model["parameters"]
    memory = ["| optimizer | weights | projections | states | all |", "|---|---:|---:|---:|---:|"]
    cost = [
        "| optimizer | training step | by itself | at most steps | at a step that does more | every |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in facts["rows"]:
        parts = list(row["bytes"].values())
        memory.append(f"| {_named(row)} | {' | '.join(f'{part / count:.2f}' for part in (*parts, sum(parts)))} |")
        steps = [row["mean_step_ms"] / reference["step_ms"], _ratio(row, reference, "update_ms")]
        if row["rare_step_ms"] is not None:
            steps += [row["step_ms"] / reference["step_ms"], row["rare_step_ms"] / reference["step_ms"]]
        cells = ["" if value is None else f"{value:.2f}" for value in (*steps, None, None)[:4]]
        cost.append(f"| {_named(row)} | {' | '.join(cells)} | {row['every'] if row['every'] > 1 else ''} |")
    provenance = (
        f"A causal transformer over bytes with {count / 1e6:.1f} M parameters ({model['layers']} layers of width "
        f"{model['width']}), {model['batch']} windows of {model['window']} bytes a step. `{facts['command']}`, "
        f"{environment['date']}: {environment['processor']}, {facts['setting']}."
    )
    titles = ("### Memory, in bytes a parameter", "### Cost, in AdamW's steps")
    return "\n\n".join([titles[0], "\n".join(memory), titles[1], "\n".join(cost), provenance])


def _named(row: dict[str, Any]) -> str:
    name = row["name"].partition("(")[0]
    link = f"[{find(name).title}](methods/{name}.md)"
    how = row["name"].removeprefix(name)
    return f"{link} `{how}`" if how else link


def _ratio(row: dict[str, Any], reference: dict[str, Any], name: str) -> float | None:
    return None if row[name] is None else row[name] / reference[name]


def which() -> str:
    """What the verdicts support."""
    return which_optimizer(entries().values())


def schedules() -> str:
    """The figures of `benchmarks/schedules.py`, or that there are none."""
    if not SCHEDULES.is_file():
        return "Not measured yet: `python benchmarks/schedules.py --json docs/schedules.json` does."
    facts = json.loads(SCHEDULES.read_text(encoding="utf-8"))
    parts = ["### In short", _in_short(facts["tasks"])]
    for task in facts["tasks"]:
        parts.append(f"### {task['task']}")
        rows = [
            f"| rank | candidate | validation loss | improvement on {task['reference']} | verdict | ms a step |",
            "|---:|---|---:|---:|---|---:|",
        ]
        for row in task["candidates"]:
            cells = (
                row["rank"] or "–",
                f"`{row['label']}`",
                significant(None if row["loss"] is None else row["loss"][0]),
                "" if row["improvement"] is None else "{:+.3g} ({:+.3g} to {:+.3g})".format(*row["improvement"]),
                row["verdict"] or ("" if row["rank"] else row["note"]),
                "–" if row["step_ms"] is None else f"{row['step_ms']:.2f}",
            )
            rows.append(f"| {' | '.join(map(str, cells))} |")
        parts.append("\n".join(rows))
        parts += [f"`{row['label']}`: {row['note']}." for row in task["candidates"] if row["note"] and row["rank"]]
        parts.append(
            f"{task['steps']} plain steps a run, {task['trials']} settings tried for each, {task['seeds']} fresh seeds."
        )
    environment = facts["environment"]
    return "\n\n".join([*parts, f"`{facts['command']}`, {environment['date']}: {environment['processor']}."])


def _in_short(tasks: list[dict[str, Any]]) -> str:
    """What was shown of each candidate against the reference, a column a task."""
    found: dict[str, dict[str, str]] = {}
    for task in tasks:
        for row in task["candidates"]:
            words = row["verdict"] or ("the reference" if row["label"] == task["reference"] else "not ranked")
            size = "" if row["verdict"] not in ("helps", "hurts") else f" by {abs(row['improvement'][0]):.3g}"
            found.setdefault(row["label"], {})[task["task"]] = words + size
    names = [task["task"] for task in tasks]
    rows = [f"| against {tasks[0]['reference']} | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for label, by_task in found.items():
        rows.append(f"| `{label}` | {' | '.join(by_task.get(name, '') for name in names)} |")
    return "\n".join(rows)


def tasks() -> str:
    """The training tasks that ship, in the first words of their classes."""
    rows = ["| task | what it is | metric and target | a run |", "|---|---|---|---|"]
    for name, shipped in of_slot("optimizer").items():
        task = shipped.load()
        headline = inspect.getdoc(task).partition("\n\n")[0].replace("\n", " ")
        run = f"{task.steps} steps of {task.batch_size}"
        rows.append(f"| `{name}` | {headline} | {task.metric.name}, {task.metric.target:g} | {run} |")
    return "\n".join(rows)


def costs() -> str:
    """The processor time of each claim whose result ships."""
    rows = ["| claim | processor time | trials | date | machine |", "|---|---:|---:|---|---|"]
    for reference in dict.fromkeys(CLAIMS.values()):
        claim = load_reference(reference)
        result = committed(claim.id)
        if result is not None:
            cells = (
                f"[{claim.id}](methods/{claim.id}.md)",
                duration(result.processor_seconds),
                f"{result.trials:,}",
                result.environment["date"],
                result.environment["processor"],
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def device() -> str:
    """The figures of `benchmarks/device.py`, or that there are none."""
    if not DEVICE.is_file():
        return (
            "None of this has run on a CUDA device yet: treat it as untested there. `python benchmarks/device.py` runs "
            "it, in eight minutes at most, and this section then shows what came of it."
        )
    facts = json.loads(DEVICE.read_text(encoding="utf-8"))
    environment = facts["environment"]
    shown = {"conformance": _conformance, "kernels": _kernels, "steps": _steps, "comparison": _on_both}
    parts = [
        f"`{environment['command']}`, {environment['date']}: {environment['device']}, torch {environment['torch']}."
    ]
    for name, part in facts["parts"].items():
        if part["error"] is None:
            parts.append(shown[name](part["found"]))
        else:
            parts.append(f"**{name} ended with an error:** `{part['error'].strip().splitlines()[-1]}`")
    return "\n\n".join(parts)


def _conformance(found: dict[str, Any]) -> str:
    text = f"*Conformance*: {found['passed']} checks passed, {found['skipped']} do not apply"
    if not found["failed"]:
        return f"{text}, none failed."
    return "\n".join(
        [f"{text}, {len(found['failed'])} failed:", "", *(f"* `{each['check']}`" for each in found["failed"])]
    )


def _kernels(found: dict[str, Any]) -> str:
    rows = [
        f"*Compiled and not*, largest difference over the largest value after {found['steps']} steps:",
        "",
        "| rule | type | difference | agrees |",
        "|---|---|---:|---|",
    ]
    for row in found["rows"]:
        agrees = "yes" if row["agrees"] else "**no**"
        rows.append(f"| {row['rule']} | {row['dtype']} | {row['difference']:.1e} | {agrees} |")
    return "\n".join(rows)


def _steps(found: list[dict[str, Any]]) -> str:
    parts = []
    for layout in found:
        rows = [
            f"*{layout['title']}*: {layout['tensors']} tensors, {layout['elements'] / 1e6:.1f} M elements; "
            f"`mul_` moves {layout['bound_gb_s']:.0f} GB/s.",
            "",
            "| optimizer | ms a step | times the bound | as fast as the peer | times fused |",
            "|---|---:|---:|---:|---:|",
        ]
        for row in layout["rows"]:
            peer = "" if row["as_fast_as_peer"] is None else f"{row['as_fast_as_peer']:.2f}"
            cells = (row["name"], f"{row['ms']:.3f}", f"{row['times_bound']:.2f}", peer, f"{row['times_fused']:.2f}")
            rows.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _on_both(found: dict[str, Any]) -> str:
    rows = [f"*A comparison on {found['task']}*:", "", "| on | candidate | rank | loss | ms a step |"]
    rows.append("|---|---|---:|---:|---:|")
    for row in found["rows"]:
        loss = "–" if row["loss"] is None else f"{row['loss']:.4f}"
        step = "–" if row["step_ms"] is None else f"{row['step_ms']:.2f}"
        rows.append(f"| {row['device']} | {row['label']} | {row['rank'] or '–'} | {loss} | {step} |")
    return "\n".join(rows)


def audit() -> str:
    """Which promises each baseline breaks."""
    facts = json.loads(AUDIT.read_text(encoding="utf-8"))
    rows = ["| optimizer | of | cases broken | which checks |", "|---|---|---:|---|"]
    for row in facts["rows"]:
        if "missing" in row:
            rows.append(f"| `{row['name']}` | {row['package']} | – | {row['missing']} |")
            continue
        broken = "; ".join(
            f"*{promise}*: {', '.join(f'`{check}`' for check in checks)}"
            for promise, checks in row["broken"].items()
            if checks
        )
        rows.append(f"| `{row['name']}` | {row['package']} | {row['cases']} of {row['tried']} | {broken or '–'} |")
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return "\n".join(rows) + f"\n\n`python docs/audit.py docs/audit.json`, {facts['date']}: {packages}."


def audit_peers() -> str:
    """Which corrected updates the checks find in the version before."""
    facts = json.loads(AUDIT_PEERS.read_text(encoding="utf-8"))
    rows = ["| note | in | optimizer | what was wrong | found by |", "|---|---|---|---|---|"]
    for row in facts["rows"]:
        checks = ", ".join(f"`{check}`" for check in dict.fromkeys(each.partition("[")[0] for each in row["found"]))
        by = checks or f"not found: {row['why_not'] or 'the checks hold in both versions, or in neither'}"
        cells = (f"#{row['number']}", row["release"], f"`{row['optimizer']}`", row["what"], by)
        rows.append(f"| {' | '.join(cells)} |")
    share = f"{facts['found']} of {len(facts['rows'])}, {facts['found'] / len(facts['rows']):.0%}"
    return (
        "\n".join(rows)
        + f"\n\n**Found: {share}**, of {facts['package']} against {facts['fixed']}; torch {facts['torch']}, "
        f"Python {facts['python']}, {facts['date']}; `python benchmarks/audit_peers.py`, which says how."
    )


def sampler_audit() -> str:
    """Which checks each sampler that others made keeps."""
    facts = json.loads(SAMPLER_AUDIT.read_text(encoding="utf-8"))
    parts = list(next(row["parts"] for row in facts["rows"] if "parts" in row))
    rows = [f"| sampler | {' | '.join(parts)} | broken |", f"|---|{'---:|' * len(parts)}---|"]
    for row in facts["rows"]:
        if "missing" in row:
            rows.append(f"| {row['name']} | {' | '.join('–' for _ in parts)} | {row['missing']} |")
            continue
        kept = [f"{part['tried'] - len(part['broken'])} of {part['tried']}" for part in row["parts"].values()]
        broken: dict[str, list[str]] = {}
        for part in row["parts"].values():
            for check in part["broken"]:
                broken.setdefault(check.partition("[")[0], []).append(check.partition("[")[2].rstrip("]"))
        said = "; ".join(f"`{check}`: {', '.join(cases)}" for check, cases in broken.items())
        rows.append(f"| {row['name']} | {' | '.join(kept)} | {said or '–'} |")
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    command = "python docs/sampler_audit.py docs/sampler_audit.json"
    return "\n".join(rows) + f"\n\n`{command}`, {facts['date']}: {packages}."


TABLES: dict[str, tuple[Callable[[], str], ...]] = {
    "audit.md": (audit, audit_peers),
    "claims.md": (costs,),
    "compositions.md": (ownership, compositions, refused),
    "family.md": (family,),
    "index.md": (tasks,),
    "speed.md": (device,),
    "testing.md": (sampler_audit,),
    "which-optimizer.md": (which,),
    "which-schedule.md": (schedules,),
}


def filled(page: str, text: str) -> str:
    """Returns a page with each of its tables in its place."""
    for table in TABLES[page]:
        text = with_filled(page, text, table.__name__, table())
    return text


def main() -> None:
    """Writes the tables of all pages."""
    import mkdocs_gen_files

    for page in TABLES:
        with mkdocs_gen_files.open(page, "r") as file:
            text = file.read()
        with mkdocs_gen_files.open(page, "w") as file:
            file.write(filled(page, text))


if __name__ == "<run_path>":  # as mkdocs-gen-files runs it; tests import it
    main()
