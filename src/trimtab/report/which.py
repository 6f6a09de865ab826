"""Which optimizer when, as far as verdicts go: nothing here is an opinion, and nothing is written by hand.

The situations are the catalogue's, the statements and conditions the claims', verdicts and effects their results'.
"""

from collections.abc import Callable, Iterable

from trimtab.catalog import Entry
from trimtab.claims import CLAIMS
from trimtab.claims.claim import Claim
from trimtab.claims.loading import is_stale, load_reference
from trimtab.claims.result import ClaimResult, Finding, committed
from trimtab.report.claims import MEANINGS, claimed, described, measured

SUPPORTED, NOT_SUPPORTED, NOT_RUN = "What the verdicts support", "What they do not", "Not run"
HEADINGS = (SUPPORTED, NOT_SUPPORTED, NOT_RUN)


def which_optimizer(methods: Iterable[Entry], results: Callable[[str], ClaimResult | None] = committed) -> str:
    """Returns a section of Markdown for each situation, with links as from the site's first level.

    Args:
        methods: entries of the catalogue; those without a situation are left out.
        results: from a method's name to the result of its claim, ``None`` where there is none.
    """
    situations: dict[str, list[Entry]] = {}
    for entry in methods:
        if entry.situation is not None:
            situations.setdefault(entry.situation, []).append(entry)
    return "\n\n".join(_section(name, found, results) for name, found in sorted(situations.items()))


def _section(situation: str, methods: list[Entry], results: Callable[[str], ClaimResult | None]) -> str:
    claims: dict[str | None, list[Entry]] = {}  # methods may share a claim
    for entry in methods:
        claims.setdefault(CLAIMS.get(entry.id, f"none:{entry.id}"), []).append(entry)
    lists: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    tried = []
    for entries in claims.values():
        name = ", ".join(f"[{entry.title}](methods/{entry.id}.md)" for entry in entries)
        method = entries[0].id
        if method not in CLAIMS:
            lists[NOT_RUN].append(f"{name}: no claim has been written down.")
            continue
        claim, result = load_reference(CLAIMS[method]), results(method)
        if result is None:
            lists[NOT_RUN].append(f"{name}: not run. To be tried: {claim.statement} `trimtab verify {claim.id}` does.")
            continue
        tried.append(_tried(name, claim, result))
        for finding in result.findings:
            lists[SUPPORTED if finding.verdict == "confirmed" else NOT_SUPPORTED].append(_sentence(name, finding))
    parts = [f"## {situation}", *tried]
    for heading, lines in lists.items():
        if lines:
            parts.append(f"{heading}:")
            parts.append("\n".join(f"* {line}" for line in lines))
    return "\n\n".join(parts)


def _tried(name: str, claim: Claim, result: ClaimResult) -> str:
    """Returns what was claimed and came of it, and on what it was tried."""
    old = " The protocol has changed since this result." if is_stale(claim.id, result.protocol_hash) else ""
    wary = f" Be wary: {'; '.join(result.notes)}." if result.notes else ""
    return (
        f"{name}: **{result.verdict}**, {MEANINGS[result.verdict]}. Claimed: {result.statement} "
        f"Tried so: {claim.protocol[0]}{wary}{old}"
    )


def _sentence(name: str, finding: Finding) -> str:
    """Returns what a comparison shows: the effect with its interval, beside what was claimed."""
    word = "" if finding.verdict == "confirmed" else f" {finding.verdict}:"
    beside = "" if finding.decides else "; reported beside the claim"
    return (
        f"{name}, {described(finding)}:{word} {measured(finding)} {finding.unit} "
        f"(claimed {claimed(finding)}; {finding.seeds} seeds{beside})."
    )
