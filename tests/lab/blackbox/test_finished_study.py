"""Which study a reference means, what is read of it, and what is refused."""

import math
from functools import partial

import optuna
import pytest
from optuna.trial import TrialState

from tests.lab.blackbox.studies import SPACE, journal, plain_trials, written
from trimtab.lab.blackbox.finished_study import absolute_place, read_finished, shown_place
from trimtab.study.errors import InputError

few = partial(plain_trials, 4)


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "old.log"


@pytest.mark.filterwarnings("ignore:.*set_metric_names is experimental")
def test_complete_trials_with_a_finite_value_are_read(log):
    study = written(journal(log), few(), direction="maximize")
    study.add_trial(optuna.trial.create_trial(params={}, distributions={}, value=math.inf))
    study.add_trial(optuna.trial.create_trial(params={}, distributions={}, state=TrialState.FAIL))
    study.set_metric_names(["accuracy"])
    found = read_finished("old.log#old")
    assert (found.name, found.storage, found.direction, found.metric) == ("old", "old.log", "max", "accuracy")
    assert [trial.value for trial in found.trials] == [trial.value for trial in few()]
    assert found.constraints() == {}
    assert read_finished("old.log") == found  # the only one needs no name
    assert read_finished("old.log#") == found


def test_of_sqlite_nothing_is_changed(log, tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    storage = optuna.storages.RDBStorage(url)
    written(storage, few(), name="run #2 (b)")
    storage.engine.dispose()
    before = (tmp_path / "a.db").read_bytes()
    for place in (f"{url}#run #2 (b)", "sqlite:///a.db#run #2 (b)", "a.db#run #2 (b)"):
        found = read_finished(place)
        assert (found.name, found.direction, found.metric, len(found.trials)) == ("run #2 (b)", "min", "value", 4)
    assert (tmp_path / "a.db").read_bytes() == before


def test_the_fingerprint_is_of_the_trials_and_not_of_the_place(log, tmp_path):
    written(journal(log), few())
    before = read_finished("old.log").fingerprint()
    written(journal(tmp_path / "other.log"), few(), name="new")
    assert read_finished("other.log").fingerprint() == before
    changes = {
        "more": plain_trials(5),
        "value": few(lambda params: 1.0),
        "settings": few(seed=1),
        "constraints": few(constraints=lambda params: {"c": params["x"]}),
    }
    prints = {before}
    for name, trials in changes.items():
        written(journal(log), trials, name=name)
        prints.add(read_finished(f"old.log#{name}").fingerprint())
    written(journal(log), few(), name="up", direction="maximize")
    prints.add(read_finished("old.log#up").fingerprint())
    trials = few()
    for trial in trials:
        trial.distributions = {**SPACE, "x": optuna.distributions.FloatDistribution(0, 2)}
    written(journal(log), trials, name="ranges")
    prints.add(read_finished("old.log#ranges").fingerprint())
    assert len(prints) == 7


def test_constraints_are_read_with_the_trials_that_tell_of_them(log):
    told = few(constraints=lambda params: {"size": params["x"] - 0.5, "odd": math.inf})
    also = optuna.trial.create_trial(params={}, distributions={}, value=1.0, constraints={"late": 1.0})
    written(journal(log), [*told, also])
    found = read_finished("old.log").constraints()
    assert {name: len(trials) for name, trials in found.items()} == {"size": 4, "odd": 0, "late": 1}
    assert [trial.constraints["size"] for trial in found["size"]] == [trial.params["x"] - 0.5 for trial in told]


def test_constraints_of_optuna_4_are_read_by_their_places(log):
    trials = few(system_attrs=lambda params: {"constraints": [params["x"], -1.0]})
    written(journal(log), trials)
    assert sum(len(each) for each in read_finished("old.log").constraints().values()) == 8


def test_places_mean_the_same_elsewhere(log, tmp_path):
    assert absolute_place("old.log#a") == f"{log}#a"
    assert absolute_place("old.log") == str(log)
    assert absolute_place("sqlite:///b.db#a (2)") == f"sqlite:///{tmp_path}/b.db#a (2)"
    assert absolute_place(absolute_place("sqlite:///b.db#a")) == absolute_place("sqlite:///b.db#a")
    assert shown_place("old.log#a") == "old.log#a"


def test_passwords_are_not_shown():
    pytest.importorskip("psycopg")
    place = "postgresql://me:secret@host/optuna#old"
    assert absolute_place(place) == place
    assert shown_place(place) == "postgresql://me:***@host/optuna#old"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("several.log", r"which study of several.log\? It has one, two: write its name after a #"),
        ("several.log#", r"which study of several.log"),
        ("several.log#tow", r"there is no study 'tow' in several.log; did you mean two\? It has one, two"),
        ("several.log#zzzzz", r"there is no study 'zzzzz' in several.log; it has one, two"),
        ("several.log#two", r"the study 'two' in several.log has 2 objectives; a search has one"),
        ("many.log", r"It has s0, s1, s10, s11, s12, s13, .*, s7 and 1 more|It has s0, s1, .* and 1 more"),
        ("empty.log#a", "empty.log holds no study"),
        ("nowhere.log#a", "there is no file nowhere.log"),
        ("sqlite:///nowhere.db#a", "there is no file nowhere.db"),
        ("text.db#a", "text.db cannot be read: "),
        ("nothing://x#a", "SQLAlchemy knows no database 'nothing'"),
        ("#a", "study:#a: expected study:sqlite:///path/to/file.db#name"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(log, tmp_path, place, message):
    several, many = journal(tmp_path / "several.log"), journal(tmp_path / "many.log")
    optuna.create_study(storage=several, study_name="one")
    optuna.create_study(storage=several, study_name="two", directions=["minimize", "maximize"])
    for number in range(13):
        optuna.create_study(storage=many, study_name=f"s{number}")
    journal(tmp_path / "empty.log")
    (tmp_path / "text.db").write_text("no database, but a text that is longer than a header\n" * 40)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        read_finished(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
