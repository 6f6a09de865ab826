"""Nothing that compares, draws or prints decides by which kind of problem it has before it: facts say what to do.

The catalogue may, whose entries have kinds and whose slots are its subject.
"""

import ast
from pathlib import Path

import pytest

import trimtab

SOURCE = Path(trimtab.__file__).parent
PACKAGES = ("report", "compare", "cli", "study")
NAMES = {"kind", "slot"}

ALLOWED = {
    ("cli/methods.py", "entry.kind"): "of catalogue entries, to be printed",
    ("compare/candidate_analysis.py", "candidate.kind"): "a candidate's kind is handed on, to be printed",
    ("compare/template.py", "check_text('slot', slot)"): "which template is wanted is text",
    ("compare/within.py", "self.candidate.kind"): "a candidate's, passed on",
    ("compare/part.py", "self.problem.slot"): "the slot is written down for whoever opens the store",
    ("report/contests.py", "entry.kind"): "of a catalogue entry: a baseline is the host's own",
    ("study/remaining.py", "trial.kind"): "of which candidate and phase a trial is",
    ("study/statistics/arrays.py", "array.dtype.kind"): "numpy's kinds of numbers",
    ("compare/notes.py", "task.get('kind')"): "what trimtab 0.1 wrote down instead of facts",
    ("compare/stored.py", "stored.manifest.get('kind')"): "whether a store holds one problem or several",
    ("study/notes.py", "each['slot']"): "what was written down is said again",
    ("study/notes.py", "each['task'].get('kind', 'task')"): "what trimtab 0.1 wrote down instead of a slot",
    ("study/notes.py", "facts.get('kind')"): "what trimtab 0.1 wrote down instead of an objective",
}
"""Every place where a ``kind`` or a ``slot`` is read, and what of."""

MAY_DECIDE = {"entry.kind", "trial.kind", "array.dtype.kind"}
"""Attributes that are no problem's."""


def reads(tree):
    """Every ``x.kind``, ``x["kind"]``, ``x.get("kind")`` and ``getattr(x, "kind")`` below a node, or of a slot."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()) if name in NAMES:
                found.add(ast.unparse(node))
            case ast.Subscript(slice=ast.Constant(value=name), ctx=ast.Load()) if name in NAMES:
                found.add(ast.unparse(node))
            case ast.Call(args=arguments) if any(isinstance(a, ast.Constant) and a.value in NAMES for a in arguments):
                found.add(ast.unparse(node))
    return found


def decisions(tree):
    """What of that stands in a comparison, a condition or the place of a key."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.If(test=asked) | ast.IfExp(test=asked) | ast.While(test=asked) | ast.Match(subject=asked):
                found |= reads(asked)
            case ast.Subscript(slice=asked):
                found |= reads(asked)
            case ast.comprehension(ifs=conditions):
                found |= set().union(*map(reads, conditions))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                found |= reads(node)
    return found


def modules():
    paths = [path for package in PACKAGES for path in sorted((SOURCE / package).rglob("*.py"))]
    assert len(paths) > 80
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def test_a_kind_or_a_slot_is_read_in_these_places_alone():
    assert {(name, each) for name, tree in modules().items() for each in reads(tree)} == ALLOWED.keys()


def test_no_problems_kind_or_slot_decides():
    found = {(name, each) for name, tree in modules().items() for each in decisions(tree)}
    attributes = {each for _, each in found if not each.endswith((")", "]"))}
    assert attributes == MAY_DECIDE


def test_templates_ask_for_none():
    templates = sorted((SOURCE / "report").rglob("*.jinja"))
    assert "page.html.jinja" in {path.name for path in templates}
    for path in templates:
        text = path.read_text("utf-8").replace("{{ c.kind }}", "")  # a candidate's, to be printed
        text = text.replace("piece.kind ==", "")  # of a piece of text
        assert not any(f".{name}" in text or f'"{name}"' in text for name in NAMES), path.name


@pytest.mark.parametrize(
    "text",
    [
        "x = 1 if result.problem.kind == 'task' else 2",
        "x = 1 if problem.slot else 2",
        "if facts.slot in known: pass",
        "rows = [a for a in b if problem.kind]",
        "match result.problem.slot:\n    case 'sampler': pass",
        "x = table[task.kind]",
        "x = problem.kind or 'task'",
        "x = getattr(facts, 'kind') == 'task'",
        "if notes['slot'] == 'sampler': pass",
    ],
)
def test_a_decision_would_be_found(text):
    assert reads(ast.parse(text))
    assert decisions(ast.parse(text))
