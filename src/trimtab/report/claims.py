"""A claim's verdict, in the terminal and on its method's page."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.claims.claim import Claim
from trimtab.claims.claim import described as described_as
from trimtab.claims.fingerprint import changed_methods, is_stale
from trimtab.claims.loading import find_reference
from trimtab.claims.result import ArmResult, ClaimResult, Finding
from trimtab.compare.result import Interval
from trimtab.report import numbers
from trimtab.report.contests import in_short, standing
from trimtab.report.progress import ProgressBars
from trimtab.study.phrases import count

STYLES = {"confirmed": "bold cyan", "refuted": "bold yellow", "inconclusive": "dim", "underpowered": "dim"}

MEANINGS = {
    "confirmed": "the effect is there, and by the best estimate as large as claimed",
    "refuted": "the data exclude an effect of the claimed size",
    "inconclusive": "neither shown nor excluded",
    "underpowered": "so few seeds would likely have missed an effect of the claimed size",
}


def watching(console: Console) -> Callable[[Claim], ProgressBars]:
    """Returns what makes a claim's progress bars, after a line that says what is claimed."""

    def watch(claim: Claim) -> ProgressBars:
        console.print(Text(f"{claim.id}: ", style="bold").append(claim.statement, style="not bold"))
        seeds = max(len(arm.test_seeds) for arm in claim.arms)
        return ProgressBars(console, lambda: seeds)

    return watch


def print_claim(console: Console, claim: Claim, result: ClaimResult) -> None:
    """Prints a verdict, on what it is, who beat whom, and the numbers behind it."""
    console.print()
    verdict = Text(result.verdict, style=STYLES[result.verdict])
    console.print(Text(f"{result.id}  ", style="bold").append(verdict).append(f": {claim.gist}"))
    console.print(Text(f"{result.verdict} means: {MEANINGS[result.verdict]}", style="dim"))
    if claim.contests:
        console.print(Text(standing(claim.contests, result)))
    console.print(findings_table(result))
    for note in result.notes:
        console.print(Text(note, style="yellow"))
    spent = numbers.duration(result.processor_seconds)
    console.print(Text(f"{count(result.trials, 'trial')}, {spent} of processor time", style="dim"))


def findings_table(result: ClaimResult) -> Table:
    """Returns what the comparisons show: measured improvement, claimed improvement, p-value and verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("comparison", overflow="fold", min_width=16)
    table.add_column("improvement", justify="right", overflow="fold")
    table.add_column("claimed", justify="right")
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for finding in result.findings:
        word = finding.verdict if finding.decides else f"({finding.verdict})"
        table.add_row(
            Text(described(finding)),
            f"{measured(finding)} {finding.unit}",
            claimed(finding),
            p_value(finding.p_value),
            Text(word, style=STYLES[finding.verdict]),
        )
    return table


def described(finding: Finding) -> str:
    """Returns a comparison's name and what is compared; a metric's name is in its unit."""
    return described_as(finding.name, finding.measure)


def claimed(finding: Finding) -> str:
    """Returns the smallest improvement that makes a comparison's statement true."""
    return f"≥ {finding.claimed:g}" if finding.claimed else "> 0"


def measured(finding: Finding) -> str:
    """Returns the mean improvement with half of its interval's width, or a dash where a run diverged."""
    if finding.mean is None or finding.low is None or finding.high is None:
        return numbers.MISSING
    interval = Interval(finding.mean, finding.low, finding.high)
    digits = numbers.digits_of([interval])
    return f"{numbers.signed(finding.mean, digits)} ±{numbers.fixed(numbers.half_width(interval), digits)}"


def p_value(value: float | None) -> str:
    """Returns a p-value as it is quoted."""
    if value is None:
        return numbers.MISSING
    return "< 0.0001" if value < 1e-4 else numbers.significant(value, 2)


def verdict_line(claim: Claim, result: ClaimResult) -> str:
    """Returns a verdict in a paragraph: in short, what was claimed and measured, and what has changed since."""
    decided = "; ".join(f"{f.name}: {measured(f)} {f.unit}, {f.verdict}" for f in result.findings if f.decides)
    told = f"{in_short(claim, result)} Claimed: {result.statement} Measured: {decided}."
    return " ".join([told, *changed_since(claim, result)])


def verdict_section(claim: Claim, result: ClaimResult | None, figures: str = "") -> str:
    """Returns the section of a method's page: claim, paper, protocol, numbers.

    Args:
        claim: the claim.
        result: what came of it, or ``None`` if it has not been run.
        figures: HTML to put below the numbers.
    """
    parts = [
        "## Verdict",
        "Not run yet." if result is None else _verdict_paragraph(claim, result),
        "\n".join(
            (
                "| source | what it says |",
                "|---|---|",
                f"| the paper states | {_cell(claim.paper)} |",
                f"| the paper reports | {_cell(claim.reported)} |",
                f"| claimed here | {_cell(claim.statement)} |",
                f"| measured here | {_cell(_measured_here(result))} |",
            )
        ),
    ]
    if result is not None:
        parts += [_findings_markdown(result), *([figures] if figures else []), _arms_markdown(result)]
        parts += [f"!!! note\n    {note}." for note in result.notes]
        parts += [f"!!! warning\n    {sentence}" for sentence in changed_since(claim, result)]
    parts += ["### Protocol", _bullets(claim.protocol)]
    parts += ["Cut from a fuller protocol, before the first run:", _bullets(claim.cut)]
    parts += ["What the paper used:", _bullets(claim.full_scale)]
    if result is not None:
        parts.append(_provenance(result))
    parts.append(f"Run it: `trimtab verify {claim.id}`. What every claim has in common is [here](../claims.md).")
    return "\n\n".join(parts)


def changed_since(claim: Claim, result: ClaimResult) -> list[str]:
    """Returns what has changed since a claim was run, in sentences."""
    sentences = ["The protocol has changed since this result."] if is_stale(claim.id, result.protocol_hash) else []
    changed = changed_methods(result.methods, find_reference(claim.id))
    if changed:
        made = f"{result.environment['date']}, trimtab {result.environment['trimtab']}"
        sentences.append(f"The code of {' and '.join(changed)} has changed since this result ({made}).")
    return sentences


def _verdict_paragraph(claim: Claim, result: ClaimResult) -> str:
    told = f"**{result.verdict.capitalize()}**: {claim.gist}. {standing(claim.contests, result)}".rstrip()
    return f"{told}\n\n*{result.verdict.capitalize()}* means: {MEANINGS[result.verdict]}."


def _measured_here(result: ClaimResult | None) -> str:
    if result is None:
        return numbers.MISSING
    return "; ".join(f"{f.name}: {measured(f)} {f.unit}" for f in result.findings if f.decides)


def _findings_markdown(result: ClaimResult) -> str:
    rows = [
        "| comparison | verdict | improvement, ± 95 % | claimed | detectable | p, corrected | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for f in result.findings:
        detectable = numbers.significant(f.smallest_detectable, 2)
        word = f.verdict if f.decides else f"({f.verdict})"
        cells = (described(f), word, f"{measured(f)} {f.unit}", claimed(f), detectable, p_value(f.p_value))
        rows.append(f"| {' | '.join(map(_cell, cells))} | {f.seeds} |")
    rows.append(
        "\nVerdicts in brackets are reported and do not decide. An interval is that of its comparison alone, "
        "which was planned; to be confirmed it also needs p < 0.05, corrected for all comparisons of the claim. "
        "Detectable is the smallest true improvement that so many seeds find four times out of five."
    )
    return "\n".join(rows)


def _arms_markdown(result: ClaimResult) -> str:
    rows = ["| arm | settings | test loss | test metric | mean training loss |", "|---|---|---|---|---|"]
    for arm in result.arms:
        means = " | ".join(_mean(arm, name) for name in ("test loss", "test metric", "mean training loss"))
        rows.append(f"| {_cell(arm.name)} | {_cell(numbers.settings_text(arm.settings))} | {means} |")
    probed = [
        f"{arm.name}: {name} {numbers.significant(sum(known) / len(known), 3)}"
        for arm in result.arms
        for name, column in arm.probed.items()
        if (known := [value for value in column if value is not None])
    ]
    return "\n".join(rows) + (f"\n\nAlso measured, means over seeds: {'; '.join(probed)}." if probed else "")


def _mean(arm: ArmResult, measure: str) -> str:
    known = [value for value in arm.values[measure] if value is not None]
    return numbers.significant(sum(known) / len(known)) if known else numbers.MISSING


def _provenance(result: ClaimResult) -> str:
    made = result.environment
    return (
        f"{count(result.trials, 'trial')}, {numbers.duration(result.processor_seconds)} of processor time; "
        f"{made['date']}, trimtab {made['trimtab']}, torch {made['torch']}, Python {made['python']}, "
        f"{made['processor']}. Protocol `{result.protocol_hash}`."
    )


def _bullets(sentences: tuple[str, ...]) -> str:
    return "\n".join(f"* {sentence}" for sentence in sentences)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
