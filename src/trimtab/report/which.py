"""Which optimizer when, as far as verdicts go: nothing here is an opinion, and nothing is written by hand.

The situations are the catalogue's, the statements and conditions the claims', verdicts and effects their results'.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import indent

from trimtab.catalog import Entry
from trimtab.claims import CLAIMS
from trimtab.claims.claim import Claim, Contest
from trimtab.claims.loading import load_reference
from trimtab.claims.result import ClaimResult, Finding, committed
from trimtab.report.claims import MEANINGS, changed_since, claimed, described, measured
from trimtab.report.contests import better_baselines, cell, outcomes, short_title, standing

SUPPORTED, NOT_SUPPORTED, NOT_RUN = "What the verdicts support", "What they do not", "Not run"
HEADINGS = (SUPPORTED, NOT_SUPPORTED, NOT_RUN)


@dataclass(frozen=True)
class _Tried:
    """Methods of a situation that take part in the same claim."""

    methods: tuple[Entry, ...]
    claim: Claim | None
    result: ClaimResult | None

    @property
    def links(self) -> str:
        return ", ".join(f"[{entry.title}](methods/{entry.id}.md)" for entry in self.methods)

    @property
    def contests(self) -> tuple[Contest, ...]:
        """Those of these methods; others may take part in the claim as well."""
        own = {entry.id for entry in self.methods}
        return () if self.claim is None else tuple(each for each in self.claim.contests if each.method in own)


def which_optimizer(methods: Iterable[Entry], results: Callable[[str], ClaimResult | None] = committed) -> str:
    """Returns a table of what to do when, and below it all that this rests on, folded; empty without situations.

    It is Markdown with links as from the site's first level.

    Args:
        methods: entries of the catalogue; those without a situation are left out.
        results: from a method's name to the result of its claim, ``None`` where there is none.
    """
    situations: dict[str, list[Entry]] = {}
    for entry in methods:
        if entry.situation is not None:
            situations.setdefault(entry.situation, []).append(entry)
    tried = {name: _by_claim(found, results) for name, found in sorted(situations.items())}
    if not tried:
        return ""
    rows = [f"| {name} | {_advice(each)} | {_verdicts(each)} |" for name, each in tried.items()]
    head = ["| situation | what the numbers say | verdicts on the papers' claims |", "|---|---|---|"]
    folded = [f'??? note "{name}"\n\n{indent(_evidence(each), " " * 4)}' for name, each in tried.items()]
    return "\n\n".join(["\n".join([*head, *rows]), "## Evidence", *folded])


def _by_claim(methods: list[Entry], results: Callable[[str], ClaimResult | None]) -> list[_Tried]:
    claims: dict[str, list[Entry]] = {}
    for entry in methods:
        claims.setdefault(CLAIMS.get(entry.id, f"none:{entry.id}"), []).append(entry)
    return [
        _Tried(tuple(found), load_reference(reference), results(found[0].id))
        if found[0].id in CLAIMS
        else _Tried(tuple(found), None, None)
        for reference, found in claims.items()
    ]


def _verdicts(tried: list[_Tried]) -> str:
    found: dict[str, list[str]] = {}
    for each in tried:
        found.setdefault("not run" if each.result is None else each.result.verdict, []).append(each.links)
    return "; ".join(f"{', '.join(links)}: {verdict}" for verdict, links in found.items())


def _advice(tried: list[_Tried]) -> str:
    """What the numbers say for each method against its first baseline with which it is compared as an equal."""
    advice, lost, baselines, better = list[str](), list[str](), list[str](), list[str]()
    for each in tried:
        for method, contest in _first(each.contests).items():
            if each.claim is None or each.result is None:
                continue
            baselines.append(contest.baseline)
            advice += _worth_a_try(method, contest, each.claim, each.result)
            lost.append(standing((contest,), each.result))
            better += better_baselines(contest, each.claim, each.result)
    if not baselines:
        return "Nothing to recommend: no result has a baseline in it."
    if not advice:
        # a baseline that another one beats is nothing to keep: what came of the methods is all that can be said
        keep = f"Keep {' or '.join(dict.fromkeys(baselines))}: nothing here was shown to beat it."
        advice = lost if better else [keep]
    return " ".join([*advice, *better])


def _first(contests: tuple[Contest, ...]) -> dict[str, Contest]:
    return {each.method: each for each in reversed(contests) if not each.allowance}


def _worth_a_try(method: str, contest: Contest, claim: Claim, result: ClaimResult) -> list[str]:
    found = outcomes(contest, result)
    won = [place for place, what in found.items() if what == "ahead"]
    title, baseline = short_title(method), contest.baseline
    if won and len(won) == len(found):
        return [f"Try {title}: it beat {baseline}."]
    if won:
        return [f"Try {title} {' and '.join(won)}, where it beat {baseline}; keep {baseline} elsewhere."]
    if result.verdict == "confirmed" and set(found.values()) == {"level"}:
        whose = "its claim" if method == claim.id else f"the claim of {short_title(claim.id)}"
        return [f"Try {title}: {whose} is confirmed, and no difference from {baseline} was shown."]
    return []


def _evidence(tried: list[_Tried]) -> str:
    lists: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    short, parts = [], []
    for each in tried:
        if each.claim is None:
            lists[NOT_RUN].append(f"{each.links}: no claim has been written down.")
        elif each.result is None:
            lists[NOT_RUN].append(
                f"{each.links}: not run. To be tried: {each.claim.statement} `trimtab verify {each.claim.id}` does."
            )
        else:
            short.append(f"* {each.links}: {cell(each.claim, each.result, [entry.id for entry in each.methods])}.")
            parts.append(_statement(each.links, each.claim, each.result))
            for finding in each.result.findings:
                heading = SUPPORTED if finding.verdict == "confirmed" else NOT_SUPPORTED
                lists[heading].append(_sentence(each.links, finding))
    for heading, lines in lists.items():
        if lines:
            parts.append(f"{heading}:")
            parts.append("\n".join(f"* {line}" for line in lines))
    return "\n\n".join(["\n".join(short), *parts]).lstrip()


def _statement(name: str, claim: Claim, result: ClaimResult) -> str:
    """Returns what was claimed and came of it, and on what it was tried."""
    old = "".join(f" {sentence}" for sentence in changed_since(claim, result))
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
