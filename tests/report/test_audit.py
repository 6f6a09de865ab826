"""What an audit found, printed."""

import io
from types import MappingProxyType

from rich.console import Console

from trimtab.catalog.auditing import Audit
from trimtab.report.audit import print_audit, summary
from trimtab.testing.audit import Finding

PROMISE = "The update does what any right one does"


def finding(check, outcome, seen=""):
    return Finding(check, PROMISE, f"Contract of {check.partition('[')[0]}.", outcome, seen)


def printed(*findings, of_torch=MappingProxyType({})):
    file = io.StringIO()
    found = Audit("mine:Mine", "Mine", findings, of_torch)
    print_audit(Console(file=file, width=100, emoji=False, highlight=False), found)
    return file.getvalue()


def test_what_holds_is_said_in_a_sentence():
    text = printed(*(finding(f"a[{case}]", "holds") for case in "xy"), finding("b[1]", "skipped"))
    assert "All 2 cases of 1 check hold; 1 do not apply to it. This is about the contract of an optimizer" in text
    assert "does not hold" not in text


def test_each_broken_check_is_named_once_with_what_was_seen_first():
    text = printed(*(finding(f"b[{case}]", "broken", f"saw [{case}]") for case in "xyz"), finding("a", "holds"))
    assert "  b: Contract of b.\n    [x] saw [x] (and 2 more cases of it)\n" in text
    assert "saw [y]" not in text
    assert "3 of 4 cases do not hold, of 1 check. torch.optim.AdamW breaks none of the 3 as well." in text


def test_what_the_table_counts_are_cases():
    text = printed(*(finding(f"b[{case}]", "broken", "seen") for case in "xyz"), finding("a", "holds"))
    lines = [line.split() for line in text.splitlines()]
    assert ["promise", "cases", "broken"] in lines
    assert [*PROMISE.split(), "4", "3"] in lines


def test_a_summary_says_what_it_is_about():
    assert "neither about how well it trains" in summary(Audit("a", "A", [finding("a", "broken", "seen")]))


def test_what_torch_breaks_as_well_comes_last_and_is_marked():
    findings = [finding("a[1]", "broken", "saw a"), finding("b", "broken", "saw b"), finding("c", "holds")]
    text = printed(*findings, of_torch={"a[1]": "broken", "b": "holds"})
    assert text.index("b: Contract of b.\n") < text.index("a: Contract of a. (torch.optim.AdamW breaks it, too.)\n")
    assert "2 of 3 cases do not hold, of 2 checks. torch.optim.AdamW breaks 1 of the 2 as well." in text


def test_of_a_check_the_cases_that_torch_breaks_are_told_from_those_that_it_keeps():
    findings = [finding(f"a[{case}]", "broken", f"saw {case}") for case in "xyz"]
    text = printed(*findings, of_torch={"a[x]": "broken", "a[y]": "holds", "a[z]": "broken"})
    assert "  a: Contract of a. (torch.optim.AdamW breaks 2 of these 3 cases, too.)\n    [y] saw y (and 2 more" in text


def test_what_says_nothing_of_torch_is_not_said_to_hold_there():
    text = printed(finding("a[x]", "broken", "saw x"), of_torch={"a[x]": "skipped"})
    assert "  a: Contract of a. (It does not apply to torch.optim.AdamW.)\n" in text
