"""Names of claims."""

from dataclasses import replace

import pytest

from tests.claims.toy import CONFIRMED
from trimtab.catalog import entries
from trimtab.claims import CLAIMS
from trimtab.claims.claim import Contest
from trimtab.claims.loading import find_reference, load_reference
from trimtab.study.errors import InputError


def test_every_claim_is_of_a_method_of_the_catalogue_and_named_like_its_module():
    for method, reference in CLAIMS.items():
        assert entries()[method].kind in ("method", "wrapper", "controller")
        claim = load_reference(reference)
        assert CLAIMS[claim.id] == reference == f"trimtab.claims.{claim.id}:CLAIM"


def test_every_method_of_the_catalogue_has_a_claim():
    assert {entry.id for entry in entries().values() if entry.kind == "method"} <= set(CLAIMS)


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
