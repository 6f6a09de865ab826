import optuna
import pytest
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from trimtab.compare.imported.optuna_storage import is_storage, read_storage
from trimtab.compare.imported.outcomes import analyse
from trimtab.study.errors import InputError
from trimtab.study.store import Store


def filled(storage, direction="minimize"):
    """Two studies in which two optimizers ran with three seeds each; a trial failed."""
    for name in ("digits", "wines"):
        study = optuna.create_study(study_name=name, storage=storage, direction=direction)
        for optimizer, base in (("adam", 1.0), ("lion", 0.5)):
            for seed in range(3):
                trial = study.ask()
                trial.suggest_categorical("optimizer", ["adam", "lion"])
                trial.set_user_attr("seed", seed)
                trial.set_user_attr("candidate", optimizer)
                study.tell(trial, base + 0.01 * seed)
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "trials.db"
    storage = RDBStorage(f"sqlite:///{path}")
    filled(storage)
    storage.remove_session()
    storage.engine.dispose()
    return path


COLUMNS = {"candidate": "user_attrs.candidate", "seed": "user_attrs.seed", "problem": "study"}


def test_each_complete_trial_is_a_row(database):
    before = database.read_bytes()
    table = read_storage(database)
    assert (table.name, table.stem, len(table.rows)) == ("trials.db", "trials", 12)
    assert all(row.directions == {"score": "min"} for row in table.rows)
    assert set(table.columns) == {
        "study", "number", "score", "seconds", "params.optimizer", "user_attrs.seed", "user_attrs.candidate",
    }  # fmt: skip
    assert table.rows[1].cells["score"] == "1.01"
    assert table.rows[-1].cells["study"] == "wines"
    assert table.left_out == "2 trials that are not complete"
    assert database.read_bytes() == before


def test_files_urls_and_journals_give_the_same(database, tmp_path):
    journal = tmp_path / "trials.log"
    filled(JournalStorage(JournalFileBackend(str(journal))))
    tables = [read_storage(source) for source in (database, f"sqlite:///{database}", journal)]
    scores = [[row.cells["score"] for row in table.rows] for table in tables]
    assert scores[0] == scores[1] == scores[2]
    assert all(is_storage(source) for source in (database, f"sqlite:///{database}", journal))
    assert not is_storage("runs.csv")
    assert not is_storage([{}])


@pytest.mark.parametrize("name", ["trials.log", "trials.journal"])
def test_journals_are_analysed(name, tmp_path):
    filled(JournalStorage(JournalFileBackend(str(tmp_path / name))))
    result = analyse(tmp_path / name, **COLUMNS)
    assert [c.label for c in result.problems["wines"].candidates] == ["lion", "adam"]


def test_studies_say_which_side_is_better_and_are_analysed(database):
    result = analyse(database, **COLUMNS)
    assert list(result.problems) == ["digits", "wines"]
    assert result.problems["digits"].problem.objective.direction == "min"
    ((_, source),) = result.problems["digits"].problem.paragraphs
    assert source.endswith("Less of the score is better. Left out: 2 trials that are not complete.")
    assert [c.label for c in result.problems["wines"].candidates] == ["lion", "adam"]
    assert result.problems["wines"].candidates[0].loss.mean == pytest.approx(0.51)
    assert analyse(database, direction="min", **COLUMNS) == result


def test_what_studies_say_is_not_contradicted(database):
    message = r"^--maximize \(direction='max'\): the studies of trials.db say minimize; leave it out"
    with pytest.raises(InputError, match=message):
        analyse(database, direction="max", **COLUMNS)
    # of anything else than what they optimise they say nothing
    other = {**COLUMNS, "score": "number", "problem": "study"}
    assert analyse(database, direction="max", **other).problems["digits"].candidates[0].label == "lion"
    with pytest.raises(InputError, match="say whether more of number is better or less of it"):
        analyse(database, **other)


def test_studies_that_disagree_on_the_side_are_each_believed(tmp_path):
    path = tmp_path / "mixed.db"
    storage = RDBStorage(f"sqlite:///{path}")
    for name, direction in (("a", "minimize"), ("b", "maximize")):
        study = optuna.create_study(study_name=name, storage=storage, direction=direction)
        for candidate in ("adam", "lion"):
            trial = study.ask()
            trial.set_user_attr("candidate", candidate)
            study.tell(trial, 1.0 if candidate == "adam" else 2.0)
    storage.remove_session()
    storage.engine.dispose()
    columns = {"candidate": "user_attrs.candidate", "unpaired": True}
    result = analyse(path, problem="study", **columns)
    sides = {name: found.problem.objective.direction for name, found in result.problems.items()}
    assert sides == {"a": "min", "b": "max"}
    assert [c.label for c in result.problems["a"].candidates] == ["adam", "lion"]
    assert [c.label for c in result.problems["b"].candidates] == ["lion", "adam"]
    with pytest.raises(InputError, match="say minimize; leave it out"):
        analyse(path, problem="study", direction="max", **columns)
    with pytest.raises(InputError, match="say maximize; leave it out"):
        analyse(path, where=["study=b"], direction="min", **columns)
    with pytest.raises(InputError, match="studies that maximize score and others that minimize it: look at them apart"):
        analyse(path, direction="max", **columns)
    only = path.with_name("only.log")
    storage = JournalStorage(JournalFileBackend(str(only)))
    filled(storage, "maximize")
    optuna.create_study(study_name="empty", storage=storage, direction="minimize")
    # a study without trials says nothing of them
    assert all(row.directions == {"score": "max"} for row in read_storage(only).rows)


def test_several_objectives_have_a_column_each(tmp_path):
    path = tmp_path / "pareto.log"
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))), directions=["minimize", "maximize"]
    )
    study.tell(study.ask(), [1.0, 2.0])
    table = read_storage(path)
    assert {"score.0", "score.1"} <= set(table.columns)
    assert table.rows[0].directions == {"score.0": "min", "score.1": "max"}


def test_a_database_that_is_not_there_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place, file in (
        ("nope.db", "nope.db"),
        (f"{tmp_path}/nope.db", f"{tmp_path}/nope.db"),
        ("no/pe.db", "no/pe.db"),
    ):
        with pytest.raises(InputError, match=f"^there is no file {file}$"):
            read_storage(f"sqlite:///{place}")
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(InputError, match=f"'{url}': the path of a file is needed, as in sqlite:"):
            read_storage(url)
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_comparison_is_reported_and_not_analysed(tmp_path):
    race, moved = tmp_path / "race", tmp_path / "moved.db"
    with Store(race, {"task": "toy"}):
        pass
    moved.write_bytes((race / "study.db").read_bytes())
    words = f"{race}/study.db is trimtab's own store: trimtab report {race} draws its report"
    for source in (race, race / "study.db", f"sqlite:///{race}/study.db"):
        with pytest.raises(InputError) as error:
            analyse(source)
        assert str(error.value) == words
    (race / "results.json").touch()
    with pytest.raises(InputError, match=f"report, and trimtab analyse {race}/results.json from its results"):
        analyse(race)
    with pytest.raises(InputError, match=f"moved.db is trimtab's own .* trimtab report DIR --store sqlite:///{moved}"):
        analyse(moved)


def test_a_study_of_ones_own_may_be_called_as_ours(tmp_path):
    path = tmp_path / "trials.log"
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="trimtab")
    study.tell(study.ask(), 1.0)
    assert [row.cells["study"] for row in read_storage(path).rows] == ["trimtab"]


def test_what_is_no_storage_is_refused(tmp_path):
    empty = tmp_path / "empty.db"
    empty.write_bytes(b"")
    other = tmp_path / "other.db"
    other.write_text("no database at all, but long enough to be taken for one" * 40)
    journal = tmp_path / "other.log"
    journal.write_text("a line\n")
    for source, message in (
        (tmp_path / "missing.db", "there is no file .*missing.db"),
        (empty, "empty.db is a database, but no storage of Optuna's"),
        (other, "other.db cannot be read"),
        (journal, "other.log has no trial that is complete"),
        ("nothing://x", "^source='nothing://x': SQLAlchemy knows no database 'nothing'"),
        ("postgresql+pg8000://x/y", "^source=.*pg8000://x/y' needs a driver that is not installed: pip install pg8000"),
    ):
        with pytest.raises(InputError, match=message):
            read_storage(source)
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(tmp_path / "none.log"))))
    study.ask()
    with pytest.raises(InputError, match=r"none\.log has no trial that is complete"):
        read_storage(tmp_path / "none.log")
