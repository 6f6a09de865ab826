"""Names of claims, and the hash that tells when a result is stale."""

import importlib
import sys
from dataclasses import replace

import pytest

from tests.claims.toy import CONFIRMED
from trimtab.catalog import entries
from trimtab.claims import CLAIMS
from trimtab.claims.claim import Contest
from trimtab.claims.loading import find_reference, is_stale, load_reference, protocol_hash
from trimtab.lab.errors import InputError

SOURCE = '''
"""A claim."""

from dataclasses import replace

from tests.claims import toy
from trimtab.claims.claim import Claim
from trimtab.claims.schedules import cosine

FACTOR = 2.0


def doubled(method, baseline):
    """Returns twice the improvement."""
    # it is doubled
    return FACTOR * (baseline - method)


CLAIM = Claim(
    id="toy",
    paper="The paper's words.",
    reported="A number.",
    statement="It is better.",
    protocol=("One sentence.",),
    cut=("Nothing.",),
    full_scale=("None.",),
    arms=toy.CONFIRMED.arms,
    comparisons=(replace(toy.TRUE, improvement=doubled),),
    panels=(),
)
'''

MATTERS = [
    ("FACTOR = 2.0", "FACTOR = 3.0"),
    ("baseline - method", "method - baseline"),
    ("It is better.", "It is much better."),
    ("improvement=doubled", "improvement=doubled, claimed=0.02"),
    ("arms=toy.CONFIRMED.arms", "arms=toy.CONFIRMED.arms[::-1]"),
]
DOES_NOT = [
    ("A claim.", "Another text."),
    ("Returns twice the improvement.", "Twice the improvement."),
    ("# it is doubled", "# it is twice as large"),
    ("The paper's words.", "Other words."),
    ("One sentence.", "Another sentence."),
    ("    return FACTOR *", "    return  FACTOR  *"),
    ("    panels=(),", "    panels=(),\n\n"),
    ("    panels=(),", "    panels=(),\n    gist='it is better',\n    contests=(),"),
    ("import Claim", "import Claim, Contest"),
]


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def hash_of(source):
        names.append(f"claim_of_a_test_{len(names)}")
        (tmp_path / f"{names[-1]}.py").write_text(source)
        importlib.invalidate_caches()
        return protocol_hash(f"{names[-1]}:CLAIM")

    yield hash_of
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("change", MATTERS)
def test_what_changes_the_experiment_changes_the_hash(change, hashed):
    assert change[0] in SOURCE
    assert hashed(SOURCE.replace(*change)) != hashed(SOURCE)


@pytest.mark.parametrize("change", DOES_NOT)
def test_wording_and_layout_do_not(change, hashed):
    assert change[0] in SOURCE
    assert hashed(SOURCE.replace(*change)) == hashed(SOURCE)


def test_what_claims_share_is_part_of_the_hash_where_it_is_imported(hashed, monkeypatch):
    with_it, without = hashed(SOURCE), hashed(SOURCE.replace("from trimtab.claims.schedules import cosine\n", ""))
    assert with_it != without


def test_a_result_of_another_protocol_is_stale(register):
    register("CONFIRMED")
    assert not is_stale("toy", protocol_hash("tests.claims.toy:CONFIRMED"))
    assert is_stale("toy", protocol_hash("tests.claims.toy:REFUTED"))


def test_every_claim_is_of_a_method_of_the_catalogue_and_named_like_its_module():
    for method, reference in CLAIMS.items():
        assert entries()[method].kind in ("method", "wrapper", "controller")
        claim = load_reference(reference)
        assert CLAIMS[claim.id] == reference == f"trimtab.claims.{claim.id}:CLAIM"


def test_every_method_of_the_catalogue_has_a_claim():
    assert set(CLAIMS) >= {entry.id for entry in entries().values() if entry.kind == "method"}


@pytest.mark.parametrize("reference", sorted(set(CLAIMS.values())))
def test_every_claim_has_a_gist_and_says_who_is_beside_whom(reference):
    claim = load_reference(reference)
    assert 20 < len(claim.gist) < 100
    assert claim.gist[-1] != "."
    assert claim.contests
    assert {entries()[contest.method].kind for contest in claim.contests} <= {"method", "wrapper", "controller"}


def test_a_contest_that_no_comparison_tells_is_refused():
    lost = Contest("lion", "adamw", {"somewhere": "tuned against slow"})
    with pytest.raises(ValueError, match=r"no comparisons \['tuned against slow'\]; there are .*slow, test loss"):
        replace(CONFIRMED, contests=(lost,))


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(InputError, match="did you mean adabelief"):
        find_reference("adabelif")
    assert find_reference(" Lion ") == CLAIMS["lion"]
