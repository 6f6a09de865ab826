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
    theirs = {each.check for each in audit.as_torch}
    for promise, findings in audit.promises.items():
        # what torch keeps says more, and comes first: of each check, and among them
        unkept = [each for each in findings if each.outcome == "broken"]
        seen: dict[str, list[Finding]] = {}
        for each in sorted(unkept, key=lambda each: each.check in theirs):
            seen.setdefault(each.name, []).append(each)
        if seen:
            console.print(Text(f"\n{promise}: what does not hold", style="bold"))
        for name, found in sorted(
            seen.items(), key=lambda pair: sum(each.check in theirs for each in pair[1]) / len(pair[1])
        ):
            first, also = found[0], f" (and {count(len(found) - 1, 'more case')} of it)" if len(found) > 1 else ""
            console.print(Text(f"  {name}: {first.contract}{_of_torch(audit, found)}"), soft_wrap=True)
            words = f"{first.check.removeprefix(name)} {first.seen}".strip()
            console.print(Text(f"    {words}{also}", style="red"), soft_wrap=True)
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
    return (
        f"{len(audit.broken)} of {len(tried)} cases do not hold, of {count(checks, 'check')}{about}. {TORCH} breaks "
        f"{len(audit.as_torch) or 'none'} of the {len(audit.broken)} as well. {SCOPE}"
    )


def _of_torch(audit: Audit, broken: Sequence["Finding"]) -> str:
    """What to say of torch's optimizer in the cases of a check that are broken."""
    outcomes = [audit.of_torch.get(each.check) for each in broken]
    theirs = outcomes.count("broken")
    if theirs == len(broken):
        return f" ({TORCH} breaks it, too.)"
    if theirs:
        return f" ({TORCH} breaks {theirs} of these {len(broken)} cases, too.)"
    return f" (It does not apply to {TORCH}.)" if outcomes.count("skipped") == len(broken) else ""
