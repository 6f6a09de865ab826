"""A claim in a few words: what was claimed, what came of it, and who beat whom by the numbers of the result."""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, TypeAlias

from trimtab.catalog import entries, find
from trimtab.claims.claim import Claim, Contest, Statement, described
from trimtab.claims.result import ClaimResult, Finding
from trimtab.study.statistics import ALPHA, paired_difference

Outcome: TypeAlias = Literal["ahead", "behind", "level", "unknown"]

Column: TypeAlias = Sequence[float | None]
"""A measure of an arm, seed by seed; ``None`` where a run diverged."""

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


def better_baselines(contest: Contest, claim: Claim, result: ClaimResult) -> list[str]:
    """Returns a sentence for each of the host's optimizers that is ahead of the contest's baseline in the same place.

    Whoever keeps a baseline has to know them. A claim does not plan these comparisons: who is ahead is told by the
    paired t test of the arms that one of its figures shows side by side.
    """
    arms = {arm.name: arm.values | arm.probed for arm in result.arms}
    found: dict[tuple[str, str], str] = {}
    for where, comparison in _comparisons(contest, claim).items():
        for rival, *names in _beside(contest, comparison, claim):
            one, other = (arms.get(name, {}).get(comparison.measure, ()) for name in names)
            means = _ahead(one, other, comparison.measure)
            if means is not None:
                place = f" {where}" if where else ""
                numbers = " against ".join(f"{mean:.4g}" for mean in means)
                found[rival, where] = (
                    f"{_kind(rival)} was ahead of {contest.baseline}{place}, in the same experiment: "
                    f"{comparison.measure} {numbers}."
                )
    return list(found.values())


def _beside(contest: Contest, comparison: Statement, claim: Claim) -> Iterator[tuple[str, str, str]]:
    """Yields the host's optimizers that figures show beside a contest's baseline: name, arm, and the baseline's arm."""
    for panel in claim.panels:
        series = {name.lower(): arms for name, arms in panel.series.items() if _is_baseline(name)}
        own = series.pop(contest.baseline.lower(), ())
        for place, arm in enumerate(own):
            if panel.measure == comparison.measure and arm in comparison.arms:
                yield from ((rival, arms[place], arm) for rival, arms in series.items())


def _comparisons(contest: Contest, claim: Claim) -> dict[str, Statement]:
    named = {described(each.name, each.measure): each for each in claim.comparisons}
    return {place: named[name] for place, name in contest.places.items()}


def _is_baseline(series: str) -> bool:
    entry = entries().get(series.lower())
    return entry is not None and entry.kind == "baseline"


def _kind(baseline: str) -> str:
    """A baseline's name without the settings that the catalogue gives it, for an arm has its own."""
    return short_title(baseline).partition(" with ")[0]


def _ahead(one: Column, other: Column, measure: str) -> tuple[float, float] | None:
    """Returns both means if the first column is ahead of the second by the paired test, and both are complete.

    A column is empty where a result is that of an older protocol.
    """
    pairs = [(a, b) for a, b in zip(one, other, strict=False) if a is not None and b is not None]
    if not pairs or len(pairs) < max(len(one), len(other)):
        return None
    firsts, seconds = map(list, zip(*pairs, strict=True))
    better, worse = (seconds, firsts) if "loss" in measure else (firsts, seconds)
    difference = paired_difference(better, worse)
    if difference.p_value >= ALPHA or difference.mean <= 0:
        return None
    return sum(firsts) / len(firsts), sum(seconds) / len(seconds)


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
