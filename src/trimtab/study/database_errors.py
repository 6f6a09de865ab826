"""What the errors of a database mean."""

import optuna
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, PendingRollbackError

REFUSALS = ("FULL", "READONLY", "CANTOPEN", "PERM", "BUSY", "LOCKED", "IOERR")
"""SQLite's names of what a file lacks, or of who else has it."""

DAMAGE = ("CORRUPT", "NOTADB")
"""Its names of what no longer is a database."""


def is_away(error: BaseException) -> bool:
    """Returns whether it is a database that cannot be reached, is stopping, full or locked, and no mistake of ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (OperationalError, InterfaceError, PendingRollbackError)):
            return True
        if isinstance(cause, DatabaseError) and cause.connection_invalidated:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def sqlite_code(error: BaseException) -> str:
    """Returns SQLite's name of what happened, such as FULL; empty if it was not SQLite."""
    cause: BaseException | None = error
    while cause is not None:
        if name := getattr(cause, "sqlite_errorname", ""):
            # one that ends too early is damaged; other names are longer for the same thing, as in SQLITE_IOERR_WRITE
            return "CORRUPT" if name == "SQLITE_IOERR_SHORT_READ" else str(name).split("_")[1]
        cause = cause.__cause__ or cause.__context__
    return ""


def reason(error: BaseException) -> str:
    """Returns what a database said, in a line."""
    if isinstance(error, optuna.exceptions.StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, DatabaseError) and error.orig is not None:
        error = error.orig
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
