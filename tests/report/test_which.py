"""What is said of which optimizer when: nothing but what results say."""

import re
from dataclasses import replace

import pytest

from tests.claims.toy import CONFIRMED, TRUE
from trimtab.catalog import entries, find
from trimtab.claims import CLAIMS
from trimtab.claims.claim import Contest, Panel
from trimtab.claims.fingerprint import protocol_hash
from trimtab.claims.loading import find_reference, load_reference
from trimtab.claims.result import ArmResult, ClaimResult, Finding, committed
from trimtab.report.claims import MEANINGS
from trimtab.report.which import HEADINGS, NOT_RUN, NOT_SUPPORTED, SUPPORTED, which_optimizer

METHODS = [entry for entry in entries().values() if entry.situation is not None]


def finding(verdict, mean=0.5, *, decides=True):
    return Finding("a against b", "test loss", "nats", 0.25, decides, verdict, mean, 0.3, 0.7, 0.01, 0.2, 12)


def result(method, *findings, **changes):
    claim = load_reference(find_reference(method))
    protocol = protocol_hash(find_reference(method))
    made = ClaimResult(claim.id, claim.statement, protocol, "refuted", findings, (), (), 1, 1.0, {})
    return replace(made, **changes)


def page(*findings, method="sso", **changes):
    return which_optimizer([find(method)], lambda _: result(method, *findings, **changes))


def under(text, heading):
    """The bullets below a heading of the evidence, which is folded."""
    found = re.search(rf"^    {heading}:\n\n((?:    \* .*\n?)+)", text, re.MULTILINE)
    return found[1].splitlines() if found else []


def test_every_method_is_there_with_what_came_of_its_claim():
    text = which_optimizer(METHODS)
    sections = dict(re.findall(r'^\?\?\? note "(.*)"\n((?:(?!^\?).*\n?)*)', text, re.MULTILINE))
    rows = dict(re.findall(r"^\| (.*?) \| (.*)", text, re.MULTILINE)[1:])
    assert set(sections) == set(rows) == {entry.situation for entry in METHODS}
    for entry in METHODS:
        section = sections[entry.situation]
        found = committed(entry.id)
        verdict = "not run" if found is None else found.verdict
        assert re.search(rf"\(methods/{entry.id}\.md\)[^;|]*: {verdict}", rows[entry.situation])
        assert f"[{entry.title}](methods/{entry.id}.md)" in section
        missing = any(f"methods/{entry.id}.md" in line for line in under(section, NOT_RUN))
        assert missing == (found is None)
        if found is not None:
            assert f"**{found.verdict}**, {MEANINGS[found.verdict]}" in section


@pytest.mark.parametrize("method", [entry.id for entry in METHODS if committed(entry.id)])
def test_every_finding_is_there_once_where_it_belongs(method):
    text = which_optimizer([find(method)])
    findings = committed(method).findings
    confirmed = [each for each in findings if each.verdict == "confirmed"]
    assert len(under(text, SUPPORTED)) == len(confirmed)
    assert len(under(text, NOT_SUPPORTED)) == len(findings) - len(confirmed)
    assert not under(text, NOT_RUN)


def test_a_result_appears_by_itself():
    before = which_optimizer([find("sso")], lambda _: None)
    assert [bool(under(before, heading)) for heading in HEADINGS] == [False, False, True]
    assert "not run. To be tried: " in before
    assert "`trimtab verify sso` does." in before
    after = page(finding("confirmed"))
    assert [bool(under(after, heading)) for heading in HEADINGS] == [True, False, False]
    assert "\n\n    [SSO (target-based surrogates)](methods/sso.md): **refuted**, the data" in after
    assert "    * [SSO (target-based surrogates)](methods/sso.md): **refuted**: 30 % less training loss" in after


@pytest.mark.parametrize("verdict", ["refuted", "inconclusive", "underpowered"])
def test_what_is_not_confirmed_is_not_supported(verdict):
    (line,) = under(page(finding(verdict, -0.5, decides=False)), NOT_SUPPORTED)
    assert f": {verdict}: -0.50 ±0.20 nats (claimed ≥ 0.25; 12 seeds; reported beside the claim)." in line.replace(
        "−", "-"
    )


def test_what_is_supported_has_effect_interval_and_threshold():
    (line,) = under(page(finding("confirmed")), SUPPORTED)
    assert line.endswith("a against b, test loss: +0.50 ±0.20 nats (claimed ≥ 0.25; 12 seeds).")


def test_a_run_that_diverged_has_no_number():
    lost = replace(finding("refuted"), mean=None, low=None, high=None)
    assert "refuted: – nats" in page(lost)


def test_what_to_be_wary_of_is_said():
    assert "Be wary" not in page(finding("confirmed"))
    assert " Be wary: one; two." in page(finding("confirmed"), notes=("one", "two"))


def test_a_result_of_another_protocol_is_marked():
    assert "The protocol has changed" not in page(finding("confirmed"))
    assert "The protocol has changed since this result." in page(finding("confirmed"), protocol_hash="old")


def test_methods_of_one_claim_share_its_lines():
    text = which_optimizer([find("galore"), find("q_galore")], lambda _: result("galore", finding("confirmed")))
    (line,) = under(text, SUPPORTED)
    assert "[GaLore](methods/galore.md), [Q-GaLore](methods/q_galore.md), a against b" in line


def test_a_method_without_a_claim_says_so(monkeypatch):
    monkeypatch.delitem(CLAIMS, "sso")
    text = which_optimizer([find("sso")])
    assert under(text, NOT_RUN) == [
        "    * [SSO (target-based surrogates)](methods/sso.md): no claim has been written down."
    ]


PLACES = {"at batch 8": "one", "at batch 16": "two"}


@pytest.mark.parametrize(
    ("p_values", "means", "verdict", "words"),
    [
        ((0.01, 0.01), (1.0, 1.0), "refuted", "Try SSO: it beat Adam."),
        ((0.01, 0.01), (1.0, -1.0), "refuted", "Try SSO at batch 8, where it beat Adam; keep Adam elsewhere."),
        (
            (0.5, 0.5),
            (1.0, 1.0),
            "confirmed",
            "Try SSO: its claim is confirmed, and no difference from Adam was shown.",
        ),
        ((0.5, 0.5), (1.0, 1.0), "refuted", "Keep Adam: nothing here was shown to beat it."),
        ((0.5, 0.01), (1.0, -1.0), "confirmed", "Keep Adam: nothing here was shown to beat it."),
        ((None, None), (None, None), "confirmed", "Keep Adam: nothing here was shown to beat it."),
    ],
)
def test_the_advice_is_what_came_of_the_first_contest_of_equals(monkeypatch, p_values, means, verdict, words):
    allowed = Contest("sso", "SGD", {"": "one"}, allowance="2 %")
    contests = (allowed, Contest("sso", "Adam", PLACES), Contest("sso", "LAMB", {"": "one"}))
    comparisons = tuple(replace(TRUE, name=name, measure="test metric") for name in PLACES.values())
    claim = replace(CONFIRMED, id="sso", comparisons=comparisons, contests=contests)
    monkeypatch.setattr("trimtab.report.which.load_reference", lambda _: claim)
    named = zip(PLACES.values(), means, p_values, strict=True)
    findings = [
        replace(finding("refuted", mean), name=name, measure="test metric", p_value=p) for name, mean, p in named
    ]
    assert f"| The loss is dear beside the model | {words} | " in page(*findings, verdict=verdict)


def test_what_beats_the_baseline_in_its_own_experiment_is_not_kept_from_the_reader():
    row = re.search(r"^\| A transformer is trained with SGD \| (.*?) \|", which_optimizer(METHODS), re.MULTILINE)[1]
    assert row == (
        "Coordinate clipping loses to SGD on text. Adam was ahead of SGD on text, in the same experiment: test loss "
        "1.983 against 2.045."
    )


@pytest.mark.parametrize(
    ("adam", "told"),
    [
        (
            (1.0, 1.1, 0.9, 1.0),
            "SSO shows no difference from SGD. Adam was ahead of SGD, in the same experiment: test loss 1 against 2.",
        ),
        ((3.0, 3.1, 2.9, 3.0), "Keep SGD: nothing here was shown to beat it."),
        ((2.0, 2.1, 1.9, 2.0), "Keep SGD: nothing here was shown to beat it."),
        ((1.0, 1.1, None, 1.0), "Keep SGD: nothing here was shown to beat it."),
    ],
)
def test_a_baseline_is_kept_unless_another_one_is_ahead_of_it(monkeypatch, adam, told):
    arms = {"sso": (2.0, 2.2, 1.9, 2.1), "sgd": (2.0, 2.2, 1.8, 2.0), "adam": adam}
    claim = replace(
        CONFIRMED,
        id="sso",
        arms=tuple(replace(CONFIRMED.arms[0], name=name) for name in arms),
        comparisons=(replace(TRUE, name="sso against sgd", measure="test loss", arms=("sso", "sgd")),),
        contests=(Contest("sso", "SGD", {"": "sso against sgd, test loss"}),),
        panels=(Panel("Loss", "test loss", "nats", ("text",), {name: (name,) for name in arms}),),
    )
    monkeypatch.setattr("trimtab.report.which.load_reference", lambda _: claim)
    columns = tuple(
        ArmResult(name, {}, (), (), (0, 1, 2, 3), {"test loss": values}, {}, (), 0, 0) for name, values in arms.items()
    )
    level = replace(finding("refuted"), name="sso against sgd", p_value=0.5)
    assert f"| {told} | " in page(level, arms=columns)


def test_without_a_result_there_is_no_advice():
    text = which_optimizer([find("sso")], lambda _: None)
    link = "[SSO (target-based surrogates)](methods/sso.md)"
    assert f"| Nothing to recommend: no result has a baseline in it. | {link}: not run |" in text


def test_only_the_guide_is_not_folded():
    shown = [line for line in which_optimizer(METHODS).splitlines() if line and not line.startswith("    ")]
    assert len(shown) == 3 + 2 * len({entry.situation for entry in METHODS})
    assert max(map(len, shown)) < 350
    rows = [line.split("|")[-2] for line in shown if line.startswith("| ")]
    assert all(row.count(f": {verdict}") <= 1 for row in rows for verdict in ("refuted", "confirmed", "not run"))


def test_baselines_have_no_situation():
    assert which_optimizer([find("adamw")]) == ""
