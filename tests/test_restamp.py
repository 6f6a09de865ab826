"""What `.ci/restamp.py` lets pass, in a small repository with one claim, whose hashes were once reckoned otherwise."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.claims.fingerprint import code_hash, installed

ROOT = Path(__file__).parents[1]
CLAIMS, RESULT = "src/trimtab/claims", "src/trimtab/claims/results/tiny.json"

TINY = '''
"""A claim that needs nothing."""

from trimtab.claims.claim import Claim, OwnTrial, Statement
from trimtab.claims.helper import Doubled, measured

CLAIM = Claim(
    id="tiny",
    paper="It is better.",
    reported="By much.",
    statement="It is better.",
    protocol=("It is tried.",),
    cut=(),
    full_scale=(),
    arms=(OwnTrial("one", measured, (1000, 1001), {"lr": (0.1, 0.2)}, (0,)),),
    comparisons=(Statement("it", "x", ("one",), Doubled(), 0.5, "of it"),),
    panels=(),
    measures=("x",),
)
'''
HELPER = """
def measured(point, report):
    raise NotImplementedError


class Doubled:
    def __call__(self, value):
        return 2 * value
"""
HASHED = "hashlib.sha256(text.encode())"
HASHED_BEFORE = 'hashlib.sha256(("as it was" + text).encode())'
LION = "optim/lion.py"


class Repository:
    """A working tree of a copy of the package.

    Args:
        root: where it is.
    """

    def __init__(self, root):
        self.root = root

    def revision(self):
        return self.git("rev-parse", "HEAD").strip()

    def edit(self, file, old, new):
        text = (self.root / file).read_text()
        assert old in text
        (self.root / file).write_text(text.replace(old, new))

    def git(self, *arguments):
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", *author, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "what was")

    def python(self, *arguments):
        environment = {"PYTHONPATH": str(self.root / "src"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *arguments], check=False, cwd=self.root, env=environment, capture_output=True, text=True
        )

    def hash(self):
        asked = (
            "from trimtab.claims.fingerprint import protocol_hash; print(protocol_hash('trimtab.claims.tiny:CLAIM'))"
        )
        return self.python("-c", asked).stdout.strip()

    def restamp(self, *pairs, revision="HEAD"):
        done = self.python(".ci/restamp.py", revision, *pairs)
        assert done.returncode in (0, 1), done.stderr
        assert not done.stderr
        return done.returncode, done.stdout

    @property
    def result(self):
        return json.loads((self.root / RESULT).read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(
        ROOT / "src/trimtab", root / "src/trimtab", ignore=shutil.ignore_patterns("__pycache__", "results", "plotly")
    )
    (root / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/restamp.py", root / ".ci")
    (root / CLAIMS / "__init__.py").write_text('CLAIMS = {"lion": "trimtab.claims.tiny:CLAIM"}\n')
    (root / CLAIMS / "tiny.py").write_text(TINY)
    (root / CLAIMS / "helper.py").write_text(HELPER)
    found = Repository(root)
    found.edit(f"{CLAIMS}/fingerprint.py", HASHED, HASHED_BEFORE)
    values = {
        **{"schema": "trimtab.claim", "schema_version": 1, "id": "tiny", "statement": "It is better."},
        **{"protocol_hash": found.hash(), "verdict": "refuted", "trials": 0, "processor_seconds": 0.0},
        **{"environment": {"date": "today"}, "methods": {}, "findings": [], "notes": [], "arms": []},
    }
    (root / RESULT).parent.mkdir()
    (root / RESULT).write_text(json.dumps(values))
    found.git("init", "--quiet")
    found.commit()
    found.first = found.revision()
    return found


@pytest.fixture
def repository(made):
    """The repository as it was, and hashes reckoned as they are today."""
    made.git("reset", "--quiet", "--hard", made.first)
    made.git("clean", "--quiet", "--force", "-d", "-x")
    made.edit(f"{CLAIMS}/fingerprint.py", HASHED_BEFORE, HASHED)
    return made


def moved(repository):
    (repository.root / CLAIMS / "helper.py").rename(repository.root / "src/trimtab/lab/aid.py")
    repository.edit(f"{CLAIMS}/tiny.py", "trimtab.claims.helper", "trimtab.lab.aid")


def renamed(repository):
    repository.edit(f"{CLAIMS}/helper.py", "Doubled", "Twice")
    repository.edit(f"{CLAIMS}/tiny.py", "Doubled", "Twice")


def worded(repository):
    repository.edit(f"{CLAIMS}/tiny.py", "By much.", "By very much.")


@pytest.mark.parametrize(("change", "pairs"), [(moved, ()), (renamed, ("Doubled=Twice",)), (worded, ())])
def test_where_only_names_and_places_changed_the_result_gets_todays_hash(change, pairs, repository):
    change(repository)
    before = repository.result
    assert repository.hash() != before["protocol_hash"]
    code, told = repository.restamp(*pairs)
    assert code == 0, told
    now = repository.result
    assert now["protocol_hash"] == repository.hash()
    assert f"tiny.json: {before['protocol_hash']} -> {now['protocol_hash']}" in told
    changed = {"protocol_hash", "methods"}
    assert {key: now[key] for key in now if key not in changed} == {
        key: before[key] for key in before if key not in changed
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "lines"),
    [
        ("tiny", "(0.1, 0.2)", "(0.1, 0.3)", ("(0.1, 0.2)", "(0.1, 0.3)")),
        ("tiny", "0.5, 'of it'", "0.6, 'of it'", ("0.5, 'of it'", "0.6, 'of it'")),
        ("tiny", "(0,))", "(1,))", ("'tuning_seeds': (0,)", "'tuning_seeds': (1,)")),
    ],
)
def test_another_protocol_is_refused_with_what_is_different(file, old, new, lines, repository):
    repository.edit(f"{CLAIMS}/{file}.py", old.replace("'", '"'), new.replace("'", '"'))
    before = (repository.root / RESULT).read_text()
    code, told = repository.restamp()
    assert code == 1
    assert "tiny.json: another protocol than at HEAD" in told
    for sign, line in zip("-+", lines, strict=True):
        assert any(each.startswith(sign) and line in each for each in told.splitlines()), told
    assert (repository.root / RESULT).read_text() == before


def test_a_new_name_that_was_not_told_is_another_protocol(repository):
    renamed(repository)
    code, told = repository.restamp()
    assert (code, repository.result["protocol_hash"] == repository.hash()) == (1, False)
    assert "-Doubled" in told
    assert "+Twice" in told
    assert repository.restamp("Doubled=Thrice")[0] == 1


def test_a_result_that_was_stale_before_stays_so(repository):
    repository.edit(RESULT, repository.result["protocol_hash"], "another")
    code, told = repository.restamp()
    assert (code, told.strip(), repository.result["protocol_hash"]) == (1, "tiny.json: stale at HEAD", "another")


def test_code_of_methods_is_what_it_was_when_the_numbers_came(repository):
    repository.edit(f"src/trimtab/{LION}", "torch.sign(", "2 * torch.sign(")
    repository.edit(RESULT, '"trials": 0', '"trials": 1')  # as a restamp would, which brings no numbers
    repository.commit()
    assert repository.restamp(revision=repository.first)[0] == 0
    assert repository.result["methods"] == {"lion": code_hash(["trimtab.optim:Lion"], installed)}
