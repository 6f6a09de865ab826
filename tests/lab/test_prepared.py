"""What a problem brings is made once a seed, whoever is killed meanwhile."""

import multiprocessing
import os
import signal
import time

import pytest
import torch

from trimtab.lab.prepared import directory_of, prepared
from trimtab.lab.problem import Workplace
from trimtab.study.errors import UnfitWorkerError

FORK = multiprocessing.get_context("fork")
DEFINITION = {"task": "toy", "steps": 3}


@pytest.fixture
def place(tmp_path):
    return Workplace(tmp_path / "study" / "trials")


class Maker:
    """Notes each time that it is asked, in a file that processes share."""

    def __init__(self, directory, seconds=0.0):
        self.log, self.seconds = directory / "made", seconds

    def __call__(self):
        with self.log.open("a") as file:
            file.write("x")
        time.sleep(self.seconds)
        return {"weight": torch.arange(3.0)}

    @property
    def count(self):
        return self.log.stat().st_size if self.log.exists() else 0


def get(place, make, seed=0, definition=DEFINITION):
    return prepared(place, "a net/of mine", definition, seed, make)


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.01)


def files(place):
    return sorted(path.name for path in directory_of(place, "a net/of mine", DEFINITION).iterdir())


def test_it_is_made_once_and_kept_beside_the_trials(place, tmp_path):
    make = Maker(tmp_path)
    first, second = get(place, make), get(place, make)
    assert make.count == 1
    assert torch.equal(first.content["weight"], torch.arange(3.0))
    assert torch.equal(second.content["weight"], torch.arange(3.0))
    assert second.seconds == first.seconds >= 0
    (directory,) = (tmp_path / "study" / "prepared").iterdir()
    assert directory.name.startswith("a-net-of-mine-")
    assert files(place) == ["0.lock", "0.pt"]


def test_another_seed_or_definition_is_another_artefact(place, tmp_path):
    make = Maker(tmp_path)
    get(place, make)
    get(place, make, seed=1)
    get(place, make, definition={**DEFINITION, "steps": 4})
    get(place, make, definition=dict(reversed(DEFINITION.items())))
    assert make.count == 3


def test_of_two_that_race_one_makes_it(place, tmp_path):
    make, results = Maker(tmp_path, 0.2), FORK.Queue()

    def race():
        results.put(get(place, make).content["weight"].tolist())

    processes = [FORK.Process(target=race) for _ in range(2)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [[0, 1, 2], [0, 1, 2]]
    for process in processes:
        process.join()
    assert make.count == 1


def test_who_waits_takes_over_from_a_maker_that_is_killed(place, tmp_path):
    stuck, make, results = Maker(tmp_path, 300.0), Maker(tmp_path), FORK.Queue()
    maker = FORK.Process(target=lambda: get(place, stuck))
    maker.start()
    wait_until(lambda: stuck.count == 1)
    waiter = FORK.Process(target=lambda: results.put(get(place, make).content["weight"].tolist()))
    waiter.start()
    time.sleep(0.1)
    assert make.count == 1  # it waits
    os.kill(maker.pid, signal.SIGKILL)
    assert results.get(timeout=60) == [0, 1, 2]
    for process in (maker, waiter):
        process.join()
    assert make.count == 2
    assert files(place) == ["0.lock", "0.pt"]


def test_what_a_killed_writer_left_is_removed_and_never_read(place, tmp_path):
    make = Maker(tmp_path)
    directory = directory_of(place, "a net/of mine", DEFINITION)
    directory.mkdir(parents=True)
    (directory / ".0.pt.4711.tmp").write_bytes(b"half")
    get(place, make)
    assert make.count == 1
    assert files(place) == ["0.lock", "0.pt"]


@pytest.mark.parametrize("damage", ["empty", "cut off", "a byte", "another hash"])
def test_a_damaged_file_is_made_anew(place, tmp_path, damage):
    make = Maker(tmp_path)
    get(place, make)
    path = directory_of(place, "a net/of mine", DEFINITION) / "0.pt"
    whole = path.read_bytes()
    turned = whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]
    path.write_bytes(
        {"empty": b"", "cut off": whole[:-1], "a byte": turned, "another hash": b"0" * 64 + whole[64:]}[damage]
    )
    assert torch.equal(get(place, make).content["weight"], torch.arange(3.0))
    assert make.count == 2
    get(place, make)
    assert make.count == 2


def test_what_goes_wrong_in_the_making_is_told_as_it_is_and_the_next_one_may_try(place, tmp_path):
    def fail():
        raise FileNotFoundError("no data here")

    with pytest.raises(FileNotFoundError, match="no data here"):
        get(place, fail)
    assert torch.equal(get(place, Maker(tmp_path)).content["weight"], torch.arange(3.0))


def test_where_nothing_can_be_written_no_trial_is_to_blame(tmp_path):
    (tmp_path / "study").write_text("a file")
    with pytest.raises(UnfitWorkerError, match=r"0\.pt, which all candidates need, cannot be kept"):
        get(Workplace(tmp_path / "study" / "trials"), Maker(tmp_path))


def test_nothing_but_values_and_tensors_is_read(place):
    get(place, lambda: {"problem": Workplace(place.directory)})
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        get(place, lambda: None)
