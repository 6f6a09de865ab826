"""What lies beside a file is what it gets, also in a function, or it is refused."""

import importlib
import sys

import pytest

from tests.new_process import in_a_new_process
from trimtab.lab.loading import import_file, load_task
from trimtab.lab.neighbours import neighbours
from trimtab.study.errors import InputError

TASK = """
from tests.lab.toy import Toy


class Mine(Toy):
    def model(self, generator):
        import beside
        return beside.made(super().model(generator))
"""


@pytest.fixture
def write(tmp_path, fresh_neighbours):
    def write(text, **neighbours):
        """Writes a file into a directory of its own, and what lies beside it; a dot stands between directories."""
        directory = tmp_path / "ab"[len(list(tmp_path.iterdir()))]
        for name, each in {"task": text, **neighbours}.items():
            file = directory.joinpath(*name.split(".")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(each)
        return directory / "task.py"

    return write


def test_a_neighbour_that_a_function_imports_is_found_when_it_is_called(write):
    file = write(TASK, beside="import deeper\ndef made(model): return model.eval()", deeper="")
    task = load_task(str(file))
    assert "beside" not in sys.modules
    assert not task.model(None).training
    assert sys.modules["deeper"].__file__ == str(file.parent / "deeper.py")


def in_a_worker(file):
    return load_task(str(file)).model(None).training


def test_so_it_is_in_another_process(write):
    file = write(TASK, beside="def made(model): return model.eval()")
    assert in_a_new_process(in_a_worker, file) is False


def test_a_neighbour_whose_name_is_known_when_a_function_runs_is_found(write):
    text = "import importlib\ndef get(name): return importlib.import_module(name).NUMBER"
    assert import_file(write(text, beside="NUMBER = 3")).get("beside") == 3


@pytest.mark.parametrize(
    "text",
    [
        "from beside import NUMBER",
        "def get():\n    import beside\n    return beside.NUMBER",
        "import deeper",
        "def get():\n    from deeper import beside",
    ],
    ids=["at once", "later", "through another", "through another, later"],
)
@pytest.mark.parametrize("first", ["from beside import NUMBER", "def get():\n    from beside import NUMBER"])
def test_a_neighbour_of_the_same_name_as_another_s_is_refused_by_both_names(write, first, text):
    one = write(first, beside="NUMBER = 1")
    other = write(text, beside="NUMBER = 2", deeper="import beside")
    import_file(one)
    before = list(sys.path)
    for _ in range(2):
        with pytest.raises(InputError) as refused:
            import_file(other)
        assert str(refused.value) == (
            f"{other} imports beside, which is {other.parent}/beside.py, but in this process beside is "
            f"{one.parent}/beside.py: there is one module of a name. Rename one of the two; problems can also be "
            "compared by a command each"
        )
    assert sys.path == before
    assert "deeper" not in sys.modules


def test_a_module_that_a_program_of_ones_own_has_imported_is_another_one_as_well(write, monkeypatch):
    one, other = (write("from beside import NUMBER", beside=f"NUMBER = {number}") for number in (1, 2))
    monkeypatch.syspath_prepend(one.parent)
    importlib.import_module("beside")
    with pytest.raises(InputError, match=r"b/task\.py imports beside, which is .*b/beside\.py, but .*a/b"):
        import_file(other)


def test_all_of_them_are_named_at_once(write):
    one, other = (write("import beside, deeper", beside="", deeper="") for _ in range(2))
    import_file(one)
    with pytest.raises(InputError) as refused:
        import_file(other)
    assert [line.split(",")[0].rpartition(" ")[2] for line in refused.value.messages] == ["beside", "deeper"]


def test_packages_with_and_without_an_init_are_neighbours(write):
    file = write(
        "import nets.small\nimport deeper.one as one\nSIZE = nets.small.SIZE + one.SIZE",
        **{"nets.small": "SIZE = 1", "deeper.__init__": "", "deeper.one": "from . import two\nSIZE = two.SIZE"},
        **{"deeper.two": "import beside\nSIZE = 2", "beside": ""},
    )
    assert {name: str(each.relative_to(file.parent)) for name, each in neighbours(file).items()} == {
        "nets.small": "nets/small.py",
        "deeper": "deeper/__init__.py",
        "beside": "beside.py",
    }
    assert import_file(file).SIZE == 3
    with pytest.raises(InputError, match=r"imports nets\.small, which is .*b/nets/small\.py"):
        import_file(write("import nets.small", **{"nets.small": ""}))


def test_files_of_one_directory_share_their_neighbours_and_links_lead_to_the_same(write):
    file = write("import beside", other="import beside", beside="")
    import_file(file)
    import_file(file.parent / "other.py")
    linked = write("import beside")
    (linked.parent / "beside.py").symlink_to(file.parent / "beside.py")
    import_file(linked)


def test_what_nobody_imports_is_in_nobody_s_way(write):
    import_file(write("import beside", beside=""))
    assert import_file(write("x = 1", beside="")).x == 1


def test_an_installed_module_that_is_there_goes_before_a_neighbour(write):
    hidden = dict.fromkeys(("logging", "time", "torch", "numpy"), "raise ValueError")
    file = write("import logging, time, torch\nfrom numpy import linalg", **hidden)
    assert neighbours(file) == {}
    assert import_file(file).logging.INFO == 20


def test_a_file_that_does_not_import_means_nothing(write):
    with pytest.raises(InputError, match="line 2, does not import: ValueError"):
        import_file(write("import beside\nraise ValueError", beside=""))
    del sys.modules["beside"]
    import_file(write("def get(): import beside", beside=""))


def test_a_neighbour_that_cannot_be_read_is_told_when_it_is_imported(write):
    with pytest.raises(InputError, match=r"task\.py, line 1, does not import: SyntaxError"):
        import_file(write("import beside", beside="def ("))
