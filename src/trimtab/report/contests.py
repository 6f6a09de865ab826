"""A claim in a few words: what was claimed, what came of it, and who beat whom by the numbers of the result."""

from collections.abc import Collection
from typing import Literal, TypeAlias

from trimtab.catalog import find
from trimtab.claims.analysis import ALPHA
from trimtab.claims.claim import Claim, Contest, described
from trimtab.claims.result import ClaimResult, Finding

Outcome: TypeAlias = Literal["ahead", "behind", "level", "unknown"]

_FEW = 2
"""So many places are named; of more it is counted how many."""

_EQUAL: dict[Outcome, str] = {
    "ahead": "beats {0}",
    "behind": "loses to {0}",
    "level": "shows no difference from {0}",
    "unknown": "could not be compared with {0}",
}
_WITH_ALLOWANCE: dict[Outcome, str] = {
    "ahead": "is less than {1} behind {0}",
    "behind": "is more than {1} behind {0}",
    "level": "is not shown to be within {1} of {0}",
    "unknown": "could not be compared with {0}",
}


def outcome(finding: Finding | None) -> Outcome:
    """Returns who is ahead by the corrected test, whatever size of improvement was claimed.

    A finding may be missing where a result is that of an older protocol.
    """
    if finding is None or finding.mean is None or finding.p_value is None:
        return "unknown"
    if finding.p_value >= ALPHA:
        return "level"
    return "ahead" if finding.mean > 0 else "behind"


def outcomes(contest: Contest, result: ClaimResult) -> dict[str, Outcome]:
    """Returns the outcome at each place of a contest."""
    findings = {described(each.name, each.measure): each for each in result.findings}
    return {place: outcome(findings.get(name)) for place, name in contest.places.items()}


def short_title(method: str) -> str:
    """Returns a method's title without what it says in brackets."""
    return find(method).title.partition(" (")[0]


def in_short(claim: Claim, result: ClaimResult) -> str:
    """Returns the verdict, on what it is, and who beat whom, for tables and first lines."""
    return f"{result.verdict}: {claim.gist}. {standing(claim.contests, result)}".strip()


def cell(claim: Claim, result: ClaimResult, methods: Collection[str]) -> str:
    """Returns the same as Markdown for a table's row, of each method only what is most important.

    Args:
        claim: the claim.
        result: what came of it.
        methods: which of the claim's methods the row is about.
    """
    whose = "" if claim.id in methods else f" for {short_title(claim.id)}"
    found = {contest.method: contest for contest in reversed(claim.contests) if contest.method in methods}
    told = f"**{result.verdict}**{whose}: {claim.gist}"
    if len(found) == 1:
        (only,) = found.values()
        return f"{told}; {_predicate(only, result)}"
    return f"{told}. {standing(tuple(reversed(found.values())), result)}".removesuffix(".").removesuffix(". ")


def standing(contests: tuple[Contest, ...], result: ClaimResult) -> str:
    """Returns who beat whom, a sentence a method; empty if there is no contest."""
    by_method: dict[str, list[str]] = {}
    for contest in contests:
        by_method.setdefault(contest.method, []).append(_predicate(contest, result))
    return " ".join(f"{short_title(method)} {'; '.join(found)}." for method, found in by_method.items())


def _predicate(contest: Contest, result: ClaimResult) -> str:
    """Returns what came of a contest, as "loses to AdamW at batch 16, shows no difference from it at batch 256"."""
    found = outcomes(contest, result)
    words = _WITH_ALLOWANCE if contest.allowance else _EQUAL
    parts, baseline = [], contest.baseline
    for each in dict.fromkeys(found.values()):
        places = [place for place, what in found.items() if what == each]
        parts.append(f"{words[each].format(baseline, contest.allowance)}{_where(places, len(found))}")
        baseline = "it"
    return ", ".join(parts)


def _where(places: list[str], of: int) -> str:
    if len(places) > _FEW:
        return f" in {len(places)} of {of} settings"
    return f" {' and '.join(places)}" if any(places) else ""
