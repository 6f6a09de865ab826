"""Where a study is kept: a directory, or a database by its URL."""

import re
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from trimtab.study.checks import check_path, check_text
from trimtab.study.errors import InputError

FILE_NAME = "study.db"

Location: TypeAlias = Path | str
"""A directory, as a path, or a database, as the text of an SQLAlchemy URL."""

_PACKAGES = {"MySQLdb": "mysqlclient", "mysql": "mysql-connector-python"}
"""Of drivers whose modules have another name."""


def parse_url(text: str) -> URL:
    """Reads an SQLAlchemy URL and checks that its driver is installed.

    Raises:
        InputError: it is no URL, names an unknown database, or its driver is missing; the message says what to do.
    """
    check_text("store", text)
    shown = re.sub(r"//.*@", "//***@", text)
    try:
        url = make_url(text)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except NoSuchModuleError:
        kind = text.partition(":")[0]
        raise InputError(
            f"store={shown!r}: SQLAlchemy knows no database {kind!r}; the usual ones are postgresql, sqlite and mysql"
        ) from None
    except (ArgumentError, ValueError):
        raise InputError(
            f"store={shown!r} is not the URL of a database; one looks like postgresql://user@host/database or "
            "sqlite:////absolute/path/study.db"
        ) from None
    except ImportError as error:
        extra = (
            "'trimtab[postgres]'"
            if url.drivername == "postgresql+psycopg"
            else _PACKAGES.get(str(error.name), error.name)
        )
        raise InputError(f"store={shown!r} needs a driver that is not installed: pip install {extra}") from None
    if dialect.is_async:
        raise InputError(f"store={shown!r}: {url.drivername} is an asynchronous driver, which cannot be used here")
    if url.get_backend_name() == "sqlite" and (url.database or ":memory:").startswith((":memory:", "file:")):
        raise InputError(f"store={shown!r}: the path of a file is needed, as in sqlite:////absolute/path/study.db")
    return url


def sqlite_file(location: Location) -> Path | None:
    """Returns the file that a location stands for, or ``None`` for a server."""
    if isinstance(location, Path):
        check_path("location", location)
        return location / FILE_NAME
    url = parse_url(location)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def shown(location: Location) -> str:
    """Returns a location as it may be printed: without its password."""
    return str(location) if isinstance(location, Path) else make_url(location).render_as_string(hide_password=True)
