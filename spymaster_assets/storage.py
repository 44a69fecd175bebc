"""Dagster's history in SQLite, with connections that stay open. `dagster.yaml` names `LakeHistoryStorage`.

Files and tables are those of Dagster's own SQLite storage, and either can read what the other has written. That one
opens and closes the database for every statement, several times per event: each time SQLAlchemy compiles the statement
again, and each time SQLite, finding that the last user has left, writes its log back into the file and waits for the
disk. A run of some hundred events then spends more time there than on its tables.

What is given up: after a power failure the last events may be missing (never after a killed process, and the file is
whole in any case). The tables are on disk before their events, and `spymaster run` goes again through partitions that
Dagster has not heard of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster._core.storage.event_log.polling_event_watcher import SqlPollingEventWatcher
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

from spymaster.lake.files import locked

KEPT = 8
"""Databases held open: the index over all runs, and the runs looked at last (each has a database of its own)."""


class KeptEventLogStorage(SqliteEventLogStorage):
    """See the module."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._watcher: SqlPollingEventWatcher | None = None
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction on one database; the lock keeps threads apart, so one connection each is enough."""
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        engine = create_engine(
            self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}, pool_size=1
        )
        event.listen(engine, "connect", _commit_without_waiting)
        self._engines[shard] = engine
        if len(self._engines) > KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        """Follow a run. Dagster's SQLite storage waits for the file to change, which it does long after the event."""
        self._watcher = self._watcher or SqlPollingEventWatcher(self)
        self._watcher.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Any) -> None:
        """Follow it no longer."""
        if self._watcher is not None:
            self._watcher.unwatch_run(run_id, handler)

    def wipe(self) -> None:
        """Remove all events, and the databases of the runs."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close everything."""
        if self._watcher is not None:
            self._watcher.close()
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


class LakeHistoryStorage(DagsterSqliteStorage):
    """Runs, events and schedules under one folder, as `dagster.yaml` configures it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Two that create the databases at once (webserver and daemon on a new home) would leave them broken for good.
        with locked(Path(base_dir), "storage", wait=True):
            super().__init__(base_dir, inst_data)
        events = self._event_log_storage
        assert isinstance(events, SqliteEventLogStorage)
        self._event_log_storage = KeptEventLogStorage(events._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """As Dagster makes it from the configuration."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _commit_without_waiting(connection: Any, _: object) -> None:
    """With a write-ahead log this is safe: see the module."""
    connection.execute("PRAGMA synchronous=NORMAL")
