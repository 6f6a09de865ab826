import pytest

from trimtab.lab.errors import InputError
from trimtab.lab.loading import load_task, task_fingerprint
from trimtab.lab.task import check_task

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
def file(tmp_path):
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
        ("Missing", r"tasks\.py has no 'Missing'; it defines Mine, instance"),
        ("number", "number is a int, expected a Task"),
        ("wrong", "wrong made a int"),
        ("raising", "raising: making the task raised OSError: no such data"),
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
        ("digit", "unknown task 'digit': tasks that ship are .*digits"),
        ("missing.py:Mine", r"there is no file missing\.py"),
        ("tasks.py", "unknown task"),
    ],
)
def test_unknown_references_say_what_there_is(reference, message):
    with pytest.raises(InputError, match=message):
        load_task(reference)


def test_the_fingerprint_changes_with_the_file(file):
    before = task_fingerprint(f"{file}:Mine")
    assert before == task_fingerprint(f"{file}:Mine")
    file.write_text(GOOD + "# changed\n")
    assert task_fingerprint(f"{file}:Mine") != before
    assert task_fingerprint("digits") == "digits"
