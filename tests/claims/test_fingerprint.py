"""The hashes that tell when a result is stale."""

import importlib
import sys

import pytest

from trimtab.claims import CLAIMS
from trimtab.claims.fingerprint import changed_methods, code_hash, is_stale, method_hashes, protocol_hash

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

IMPORTS = """\
from trimtab.claims.claim import Claim
from trimtab.claims.schedules import cosine"""

MATTERS = [
    ("import Claim", "import Claim, seeds"),
    ("FACTOR = 2.0", "FACTOR = 3.0"),
    ("baseline - method", "method - baseline"),
    ("doubled(method, baseline):", "doubled(method, baseline=1.0):"),
    ("It is better.", "It is much better."),
    ("improvement=doubled", "improvement=doubled, claimed=0.02"),
    ("arms=toy.CONFIRMED.arms", "arms=toy.CONFIRMED.arms[::-1]"),
]
DOES_NOT = [
    ("A claim.", "Another text."),
    ("doubled(method, baseline):", "doubled(method: float, baseline: float) -> float:"),
    ("Returns twice the improvement.", "Twice the improvement."),
    ("# it is doubled", "# it is twice as large"),
    ("The paper's words.", "Other words."),
    ("One sentence.", "Another sentence."),
    ("    return FACTOR *", "    return  FACTOR  *"),
    ("    panels=(),", "    panels=(),\n\n"),
    ("    panels=(),", "    panels=(),\n    gist='it is better',\n    contests=(),"),
    ("import Claim", "import Claim, Contest"),
    ("from trimtab.claims.claim import Claim", "from trimtab.claims.runner import Claim"),
    (IMPORTS, "\n".join(reversed(IMPORTS.split("\n")))),
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


PART = """
'A part.'
from trimtab.claims.schedules import cosine


def length():
    return 2.0
"""


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        ("2.0", "3.0", True),
        ("from trimtab.claims.schedules import cosine", "from trimtab.claims import schedules", True),
        ("'A part.'", "'Another text.'", False),
        ("def length():", "def length() -> float:", False),
    ],
)
def test_of_a_claim_that_is_a_package_all_modules_count(old, new, matters, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def hash_of(name, part):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(SOURCE)
        (tmp_path / name / "part.py").write_text(part)
        importlib.invalidate_caches()
        try:
            return protocol_hash(f"{name}:CLAIM")
        finally:
            for each in (name, f"{name}.part"):
                sys.modules.pop(each)

    assert old in PART
    as_it_is, changed = hash_of("package_of_a_test", PART), hash_of("another_package", PART.replace(old, new))
    assert (as_it_is != changed) == matters


def test_a_result_of_another_protocol_is_stale(register):
    register("CONFIRMED")
    assert not is_stale("toy", protocol_hash("tests.claims.toy:CONFIRMED"))
    assert is_stale("toy", protocol_hash("tests.claims.toy:REFUTED"))


PACKAGE = {
    "family/__init__.py": "from trimtab.family.rule import Rule\n",
    "family/rule.py": """
'A rule.'
from typing import TYPE_CHECKING

import torch

from trimtab.family.helper import halved
from trimtab.primitives.engine import Engine

if TYPE_CHECKING:
    from trimtab.lab.session import Session

__all__ = ["Rule"]


class Rule(Engine):
    'Docstring.'

    tunables: ClassVar = {"lr": LogUniform(1e-4, 1e-1)}
    hyperparameters: ClassVar = {"lr": learning_rate}

    def step(self):
        return halved(1.0)  # a comment
""",
    "family/helper.py": "from trimtab.family.constants import HALF\n\ndef halved(x):\n    return HALF * x\n",
    "family/constants.py": "HALF = 0.5\n",
    "family/other.py": "def unused(): return 1\n",
    "primitives/engine.py": "class Engine: pass\n",
}


def hash_of_rule(package=PACKAGE, where="trimtab.family:Rule"):
    return code_hash([where], package.get)


CHANGED = [
    ("family/rule.py", "halved(1.0)", "halved(2.0)"),
    ("family/rule.py", "learning_rate", "positive"),
    ("family/helper.py", "HALF * x", "x * HALF"),
    ("family/constants.py", "0.5", "0.25"),
]
UNCHANGED = [
    ("family/rule.py", "Docstring.", "Another."),
    ("family/rule.py", "# a comment", "# another"),
    ("family/rule.py", "lab.session", "lab.run"),
    ("family/rule.py", "LogUniform(1e-4", "LogUniform(1e-5"),
    ("family/rule.py", '["Rule"]', '["Rule", "halved"]'),
    ("family/other.py", "return 1", "return 2"),
    ("primitives/engine.py", "pass", "x = 1"),
]


@pytest.mark.parametrize(("file", "old", "new"), CHANGED)
def test_the_code_of_a_method_is_its_module_and_what_it_uses_of_its_family(file, old, new):
    assert old in PACKAGE[file]
    assert hash_of_rule(PACKAGE | {file: PACKAGE[file].replace(old, new)}) != hash_of_rule()


@pytest.mark.parametrize(("file", "old", "new"), UNCHANGED)
def test_what_it_does_not_do_is_none_of_its_code(file, old, new):
    assert old in PACKAGE[file]
    assert hash_of_rule(PACKAGE | {file: PACKAGE[file].replace(old, new)}) == hash_of_rule()


def test_code_that_is_moved_and_split_is_the_same_code():
    moved = {
        "family/rule/__init__.py": "from trimtab.family.rule.main import Rule\n",
        "family/rule/main.py": PACKAGE["family/rule.py"].replace("family.helper", "family.rule.helper"),
        "family/rule/helper.py": "HALF = 0.5\n\ndef halved(x):\n    return HALF * x\n",
        "primitives/engine.py": PACKAGE["primitives/engine.py"],
    }
    assert hash_of_rule(moved, "trimtab.family.rule:Rule") == hash_of_rule()


def test_the_methods_that_ship_have_code_and_it_is_compared():
    hashes = [method_hashes(reference) for reference in sorted(set(CLAIMS.values()))]
    assert {method for each in hashes for method in each} == set(CLAIMS)
    known = method_hashes(CLAIMS["lamb"])
    assert len(set(known.values())) == len(known) == 2
    assert changed_methods(known, CLAIMS["lamb"]) == []
    assert changed_methods(known | {"lars": "another"}, CLAIMS["lamb"]) == ["lars"]
