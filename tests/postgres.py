"""Databases of their own for tests, on the server that the environment names."""

import contextlib
import fcntl
import os
import tempfile
import uuid
import zlib
from pathlib import Path

import pytest
import sqlalchemy

VARIABLE = "TRIMTAB_TEST_POSTGRES"
"""The URL of a server where the tests may make databases."""

CONTROL_VARIABLE = "TRIMTAB_TEST_POSTGRES_CONTROL"
"""The directory that ``.ci/postgres start|stop`` takes, if the tests may stop the server."""


class Postgres:
    """A new, empty database."""

    def __init__(self, server):
        name = f"trimtab-tests-{zlib.crc32(server.encode()):08x}.lock"
        self._users = (Path(tempfile.gettempdir()) / name).open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        url = server.replace("postgresql:", "postgresql+psycopg:")
        self._server = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self.name = f"trimtab_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {self.name}")
        self.url = self._server.url.set(drivername="postgresql", database=self.name).render_as_string(False)
        self.driver_url = self.url.replace("postgresql:", "postgresql+psycopg:")
        self._engine = sqlalchemy.create_engine(self.driver_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)

    def execute(self, statement):
        """Runs a statement on the server, outside the database."""
        with self._server.connect() as connection:
            connection.execute(sqlalchemy.text(statement))

    def rows(self, statement):
        """Runs a statement in the database."""
        with self._engine.connect() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            return result.all() if result.returns_rows else []

    def terminate_connections(self):
        """Breaks all connections to the database."""
        self._engine.dispose()
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    def refuse_connections(self, refuse=True):
        """Breaks all connections and accepts none, until told otherwise."""
        self.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS {not refuse}")
        if refuse:
            self.terminate_connections()

    @contextlib.contextmanager
    def alone(self):
        """Waits until no other test uses the server, and lets none begin: it may be stopped within."""
        fcntl.flock(self._users, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def drop(self):
        self._engine.dispose()
        with contextlib.suppress(sqlalchemy.exc.SQLAlchemyError):
            self.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
        self._server.dispose()
        self._users.close()


@pytest.fixture
def postgres():
    server = os.environ.get(VARIABLE)
    if not server:
        pytest.skip(f"{VARIABLE} names no PostgreSQL server")
    database = Postgres(server)
    yield database
    database.drop()
