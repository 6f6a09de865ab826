"""Who runs which point: two small tables beside Optuna's. The protocol is described in :mod:`trimtab.study.store`."""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from trimtab.study.checks import check_seconds

TABLES = MetaData()

OWNERS = Table(
    "trimtab_owners",
    TABLES,
    Column("owner", String(128), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("process", Integer, nullable=False),
    Column("takeover_seconds", Float, nullable=False),
    Column("beat", DateTime(timezone=True), nullable=False),
)

LEASES = Table(
    "trimtab_leases",
    TABLES,
    Column("key", String(512), primary_key=True),
    Column("trial", Integer, nullable=False, unique=True),
    Column("owner", String(128), index=True),
    Column("finished", Boolean, nullable=False),
)


@dataclass(frozen=True)
class Limits:
    """How long processes that share a study wait for each other and for their database.

    Args:
        takeover: seconds without a sign of life after which others take over what a process was running; 0.1 to 1e6.
        patience: seconds that the database may be away before the process gives up; may be infinite.

    Raises:
        InputError: one of them cannot be.
    """

    takeover: float = 60.0
    patience: float = 3600.0

    def __post_init__(self) -> None:
        check_seconds("takeover", self.takeover, least=0.1, most=1e6)
        check_seconds("patience", self.patience)

    @property
    def beat(self) -> float:
        """Seconds between two signs of life."""
        return self.takeover / 6

    @property
    def poll(self) -> float:
        """Seconds between two looks at what others have done."""
        return min(3.0, self.takeover / 6)


class Leases:
    """The leases of one process. Its methods are called within a transaction, to which they belong."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.host = socket.gethostname()
        self.owner = f"{self.host[:64]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._suspects: dict[str, tuple[object, float]] = {}

    def trials(self, connection: Connection, *, finished: bool = False) -> dict[str, int]:
        """Returns key to trial, of all points or of the finished ones."""
        query = select(LEASES.c.key, LEASES.c.trial)
        rows = connection.execute(query.where(LEASES.c.finished) if finished else query)
        return {row.key: row.trial for row in rows}

    def offer(self, connection: Connection, key: str, trial: int, *, finished: bool = False) -> None:
        """Writes down a point, for anybody to claim."""
        connection.execute(insert(LEASES).values(key=key, trial=trial, owner=None, finished=finished))

    def enter(self, connection: Connection) -> None:
        """Lets others see that this process is at work."""
        mine = {"owner": self.owner, "host": self.host[:255], "process": os.getpid()}
        limit = self.limits.takeover
        connection.execute(insert(OWNERS).values(**mine, takeover_seconds=limit, beat=func.now()))

    def has_company(self, connection: Connection) -> bool:
        """Whether another process has given a sign of life lately."""
        owners = connection.execute(select(OWNERS, func.now().label("now")).where(OWNERS.c.owner != self.owner))
        return any((row.now - row.beat).total_seconds() <= row.takeover_seconds for row in owners)

    def forget_all(self, connection: Connection) -> None:
        """Forgets all points, and who was at work."""
        connection.execute(delete(LEASES))
        connection.execute(delete(OWNERS))

    def claim(self, connection: Connection, keys: Iterable[str]) -> str | None:
        """Takes the first of these points that nobody has, and returns its key."""
        # before anything else: who takes over our points locks this row first, too, so that we cannot meet halfway
        if not self.beat(connection):
            self.enter(connection)
        # one that is ours already was claimed by a transaction of which we never heard the end
        free = or_(LEASES.c.owner.is_(None), LEASES.c.owner == self.owner) & ~LEASES.c.finished
        candidates = set(connection.scalars(select(LEASES.c.key).where(free)))
        for key in keys:
            if key in candidates:
                taken = connection.execute(update(LEASES).where(LEASES.c.key == key, free).values(owner=self.owner))
                if taken.rowcount:
                    return key
        return None

    def beat(self, connection: Connection) -> bool:
        """Gives a sign of life; ``False`` if others have given us up, and we have no points any more."""
        mine = update(OWNERS).where(OWNERS.c.owner == self.owner).values(beat=func.now())
        return bool(connection.execute(mine).rowcount)

    def finish(self, connection: Connection, key: str) -> bool:
        """Marks a point as finished by us, unless it is somebody else's by now, or finished."""
        # nobody's is good enough: it was taken from us, but has not been started again
        ours = or_(LEASES.c.owner.is_(None), LEASES.c.owner == self.owner) & ~LEASES.c.finished
        done = update(LEASES).where(LEASES.c.key == key, ours).values(owner=self.owner, finished=True)
        return bool(connection.execute(done).rowcount)

    def finished_by_us(self, connection: Connection, key: str) -> bool:
        """Whether the outcome that is recorded is ours."""
        mine = select(LEASES.c.key).where(LEASES.c.key == key, LEASES.c.finished, LEASES.c.owner == self.owner)
        return connection.scalar(mine) is not None

    def holds(self, connection: Connection, key: str) -> bool:
        """Whether a point is ours, and not finished."""
        mine = select(LEASES.c.key).where(LEASES.c.key == key, LEASES.c.owner == self.owner, ~LEASES.c.finished)
        return connection.scalar(mine) is not None

    def release(self, connection: Connection, key: str) -> bool:
        """Gives a point back that is ours."""
        ours = update(LEASES).where(LEASES.c.key == key, LEASES.c.owner == self.owner, ~LEASES.c.finished)
        return bool(connection.execute(ours.values(owner=None)).rowcount)

    def leave(self, connection: Connection) -> list[int]:
        """Gives back all points that are ours, and returns their trials."""
        connection.execute(delete(OWNERS).where(OWNERS.c.owner == self.owner))
        return self._free(connection, self.owner)

    def take_back(self, connection: Connection, *, everybody: bool = False) -> list[int]:
        """Frees the points of processes that give no sign of life, and returns their trials.

        A process is given up when its last beat is too old by the database's clock, and stays the same while we watch
        for two beats by ours: after a pause of the database itself all beats are old.

        Args:
            connection: the transaction.
            everybody: whether all other processes are known to be dead.
        """
        now = time.monotonic()
        owners = connection.execute(select(OWNERS, func.now().label("now")).where(OWNERS.c.owner != self.owner)).all()
        self._suspects = {
            row.owner: (row.beat, self._first_seen(row.owner, row.beat, now))
            for row in owners
            if everybody or (row.now - row.beat).total_seconds() > row.takeover_seconds
        }
        freed: list[int] = []
        for row in owners:
            if row.owner not in self._suspects:
                continue
            _, since = self._suspects[row.owner]
            if everybody or now - since >= row.takeover_seconds / 3:
                silent = delete(OWNERS).where(OWNERS.c.owner == row.owner)
                if not everybody:  # it may have beaten since
                    silent = silent.where(OWNERS.c.beat == row.beat)
                if connection.execute(silent).rowcount:
                    freed += self._free(connection, row.owner)
        return freed

    def _first_seen(self, owner: str, beat: object, now: float) -> float:
        known = self._suspects.get(owner)
        return known[1] if known is not None and known[0] == beat else now

    def _free(self, connection: Connection, owner: str) -> list[int]:
        theirs = select(LEASES.c.trial).where(LEASES.c.owner == owner, ~LEASES.c.finished).with_for_update()
        trials = list(connection.scalars(theirs))
        connection.execute(update(LEASES).where(LEASES.c.trial.in_(trials)).values(owner=None))
        return trials


class Heart(threading.Thread):
    """Gives signs of life in the background, whatever the process is waiting for."""

    def __init__(self, engine: Engine, leases: Leases) -> None:
        super().__init__(daemon=True, name="trimtab-heart")
        self._engine = engine
        self._leases = leases
        self._over = threading.Event()

    def run(self) -> None:
        """Beats until it is stopped."""
        while not self._over.wait(self._leases.limits.beat):
            # a database that is away is noticed and told of where results are written
            with contextlib.suppress(SQLAlchemyError), self._engine.begin() as connection:
                self._leases.beat(connection)

    def stop(self) -> None:
        """Ends it."""
        self._over.set()
        self.join(timeout=self._leases.limits.beat)
