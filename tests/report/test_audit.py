"""What an audit found, printed."""

import io
from types import MappingProxyType

from rich.console import Console

from trimtab.catalog.auditing import Audit
from trimtab.report.audit import print_audit, summary
from trimtab.testing.audit import Finding
from trimtab.testing.promises import promise_of

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
    assert "3 of 4 cases do not hold, of 1 check. Of the 3, torch.optim.AdamW keeps none and breaks none as" in text


def test_what_the_table_counts_are_cases():
    text = printed(*(finding(f"b[{case}]", "broken", "seen") for case in "xyz"), finding("a", "holds"))
    lines = [line.split() for line in text.splitlines()]
    assert ["promise", "cases", "broken"] in lines
    assert [*PROMISE.split(), "4", "3"] in lines


def test_a_summary_says_what_it_is_about():
    assert "neither about how well it trains" in summary(Audit("a", "A", [finding("a", "broken", "seen")]))


KEPT = "\nWhat torch.optim.AdamW keeps, and this one does not\n"
OTHER = "\nWhat does not apply to torch.optim.AdamW, and does not hold of this one\n"
ALSO = "\nWhat torch.optim.AdamW breaks as well\n"


def test_what_torch_breaks_as_well_comes_last_under_words_of_its_own():
    findings = [finding("a[1]", "broken", "saw a"), finding("b", "broken", "saw b"), finding("c", "holds")]
    text = printed(*findings, of_torch={"a[1]": "broken", "b": "holds"})
    first, _, last = text.partition(ALSO)
    assert first.endswith(f"{KEPT}{PROMISE}\n  b: Contract of b.\n    saw b\n")
    assert last.startswith(f"{PROMISE}\n  a: Contract of a.\n    [1] saw a\n")
    assert OTHER not in text
    end = "2 of 3 cases do not hold, of 2 checks. Of the 2, torch.optim.AdamW keeps 1 and breaks 1 as well. This is"
    assert end in text


def test_wrong_updates_and_lost_state_stand_before_how_bad_input_is_met():
    checks = ("deepcopy", "refuses_lr_of_two", "state_dict", "zero_lr", "saved_state_not_aliased")
    findings = [Finding(each, promise_of(each), "Contract.", "broken", "seen") for each in checks]
    text = printed(*findings, of_torch=dict.fromkeys(checks, "holds"))
    lines = [line.strip() for line in text.partition(KEPT)[2].splitlines()]
    named = [line.removesuffix(": Contract.") for line in lines if line.endswith(": Contract.")]
    assert named == ["zero_lr", "state_dict", "deepcopy", "saved_state_not_aliased", "refuses_lr_of_two"]


def test_what_is_broken_with_torch_too_is_not_said_to_be_kept_by_it():
    text = printed(finding("a", "broken", "saw a"), of_torch={"a": "broken"})
    assert KEPT not in text
    assert "torch.optim.AdamW keeps none and breaks 1 as well. This is" in text


def test_of_a_check_the_cases_that_torch_breaks_are_told_from_those_that_it_keeps():
    findings = [finding(f"a[{case}]", "broken", f"saw {case}") for case in "xyz"]
    text = printed(*findings, of_torch={"a[x]": "broken", "a[y]": "holds", "a[z]": "broken"})
    first, _, last = text.partition(ALSO)
    assert first.endswith("  a: Contract of a.\n    [y] saw y\n")
    assert last.startswith(f"{PROMISE}\n  a: Contract of a.\n    [x] saw x (and 1 more case of it)\n")


def test_what_says_nothing_of_torch_is_not_said_to_hold_there():
    text = printed(finding("a[x]", "broken", "saw x"), of_torch={"a[x]": "skipped"})
    assert f"{OTHER}{PROMISE}\n  a: Contract of a.\n" in text
    assert KEPT not in text
    assert ALSO not in text
    assert "torch.optim.AdamW keeps none and breaks none as well; 1 do not apply to AdamW. This is" in text


def test_cases_that_torch_has_no_setting_for_stand_with_those_of_their_check_that_it_breaks():
    findings = [finding(f"a[{case}]", "broken", f"saw {case}") for case in "xy"]
    text = printed(*findings, of_torch={"a[x]": "skipped", "a[y]": "broken"})
    assert KEPT not in text
    assert OTHER not in text
    told = "  a: Contract of a. (1 of these 2 cases do not apply to torch.optim.AdamW.)\n    [y] saw y (and 1 more case"
    assert f"{ALSO}{PROMISE}\n{told}" in text
