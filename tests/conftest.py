"""What all tests share."""

import functools
import gc
import logging
import os
import sys
from collections import Counter

# before numpy is imported, here and in every process that is started: on a busy machine the threads of its linear
# algebra mostly wait for each other, which took six times the processor time of a small regression
os.environ.setdefault("OMP_NUM_THREADS", "1")
# where bytecode may not be kept, each of the hundreds of processes that tests start compiles what it imports anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import hypothesis
import pytest
import sqlalchemy
import torch
import typer.testing
from optuna.storages._rdb.storage import _VersionManager

from tests.browser import browser  # noqa: F401 - a fixture
from tests.new_process import go_on, preload
from tests.postgres import postgres  # noqa: F401 - a fixture
from trimtab.study.cores import usable_cores
from trimtab.testing import OptimizerConformance, saving

hypothesis.settings.register_profile("tests", deadline=None)  # a busy machine is no fault of what is tested
hypothesis.settings.load_profile("tests")

LONG = (
    "test_examples",
    "test_on_ray",
    "test_site",
    "test_sharding",
    "test_machines",
    "test_cli",
    "test_third_party_trainer",
)
"""Files that take longest, which begin first."""

SLOWEST = 10
"""How many files the summary names, with what they took."""


def pytest_collection_finish():
    # what has been imported stays, and looking for garbage in it was nearly a quarter of the tests' processor time
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    # many tests wait, for servers that are stopped and processes that start: on two cores a third took 9 % of the time
    return usable_cores() + 1


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where the conformance suite has its tensors, e.g. cuda")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONG)  # whoever begins with one of these last ends alone


def pytest_terminal_summary(terminalreporter):
    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) > 1:
        terminalreporter.section(f"slowest files of {sum(seconds.values()):.0f} s in all processes")
        for file, taken in seconds.most_common(SLOWEST):
            terminalreporter.line(f"{taken:7.1f} s  {file}")


def pytest_configure(config):
    OptimizerConformance.device = config.getoption("--device")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    # the tests' tensors are small; several threads would only wait for each other, and for other processes of the tests
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _new_processes_need_not_import_torch():
    preload()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "go_on_in_a_new_process", go_on)
        yield


@pytest.fixture(autouse=True)
def _path_is_kept():
    # a file that is loaded adds its directory, where a later test would find modules that it says are nowhere
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True, scope="session")
def _commands_are_built_once():
    # as in a program; the runner would build all commands anew for each line, which took more than half of a dry run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.testing._get_command))
        yield


@pytest.fixture(autouse=True, scope="session")
def _optuna_reads_its_migrations_once():
    # it imports all of them up to three times for each new store, two thirds of what making one takes
    make, made = _VersionManager._create_alembic_script, []

    def once(manager):
        if not made:
            made.append(make(manager))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_VersionManager, "_create_alembic_script", once)
        yield


@pytest.fixture(autouse=True, scope="session")
def _nobody_waits_for_the_disk():
    # what a test has written need not outlive the machine: processes that are killed lose nothing by it, and a disk
    # takes 16 ms to have each of the dozens of transactions of a small study
    def at_once(connection, _):
        if type(connection).__module__ == "sqlite3":
            connection.execute("PRAGMA synchronous=OFF")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", at_once)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", at_once)


@pytest.fixture
def warned():
    """The warnings that we log during a test; pytest's own fixture has every test look at every logger there is."""
    messages = []

    class Keeping(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("trimtab"), Keeping(logging.WARNING)
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.fixture(params=["eager", "compiled"])
def each_mode(request, monkeypatch):
    """Runs a test with rules that run operation by operation, and again with compiled ones."""

    def chosen(mode, params):
        return request.param == "compiled" if mode == "auto" else mode

    monkeypatch.setattr("trimtab.primitives.flat.options.resolved", chosen)
    return request.param
