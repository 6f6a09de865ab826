"""What an audit found, as it is printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.catalog.auditing import Audit
from trimtab.study.phrases import count

if TYPE_CHECKING:
    from trimtab.testing.audit import Finding

TORCH = "torch.optim.AdamW"

SCOPE = (
    "This is about the contract of an optimizer: neither about how well it trains, nor whether its formula is the one "
    "that is meant."
)


def print_audit(console: Console, audit: Audit) -> None:
    """Prints which promises hold, and what was seen of those that do not.

    Args:
        console: where to.
        audit: what was found.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("promise")
    table.add_column("cases", justify="right")
    table.add_column("broken", justify="right")
    for promise, findings in audit.promises.items():
        tried = [each for each in findings if each.outcome != "skipped"]
        broken = sum(each.outcome == "broken" for each in tried)
        table.add_row(promise, str(len(tried)), Text(str(broken), style="red") if broken else "–")
    console.print(Text(f"\n{audit.label}", style="bold"))
    console.print(table)
    for title, findings in _sections(audit):
        console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)
        for promise in audit.promises:
            checks: dict[str, list[Finding]] = {}
            for each in findings:
                if each.promise == promise:
                    checks.setdefault(each.name, []).append(each)
            if checks:
                console.print(Text(promise), soft_wrap=True)
            for found in checks.values():
                _print_check(console, audit, found)
    console.print(Text(f"\n{summary(audit)}"), soft_wrap=True)


def summary(audit: Audit) -> str:
    """Returns what was found in a sentence."""
    tried = [each for each in audit.findings if each.outcome != "skipped"]
    left = len(audit.findings) - len(tried)
    about = f"; {left} do not apply to it" if left else ""
    if audit.holds:
        checks = len({each.name for each in tried})
        return f"All {len(tried)} cases of {count(checks, 'check')} hold{about}. {SCOPE}"
    checks = len({each.name for each in audit.broken})
    kept, also, other = (len(audit.broken_where_torch(outcome)) for outcome in ("holds", "broken", "skipped"))
    untold = f"; {other} do not apply to AdamW" if other else ""
    return (
        f"{len(audit.broken)} of {len(tried)} cases do not hold, of {count(checks, 'check')}{about}. Of the "
        f"{len(audit.broken)}, {TORCH} keeps {kept or 'none'} and breaks {also or 'none'} as well{untold}. {SCOPE}"
    )


def _sections(audit: Audit) -> list[tuple[str, list["Finding"]]]:
    """What does not hold by what torch's optimizer makes of it: what that one keeps says most, and comes first.

    Cases that do not apply to it stand with those of the same check that it breaks, as they are of one kind.
    """
    theirs = {each.name for each in audit.broken_where_torch("broken")}
    other = audit.broken_where_torch("skipped")
    sections = [
        (f"What {TORCH} keeps, and this one does not", audit.broken_where_torch("holds")),
        (
            f"What does not apply to {TORCH}, and does not hold of this one",
            [each for each in other if each.name not in theirs],
        ),
        (
            f"What {TORCH} breaks as well",
            audit.broken_where_torch("broken") + [each for each in other if each.name in theirs],
        ),
    ]
    return [(title, findings) for title, findings in sections if findings]


def _print_check(console: Console, audit: Audit, found: Sequence["Finding"]) -> None:
    """Prints what is promised of a check, and what was seen of the first of its cases."""
    first, also = found[0], f" (and {count(len(found) - 1, 'more case')} of it)" if len(found) > 1 else ""
    other = sum(each in audit.broken_where_torch("skipped") for each in found)
    some = f" ({other} of these {len(found)} cases do not apply to {TORCH}.)" if 0 < other < len(found) else ""
    console.print(Text(f"  {first.name}: {first.contract}{some}"), soft_wrap=True)
    words = f"{first.check.removeprefix(first.name)} {first.seen}".strip()
    console.print(Text(f"    {words}{also}", style="red"), soft_wrap=True)
