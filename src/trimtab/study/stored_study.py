"""What a store holds, for whoever reads it without owning it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.study.database import existing
from trimtab.study.errors import NoStudyError, StudyMismatchError
from trimtab.study.location import Location, shown
from trimtab.study.manifest import MANIFEST, Words, plain_manifest, refusal
from trimtab.study.optuna_trial import outcome_of, ranges_of
from trimtab.study.outcome import Outcome
from trimtab.study.tunable import Tunables


@dataclass(frozen=True)
class StoredStudy:
    """What a store holds, read without owning it.

    Args:
        manifest: what makes the study this study.
        annotation: what was written beside it.
        outcomes: key to outcome, of what is finished.
        name: of the store, as it may be printed.
        shared: whether several processes may work on it.
        ranges: in which settings are tried, by the name of a group of trials.
    """

    manifest: dict[str, Any]
    annotation: dict[str, Any]
    outcomes: dict[str, Outcome]
    name: str
    shared: bool
    ranges: Mapping[str, Tunables] = field(default_factory=dict)

    def check(self, manifest: Mapping[str, Any], words: Words) -> None:
        """Checks that a study can go on here; one without an outcome binds nobody.

        Args:
            manifest: of the study.
            words: as :class:`Store` takes them.

        Raises:
            StudyMismatchError: the store holds another study; the message says what differs.
        """
        plain = plain_manifest(manifest)
        if self.outcomes and self.manifest != plain:
            changes = words(self.manifest, plain, self.annotation)
            raise StudyMismatchError(refusal(self.name, changes, shared=self.shared, recorded=True))


def read_store(location: Location) -> StoredStudy:
    """Reads a study, which may be running.

    Raises:
        StudyMismatchError: there is no study in it.
        CorruptStoreError: it cannot be read.
        StoreUnreachableError: the server does not answer, or refuses us.
    """
    database = existing(location)
    try:
        with database.readable(), database.transaction():
            studies = {study.study_name: study for study in database.storage.get_all_studies()}
            attributes = studies.pop(MANIFEST).user_attrs if MANIFEST in studies else {}
            if "manifest" not in attributes:
                raise NoStudyError(f"there is no study in {shown(location)} yet")
            trials = [
                trial
                for study in studies.values()
                for trial in database.storage.get_all_trials(study._study_id, deepcopy=False)
            ]
            outcomes = {trial.user_attrs["key"]: outcome_of(trial) for trial in trials if trial.state.is_finished()}
            annotation = attributes.get("annotation", {})
            about = database.name, database.shared
            return StoredStudy(attributes["manifest"], annotation, outcomes, *about, ranges_of(trials))
    finally:
        database.close()
