"""What an audit found, as it is printed."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.catalog.auditing import Audit
from trimtab.study.phrases import count


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
        if seen:
            console.print(Text(f"\n{promise}: what does not hold", style="bold"))
        for name, (contract, first, more) in seen.items():
            also = f" (and {count(more, 'more case')} of it)" if more else ""
            console.print(Text(f"  {name}: {contract}"), soft_wrap=True)
            console.print(Text(f"    {first}{also}", style="red"), soft_wrap=True)
    console.print(Text(f"\n{summary(audit)}"), soft_wrap=True)


def summary(audit: Audit) -> str:
    """Returns what was found in a sentence."""
    tried = [each for each in audit.findings if each.outcome != "skipped"]
    left = len(audit.findings) - len(tried)
    about = f"; {left} do not apply to it" if left else ""
    if audit.holds:
        return f"All {len(tried)} checks hold{about}."
    checks = len({each.name for each in audit.broken})
    return (
        f"{len(audit.broken)} of {len(tried)} cases do not hold, of {count(checks, 'check')}{about}. This is about the "
        "contract of an optimizer, and not about how well it trains."
    )


def _by_check(seen: list[tuple[str, str, str, str]]) -> dict[str, tuple[str, str, int]]:
    """What to say of each check: its contract, what was seen first, and of how many cases more there is something."""
    found: dict[str, tuple[str, str, int]] = {}
    for name, check, contract, words in seen:
        case = check.removeprefix(name)
        first = f"{case} {words}".strip()
        found[name] = (found[name][0], found[name][1], found[name][2] + 1) if name in found else (contract, first, 0)
    return found
