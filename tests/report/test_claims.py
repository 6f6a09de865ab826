"""How a claim is shown."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.claims.toy import CONFIRMED
from trimtab.claims import CLAIMS
from trimtab.claims.analysis import judge
from trimtab.claims.fingerprint import method_hashes, protocol_hash
from trimtab.claims.loading import load_reference
from trimtab.claims.result import ArmResult, ClaimResult, committed
from trimtab.report.claims import measured, p_value, print_claim, verdict_line, verdict_section
from trimtab.report.figures.claim import claim_panel

pytestmark = pytest.mark.usefixtures("toy_is_a_claim")


@pytest.fixture
def toy_is_a_claim(monkeypatch):
    monkeypatch.setitem(CLAIMS, "toy", "tests.claims.toy:CONFIRMED")


LOSSES = {"tuned": (0.10, 0.12, 0.11), "slow": (0.50, 0.55, 0.52)}


def arm(name, losses):
    values = dict.fromkeys(("test loss", "test metric", "validation loss", "mean training loss"), losses)
    return ArmResult(name, {"lr": 0.0123456}, (), (), (1000, 1001, 1002), values, {"steps": (9.0, 9.0, 9.0)}, (), 0, 0)


def found(losses=LOSSES, **changes):
    arms = tuple(arm(name, each) for name, each in losses.items())
    environment = dict.fromkeys(("date", "trimtab", "torch", "python", "processor"), "X")
    findings = judge(CONFIRMED.comparisons, arms)
    result = ClaimResult(
        "toy", CONFIRMED.statement, "abc", "confirmed", findings, ("a|note",), arms, 6, 61.0, environment
    )
    return replace(result, **changes)


def printed(result, width=80):
    console = Console(file=io.StringIO(), width=width)
    print_claim(console, CONFIRMED, result)
    return console.file.getvalue()


def test_the_terminal_has_verdict_and_numbers_in_80_columns():
    text = printed(found())
    words = " ".join(text.split())
    assert "toy confirmed: a tuned rate is better confirmed means: the effect is there" in words
    assert "AdamW beats a slow rate on a line." in words
    assert "+0.413 ±0.039" in words
    assert "6 trials, 1 min 1 s of processor time" in words
    assert max(map(len, text.splitlines())) <= 80


def test_what_could_not_be_compared_has_dashes():
    lost = found({**LOSSES, "slow": (0.5, None, 0.5)})
    assert lost.findings[0].mean is None
    assert "–" in printed(lost)
    assert "| inconclusive | – squares | ≥ 0.01 | – | – | 3 |" in verdict_section(CONFIRMED, lost)


def test_the_page_puts_the_papers_number_beside_ours():
    page = verdict_section(CONFIRMED, found(), "<b>figures</b>")
    assert "**Confirmed**: a tuned rate is better. AdamW beats a slow rate on a line." in page
    assert "*Confirmed* means: the effect is there" in page
    assert "| the paper reports | Much better. |" in page
    assert "| measured here | tuned against slow: +0.413 ±0.039 squares |" in page
    assert "<b>figures</b>" in page
    assert "| tuned | lr = 0.0123 | 0.1100 |" in page
    assert "tuned: steps 9.00" in page
    assert "Protocol `abc`" in page


def test_the_page_says_what_has_changed_since():
    protocol = protocol_hash(CLAIMS["toy"])
    assert "has changed since" not in verdict_section(CONFIRMED, found(protocol_hash=protocol))
    assert "!!! warning\n    The protocol has changed since this result." in verdict_section(CONFIRMED, found())
    lion = load_reference(CLAIMS["lion"])
    result = replace(committed("lion"), methods={"lion": "another"})
    made = f"{result.environment['date']}, trimtab {result.environment['trimtab']}"
    assert f"The code of lion has changed since this result ({made})." in verdict_section(lion, result)
    assert verdict_line(lion, result).endswith(f" The code of lion has changed since this result ({made}).")
    same = replace(result, protocol_hash=protocol_hash(CLAIMS["lion"]), methods=method_hashes(CLAIMS["lion"]))
    assert "has changed since" not in verdict_line(lion, same)


def test_a_page_without_a_result_says_so_and_has_the_protocol():
    page = verdict_section(CONFIRMED, None)
    assert "Not run yet." in page
    assert "* Lines are fitted." in page
    assert "Protocol `" not in page


def test_a_panel_draws_means_intervals_and_seeds():
    (panel,) = CONFIRMED.panels
    figure = claim_panel(panel, found())
    dots, mean, *_ = figure.data
    assert list(dots.y) == list(LOSSES["tuned"])
    assert mean.y == (pytest.approx(0.11),)
    assert mean.error_y.array == (pytest.approx(0.0248, abs=1e-3),)
    assert mean.x[0] < figure.data[3].x[0]
    assert figure.layout.xaxis.ticktext == ("line",)


def test_a_panel_of_diverged_runs_is_empty():
    lost = dict.fromkeys(LOSSES, (None, None, None))
    figure = claim_panel(CONFIRMED.panels[0], found(lost, findings=()))
    assert figure.layout.annotations[0].text == "All runs diverged."


def test_numbers_have_the_digits_that_they_carry():
    assert p_value(None) == "–"
    assert p_value(3e-9) == "< 0.0001"
    assert p_value(0.0312) == "0.031"
    (finding,) = found(LOSSES).findings[:1]
    for low, high, text in ((0.963, 1.037, "+1.000 ±0.037"), (1.0, 1.0, "+1.000 ±0"), (None, None, "–")):
        assert measured(replace(finding, mean=1.0, low=low, high=high)) == text
    tiny = replace(finding, mean=-1e-12, low=-1.2e-12, high=-0.8e-12)
    assert measured(tiny) == "−1.00e-12 ±0.20e-12"


@pytest.mark.parametrize("method", sorted(CLAIMS))
def test_every_panel_of_a_committed_result_is_drawn(method):
    result = committed(method)
    if result is None:
        pytest.skip("it has not been run")
    panels = load_reference(CLAIMS[method]).panels
    assert panels
    for panel in panels:
        assert claim_panel(panel, result).data
