"""What an audit found, printed."""

import io

from rich.console import Console

from trimtab.catalog.auditing import Audit
from trimtab.report.audit import print_audit, summary
from trimtab.testing.audit import Finding

PROMISE = "The update is right"


def finding(check, outcome, seen=""):
    return Finding(check, PROMISE, f"Contract of {check.partition('[')[0]}.", outcome, seen)


def printed(*findings):
    file = io.StringIO()
    print_audit(Console(file=file, width=100, emoji=False, highlight=False), Audit("mine:Mine", "Mine", findings))
    return file.getvalue()


def test_what_holds_is_said_in_a_sentence():
    text = printed(finding("a", "holds"), finding("b[1]", "skipped"))
    assert text.endswith("All 1 checks hold; 1 do not apply to it.\n")
    assert "does not hold" not in text


def test_each_broken_check_is_named_once_with_what_was_seen_first():
    text = printed(*(finding(f"b[{case}]", "broken", f"saw [{case}]") for case in "xyz"), finding("a", "holds"))
    assert "  b: Contract of b.\n    [x] saw [x] (and 2 more cases of it)\n" in text
    assert "saw [y]" not in text
    assert "3 of 4 cases do not hold, of 1 check." in text


def test_a_summary_says_what_it_is_about():
    assert "not about how well it trains" in summary(Audit("a", "A", [finding("a", "broken", "seen")]))
