import pytest

from trimtab.compare.template import write_template
from trimtab.lab.loading import absolute_reference, fingerprint, load_task
from trimtab.lab.references import parse_reference
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

GOOD = """
from tests.lab.toy import Toy
from neighbour import SIZE

class Mine(Toy):
    name = "mine"
    batch_size = SIZE

instance = Mine()
def factory(): return Mine()
class Unfinished(Mine):
    __abstractmethods__ = frozenset()
number = 3
def wrong(): return 4
def raising(): raise OSError("no such data")
"""


@pytest.fixture
def file(tmp_path, fresh_neighbours):
    (tmp_path / "neighbour.py").write_text("SIZE = 8\n")
    path = tmp_path / "tasks.py"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("name", ["Mine", "instance", "factory"])
def test_a_class_an_instance_and_a_function_name_a_task(file, name):
    task = load_task(f"{file}:{name}")
    assert (task.name, task.batch_size) == ("mine", 8)
    check_task(task, "mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Missing", r"tasks\.py has no 'Missing'; did you mean Mine\?"),
        ("number", "number is a int, expected a problem, such as a Task"),
        ("wrong", "wrong made a int"),
        ("raising", "raising: making the problem raised OSError: no such data"),
    ],
)
def test_what_is_not_a_task_is_named(file, name, message):
    with pytest.raises(InputError, match=message):
        load_task(f"{file}:{name}")


def test_missing_parts_are_named(tmp_path):
    file = tmp_path / "lacking.py"
    file.write_text("from trimtab import Task\nclass Lacking(Task):\n    name = 'x'\n")
    with pytest.raises(InputError, match=r"Lacking lacks losses\(\), model\(\), score\(\)"):
        load_task(f"{file}:Lacking")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nimport nonexistent_module\n", "line 2, does not import: ModuleNotFoundError: No module named 'nonex"),
        ("import sys\nsys.exit(7)\n", "line 2, does not import: SystemExit: 7"),
        ("x = 1\ndef f(:\n", "line 2, does not import: SyntaxError"),
        ("def f():\n    raise ValueError('deep')\n\nf()\n", "line 2, does not import: ValueError: deep"),
    ],
)
def test_a_file_that_does_not_import_is_named_with_its_line(tmp_path, text, message):
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        load_task(f"{file}:Mine")
    file.write_text(GOOD.replace("from neighbour import SIZE", "SIZE = 4"))
    assert load_task(f"{file}:Mine").batch_size == 4  # mended, it loads


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "diigts",
            "unknown problem 'diigts'; did you mean digits.* Those that ship are digits, .*Your own is path/to/file.py",
        ),
        ("zzz", "unknown problem 'zzz'; known are ackley10, ackley2, .*Your own is path/to/file.py"),
        ("missing.py:Mine", r"there is no file missing\.py"),
        ("missing.py", r"there is no file missing\.py"),
    ],
)
def test_unknown_references_say_what_there_is(reference, message):
    with pytest.raises(InputError, match=message):
        load_task(reference)


ONE = "from tests.lab.toy import Toy\nclass Mine(Toy):\n    name = 'mine'\n    batch_size = 4\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ONE, "Mine"),
        (f"import abc\n{ONE}    @abc.abstractmethod\n    def x(self): ...\nclass Real(Mine):\n    x = 3\n", "Real"),
        ("from tests.lab.toy import Toy\ndef other(): ...\ndef mine() -> Toy:\n    return Toy()\n", "mine"),
        ("from tests.lab.toy import Toy\ndef mine() -> 'Toy':\n    return Toy()\n", "mine"),
        ("from tests.lab.toy import Toy\nthing = Toy()\n", "thing"),
    ],
)
def test_the_only_task_of_a_file_needs_no_name(tmp_path, text, name):
    file = tmp_path / f"{name}.py"
    file.write_text(text)
    for reference in (str(file), f"{file}:"):
        assert type(load_task(reference)).__name__ in ("Mine", "Real", "Toy")
        assert absolute_reference(reference) == f"{file}:{name}"
        assert fingerprint(reference) == fingerprint(f"{file}:{name}")


def test_without_a_name_a_file_has_to_have_one_task(file, tmp_path):
    with pytest.raises(
        InputError, match=r"which problem of .*tasks\.py\? it has Mine, instance, Unfinished: write tasks\.py:Mine, or"
    ):
        load_task(str(file))
    empty = tmp_path / "empty.py"
    empty.write_text("x = 3\n")
    with pytest.raises(
        InputError, match=r"which problem of .*empty\.py\? there is no Task or other problem in it, nor a function"
    ):
        load_task(str(empty))
    with pytest.raises(InputError, match=r"empty\.py has no 'x1'; there is no Task or other problem in it"):
        load_task(f"{empty}:x1")


def test_a_file_without_its_ending_is_offered(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with pytest.raises(InputError, match=r"unknown problem 'tasks'; did you mean tasks\.py\?"):
        load_task("tasks")
    with pytest.raises(InputError, match=r"unknown problem 'tasks:Mine'; did you mean tasks\.py:Mine\?"):
        load_task("tasks:Mine")
    (file.parent / "task.txt").write_text(ONE)
    with pytest.raises(InputError, match=r"task\.txt is no Python file"):
        load_task("task.txt:Mine")


def test_the_fingerprint_changes_with_the_file(file):
    before = fingerprint(f"{file}:Mine")
    assert before == fingerprint(f"{file}:Mine")
    file.write_text(GOOD + "# changed\n")
    assert fingerprint(f"{file}:Mine") != before
    assert fingerprint("digits") == "digits"


def test_a_file_that_is_edited_is_another_module(tmp_path):
    file = tmp_path / "task.py"
    name = write_template(file)
    first = load_task(f"{file}:{name}")
    assert type(load_task(f"{file}:{name}")) is type(first)
    file.write_text(file.read_text().replace("    steps = ", "    steps = 7 + "))
    assert load_task(f"{file}:{name}").steps == first.steps + 7
    file.write_text("no python")
    with pytest.raises(InputError, match="line 1, does not import: SyntaxError"):
        load_task(f"{file}:{name}")


WITH_SETTINGS = """
from tests.lab.toy import Toy


class Sized(Toy):
    def __init__(self, steps=20, *, kind="plain"):
        super().__init__()
        self.steps, self.kind = steps, kind


made = Sized(3)
"""


@pytest.fixture
def sized(tmp_path):
    (tmp_path / "sized.py").write_text(WITH_SETTINGS)
    return tmp_path / "sized.py"


def test_what_stands_in_brackets_is_handed_over_and_part_of_the_name(sized):
    task = load_task(f"{sized}:Sized(7, kind=odd)")
    assert (task.steps, task.kind, task.name) == (7, "odd", "toy(7, kind=odd)")
    assert load_task(f"{sized}:Sized").name == "toy"
    assert load_task(absolute_reference(f"{sized}:Sized( 7 ,kind=odd)")).name == "toy(7, kind=odd)"
    prints = {fingerprint(f"{sized}:Sized{brackets}") for brackets in ("", "(7)", "(8)")}
    assert len(prints) == 3


def test_what_is_meant_in_a_file_counts_and_not_how_its_path_is_written(sized, tmp_path, monkeypatch):
    sized.write_text(f"{WITH_SETTINGS}\n\nclass Other(Sized):\n    pass\n")
    assert fingerprint(f"{sized}:Sized") != fingerprint(f"{sized}:Other")
    monkeypatch.chdir(tmp_path)
    prints = {fingerprint(f"pruned({place}:Sized)") for place in ("sized.py", "./sized.py", sized)}
    assert len(prints) == 1
    assert fingerprint("pruned(sized.py:Other)") not in prints


def test_texts_with_brackets_of_their_own_are_no_references(sized, tmp_path):
    for text in ("CPI (2015=100)", "a)", "Speed (km/h", "=1"):
        assert load_task(absolute_reference(f"{sized}:Sized(kind={text!r})")).kind == text
        table = absolute_reference(f"{tmp_path}/a.csv(target={text!r})")
        assert dict(parse_reference(table).settings) == {"target": text}


def test_a_text_is_no_switch(sized):
    sized.write_text(f"{sized.read_text()}\n\ndef switched(tied=True, name='x'):\n    return Sized()\n")
    assert load_task(f"{sized}:switched(tied=False, name=Fals)").steps == load_task(f"{sized}:Sized").steps
    with pytest.raises(
        InputError, match="switched: tied is a switch, True by default, and 'Fals' neither True nor False"
    ):
        load_task(f"{sized}:switched(tied=Fals)")


def test_files_that_are_named_in_brackets_belong_to_the_problem(sized, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = f"{sized}:Sized(kind=sized.py:made)"
    before = fingerprint(reference)
    assert absolute_reference(reference) == f"{sized}:Sized(kind={sized}:made)"
    other = tmp_path / "other.py"
    other.write_text("x = 1\n")
    first = fingerprint(f"{sized}:Sized(kind=other.py)")
    other.write_text("x = 2\n")
    assert fingerprint(f"{sized}:Sized(kind=other.py)") != first
    assert fingerprint(reference) == before


@pytest.mark.parametrize(
    ("brackets", "message"),
    [
        ("Sized(stepps=3)", r"sized.py:Sized has no setting 'stepps'; did you mean steps\? It takes steps, kind"),
        ("Sized(1, width=3)", r"sized.py:Sized has no setting 'width'; it takes steps, kind"),
        ("Sized(1, 2)", r"too many positional arguments; it takes steps, kind"),
        ("made(1)", r"is made already, and takes no settings: \(1\)"),
    ],
)
def test_settings_that_cannot_be_handed_over_are_named(sized, brackets, message):
    with pytest.raises(InputError, match=message):
        load_task(f"{sized}:{brackets}")


def test_what_a_table_does_not_take_is_named_without_the_table_itself():
    takes = "t takes target, kind, metric, drop, categories, split_seed"
    with pytest.raises(InputError) as error:
        load_task("data/a.csv(target=x, dorp=b)")
    assert str(error.value) == f"data/a.csv has no setting 'dorp'; did you mean drop? I{takes}"
    with pytest.raises(InputError) as error:
        load_task("data/a.csv(x, b)")
    assert str(error.value) == f"data/a.csv(x, b): too many positional arguments; i{takes}"
    with pytest.raises(InputError, match="has no setting 'source'"):
        load_task("data/a.csv(x, source=b.csv)")
