"""What an audit found, as it is printed."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.catalog.auditing import Audit
from trimtab.study.phrases import count

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
    table.add_column("checks", justify="right")
    table.add_column("broken", justify="right")
    for promise, findings in audit.promises.items():
        tried = [each for each in findings if each.outcome != "skipped"]
        broken = sum(each.outcome == "broken" for each in tried)
        table.add_row(promise, str(len(tried)), Text(str(broken), style="red") if broken else "–")
    console.print(Text(f"\n{audit.label}", style="bold"))
    console.print(table)
    for promise, findings in audit.promises.items():
        seen = _by_check(
            [(each.name, each.check, each.contract, each.seen) for each in findings if each.outcome == "broken"]
        )
        theirs = {each.name for each in findings if each.check in audit.of_torch}
        if seen:
            console.print(Text(f"\n{promise}: what does not hold", style="bold"))
        for name in sorted(seen, key=lambda name: name in theirs):  # what torch keeps says more, and comes first
            contract, first, more = seen[name]
            torch = f" ({TORCH} breaks it, too.)" if name in theirs else ""
            also = f" (and {count(more, 'more case')} of it)" if more else ""
            console.print(Text(f"  {name}: {contract}{torch}"), soft_wrap=True)
            console.print(Text(f"    {first}{also}", style="red"), soft_wrap=True)
    console.print(Text(f"\n{summary(audit)}"), soft_wrap=True)


def summary(audit: Audit) -> str:
    """Returns what was found in a sentence."""
    tried = [each for each in audit.findings if each.outcome != "skipped"]
    left = len(audit.findings) - len(tried)
    about = f"; {left} do not apply to it" if left else ""
    if audit.holds:
        return f"All {len(tried)} checks hold{about}. {SCOPE}"
    checks = len({each.name for each in audit.broken})
    theirs = len({each.name for each in audit.broken if each.check in audit.of_torch})
    return (
        f"{len(audit.broken)} of {len(tried)} cases do not hold, of {count(checks, 'check')}, of which {TORCH} breaks "
        f"{theirs or 'none'} as well{about}. {SCOPE}"
    )


def _by_check(seen: list[tuple[str, str, str, str]]) -> dict[str, tuple[str, str, int]]:
    """What to say of each check: its contract, what was seen first, and of how many cases more there is something."""
    found: dict[str, tuple[str, str, int]] = {}
    for name, check, contract, words in seen:
        case = check.removeprefix(name)
        first = f"{case} {words}".strip()
        found[name] = (found[name][0], found[name][1], found[name][2] + 1) if name in found else (contract, first, 0)
    return found
