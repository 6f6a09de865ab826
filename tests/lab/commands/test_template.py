import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.lab.commands.template import Command, Template
from trimtab.study.errors import InputError

ECHO = f"{sys.executable} -c 'import sys; print(sys.argv[1:])'"
HOSTILE = "a 'b' \"c\" $HOME; $(id) {x} * \\"


def heard(command, values):
    """What a program gets as its arguments."""
    done = subprocess.run(command.arguments(values), capture_output=True, text=True, check=True)
    return eval(done.stdout)


def test_places_are_filled_and_double_braces_are_braces():
    template = Template("--lr={lr} {{}} {{{name}}} {lr:.1f} {n}")
    assert template.names == ("lr", "name", "n")
    assert template.filled({"lr": 0.25, "name": "x", "n": 3}) == "--lr=0.25 {} {x} 0.2 3"


@pytest.mark.parametrize("value", [1e-5, 0.1 + 0.2, 1e22, 123456789.123])
def test_numbers_lose_nothing_on_their_way(value):
    assert float(heard(Command(f"{ECHO} {{lr}}"), {"lr": value})[0]) == value


@pytest.mark.parametrize("shell", [False, True])
def test_a_value_is_one_argument_whatever_is_in_it(shell):
    assert heard(Command(f"{ECHO} --x {{x}} {{x}}", shell), {"x": HOSTILE}) == ["--x", HOSTILE, HOSTILE]


def test_quotes_hold_a_template_together():
    command = Command(f"{ECHO} 'two words' \"--x={{x}} end\" ''")
    assert heard(command, {"x": HOSTILE}) == ["two words", f"--x={HOSTILE} end", ""]


def test_only_a_shell_sees_pipes_and_variables(tmp_path):
    assert heard(Command(f"{ECHO} $HOME | cat"), {}) == ["$HOME", "|", "cat"]
    done = subprocess.run(
        Command("X=1; echo \"$X\" {x} | tr a-z A-Z", shell=True).arguments({"x": "a  b"}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 A  B\n"


@pytest.mark.parametrize("shell", [False, True])
def test_what_is_shown_can_be_pasted(shell):
    command = Command(f"{ECHO} --x {{x}}", shell)
    done = subprocess.run(command.shown({"x": HOSTILE}), shell=True, capture_output=True, text=True, check=True)
    assert eval(done.stdout) == ["--x", HOSTILE]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("run {lr", 4, "this brace opens and is not closed"),
        ("run lr}", 6, "this brace closes and was not opened"),
        ("run {}", 4, "opens and is not closed after a name"),
        ("run {1x}", 4, "opens and is not closed after a name"),
        ("run {{lr}", 8, "a brace that is meant as such is written twice: }}"),
        ("run 'x {lr}", 4, "this quote is not closed"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text, place, message):
    with pytest.raises(InputError, match=message) as caught:
        Command(text)
    *_, shown, mark = str(caught.value).splitlines()
    assert shown == f"  {text}"
    assert mark == f"  {' ' * place}^"


@pytest.mark.parametrize(("text", "message"), [("  ", "empty"), ("run {lr:.1 f}", "cut in two by a quote or a blank")])
def test_other_commands_that_cannot_be(text, message):
    with pytest.raises(InputError, match=message):
        Command(text)


def test_a_value_that_does_not_have_the_format_is_pointed_at():
    with pytest.raises(InputError, match=r"'abc' cannot be written in the format '\.0f'.*\n  \{n:\.0f\}\n  \^"):
        Command("run {n:.0f}").arguments({"n": "abc"})


@pytest.mark.parametrize(
    ("text", "words", "within"),
    [
        ("python train.py --config conf.yaml", ["train.py", "conf.yaml"], []),
        ("./train.py --config=conf.yaml conf.yaml", ["train.py", "conf.yaml"], []),
        ("python train.py --config=conf.yaml", ["train.py"], ["conf.yaml"]),
        ("python train.py +config=[conf.yaml,two/words here.yaml]", ["train.py"], ["conf.yaml"]),
        ("python train.py 'two/words here.yaml'", ["train.py", "two/words here.yaml"], []),
        ("python train.py 'two/{size} here.yaml'", ["train.py"], ["two/words here.yaml"]),
        ("python train.py --config {optimizer}.yaml", ["train.py"], ["lion.yaml"]),
        ("python train.py --config={optimizer:s}.yaml:{lr:.1e}", ["train.py"], ["lion.yaml"]),
        ("python train.py --config={size}-{n:03d}.yaml", ["train.py"], ["small-001.yaml", "big-002.yaml"]),
        ("python train.py --config={seed}.yaml {out}/conf.yaml", ["train.py"], []),
        ('python -m train --set \'{{"file": "conf.yaml"}}\'', ["train.py"], ["conf.yaml"]),
        ("python -m package", [], ["package/__main__.py"]),
        ("python -m package.{optimizer}", [], ["package/lion.py"]),
        ("sh -c 'cd . && python train.py;echo {{}}'", [], ["train.py"]),
        (f"python train.py {'x' * 300}.py --a={'x' * 300}.py", ["train.py"], []),
    ],
)
def test_files_that_a_command_names_are_found(text, words, within, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("train.py", "conf.yaml", "lion.yaml", "small-001.yaml", "big-002.yaml", "two/words here.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "package").mkdir()
    for name in ("__main__", "lion"):
        (tmp_path / "package" / f"{name}.py").touch()
    command = Command(text)
    known = {"optimizer": ["lion"], "size": ["small", "big", "words"], "n": [1, 2, 0.5]}
    assert [str(path) for path in command.files()] == words
    assert [str(path) for path in command.files_within(known)] == within


@pytest.mark.parametrize(
    "text",
    [
        "python train.py>log",
        "cd .&&python train.py;echo",
        "(python train.py|tee log)",
        "x=`python train.py`",
        "python -m train;",
    ],
)
def test_files_between_the_signs_of_a_shell_are_found(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").touch()
    command = Command(text, shell=True)
    assert (command.files(), command.files_within({})) == ([], [Path("train.py")])
