"""Who beat whom: by the numbers of a result, not by its verdicts, which are on claimed sizes."""

from dataclasses import replace

import pytest

from tests.claims.toy import CONFIRMED
from trimtab.claims.claim import Contest
from trimtab.claims.loading import find_reference, load_reference
from trimtab.claims.result import ClaimResult, Finding, committed
from trimtab.report.contests import cell, in_short, outcome, standing

EQUAL = Contest("lion", "AdamW", {"at batch 8": "one", "at batch 16": "two, test loss", "at batch 32": "three"})


def finding(name, mean=0.5, p_value=0.01, verdict="refuted", measure="test metric"):
    return Finding(name, measure, "points", 1.0, True, verdict, mean, 0.3, 0.7, p_value, 0.2, 12)


def result(*means, p_values=(0.01, 0.01, 0.01)):
    named = zip(("one", "two", "three"), ("test metric", "test loss", "test metric"), means, p_values, strict=True)
    findings = tuple(finding(name, mean, p, measure=measure) for name, measure, mean, p in named)
    return ClaimResult("lion", "It is.", "hash", "refuted", findings, (), (), 1, 1.0, {})


@pytest.mark.parametrize(
    ("mean", "p_value", "found"),
    [
        (0.5, 0.01, "ahead"),
        (-0.5, 0.01, "behind"),
        (0.5, 0.05, "level"),
        (-0.5, 0.2, "level"),
        (None, None, "unknown"),
    ],
)
@pytest.mark.parametrize("verdict", ["confirmed", "refuted"])
def test_the_corrected_test_tells_whatever_was_claimed(mean, p_value, found, verdict):
    assert outcome(finding("one", mean, p_value, verdict)) == found


def test_what_an_older_result_does_not_tell_is_unknown():
    contest = Contest("lion", "AdamW", {"": "renamed since"})
    assert standing((contest,), result(1.0, 1.0, 1.0)) == "Lion could not be compared with AdamW."


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (result(1.0, 1.0, 1.0), "beats AdamW in 3 of 3 settings"),
        (result(-1.0, 1.0, -1.0), "loses to AdamW at batch 8 and at batch 32, beats it at batch 16"),
        (
            result(1.0, 1.0, None, p_values=(0.5, 0.01, None)),
            "shows no difference from AdamW at batch 8, beats it at batch 16, "
            "could not be compared with it at batch 32",
        ),
    ],
)
def test_places_are_named_or_counted(found, words):
    assert standing((EQUAL,), found) == f"Lion {words}."


@pytest.mark.parametrize(
    ("mean", "p_value", "words"),
    [
        (1.0, 0.01, "is less than 2 % behind GaLore"),
        (-1.0, 0.01, "is more than 2 % behind GaLore"),
        (1.0, 0.5, "is not shown to be within 2 % of GaLore"),
    ],
)
def test_what_is_allowed_is_said(mean, p_value, words):
    contest = Contest("q_galore", "GaLore", {"": "one"}, allowance="2 %")
    assert standing((contest,), result(mean, 1.0, 1.0, p_values=(p_value, 0.01, 0.01))) == f"Q-GaLore {words}."


def test_the_contests_of_a_method_are_one_sentence():
    other = Contest("sso", "Adam", {"": "three"})
    again = replace(EQUAL, baseline="SGD", places={"": "two, test loss"})
    assert standing((EQUAL, other, again), result(1.0, 1.0, -1.0)) == (
        "Lion beats AdamW at batch 8 and at batch 16, loses to it at batch 32; beats SGD. SSO loses to Adam."
    )


def test_without_contests_it_is_the_verdict_on_the_gist():
    claim = replace(CONFIRMED, contests=())
    assert in_short(claim, result(1.0, 1.0, 1.0)) == "refuted: a tuned rate is better."


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (
            "lion",
            "confirmed: its gain over AdamW grows with the batch. "
            "Lion loses to AdamW at batch 16, shows no difference from it at batch 256.",
        ),
        (
            "sso",
            "refuted: 30 % less training loss than the best of four tuned baselines, and less the more inner steps. "
            "SSO beats the best of four tuned baselines in 4 of 4 settings.",
        ),
    ],
)
def test_a_confirmed_claim_may_lose_and_a_refuted_one_win(method, words):
    assert in_short(load_reference(find_reference(method)), committed(method)) == words


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["lion"], "**refuted**: a tuned rate is better; beats AdamW in 3 of 3 settings"),
        (
            ["lion", "sso"],
            "**refuted**: a tuned rate is better. Lion beats AdamW in 3 of 3 settings. SSO beats Adam",
        ),
        (["sso"], "**refuted** for Lion: a tuned rate is better; beats Adam"),
        (["adamw"], "**refuted** for Lion: a tuned rate is better"),
    ],
)
def test_a_cell_has_the_first_contest_of_each_method(methods, words):
    contests = (EQUAL, Contest("lion", "SGD", {"": "one"}), Contest("sso", "Adam", {"": "three"}))
    measures = replace(CONFIRMED.comparisons[0], measure="test metric")
    comparisons = tuple(replace(measures, name=name) for name in ("one", "three"))
    two = replace(measures, name="two", measure="test loss")
    claim = replace(CONFIRMED, id="lion", comparisons=(*comparisons, two), contests=contests)
    assert cell(claim, result(1.0, 1.0, 1.0), methods) == words
